"""The MCP App in a real Chromium: it shows the task beside its call, stops it, and opens the live view."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Browser

from tests.server.mcp.app_host import chromium, heard, shown
from tests.server.mcp.client import connected, told
from tests.server.mcp.house import House

pytestmark = pytest.mark.anyio
RUN = "browser_run_task"


@pytest.fixture(scope="module")
async def browser() -> AsyncGenerator[Browser]:
    async with chromium() as opened:
        yield opened


async def test_the_app_shows_the_task_while_its_call_still_waits(
    browser: Browser, house: House, url: str, secret: str
) -> None:
    async with connected(url, secret, headers={"X-MCP-Wait": "0"}) as client:
        await client.call_tool(RUN, {"task": "step step hold tell:Finished"})
        async with shown(browser, client) as (page, frame):
            # The host has told of no result yet: the app finds the task by its tool.
            await frame.wait_for_selector("#page:not([hidden])")
            assert (
                await frame.eval_on_selector("#page", "async picture => (await picture.decode(), picture.naturalWidth)")
                == 64
            )
            assert "Goal 2 (https://site.test/2)" in await frame.inner_text("#doing")
            assert await heard(page, "ui/notifications/initialized")
            assert (await heard(page, "ui/notifications/size-changed"))[-1]["height"] > 0
            house.engine.released.set()
            await frame.wait_for_selector("#status:text-is('completed')")
            assert "Finished" in await frame.inner_text("#doing")
            assert not await frame.is_visible("#stop")


async def test_it_looks_as_its_host_does(browser: Browser, url: str, secret: str) -> None:
    async with connected(url, secret) as client, shown(browser, client) as (page, frame):
        await page.wait_for_function("heard.some(one => one.method === 'ui/notifications/initialized')")
        assert await frame.evaluate("getComputedStyle(document.body).color") == "rgb(1, 2, 3)"
        assert await frame.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
        await page.evaluate("tell('ui/notifications/host-context-changed', {theme: 'light'})")
        await frame.wait_for_function("getComputedStyle(document.documentElement).colorScheme === 'light'")


async def test_its_buttons_stop_the_task_and_open_the_live_view(browser: Browser, url: str, secret: str) -> None:
    async with connected(url, secret, headers={"X-MCP-Wait": "0"}) as client:
        made = await client.call_tool(RUN, {"task": "step hold"})
        async with shown(browser, client) as (page, frame):
            result = made.model_dump(by_alias=True, mode="json", exclude_none=True)
            await page.evaluate("result => tell('ui/notifications/tool-result', result)", result)
            await frame.click("#live")
            await page.wait_for_function("heard.some(one => one.method === 'ui/open-link')")
            assert "/live/" in (await heard(page, "ui/open-link"))[0]["url"]
            await frame.click("#stop")
            await frame.wait_for_selector("#status:text-is('cancelled')")
        after = told(await client.call_tool("task_get", {"task_id": told(made)["task_id"]}))
    assert after["status"] == "cancelled"
