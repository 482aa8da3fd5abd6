"""The replicas are as stubborn as the sites: what a script writes into an editor does not count."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import cast

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.person import FLAGS
from tests.replicas.replica import Replica
from tests.replicas.tonghuashun import Tonghuashun

pytestmark = pytest.mark.anyio

WAYS = {
    "value": "box.value = 'by script'",
    "text": "box.textContent = 'by script'",
    "html": "box.innerHTML = '<p>by script</p>'",
    "event": "box.textContent = 'by script'; box.dispatchEvent(new InputEvent('input', {bubbles: true, data: 'by script'}))",
    "paste": "box.dispatchEvent(new ClipboardEvent('paste', {bubbles: true, clipboardData: new DataTransfer()}))",
}


@pytest.fixture(scope="module")
async def browser(chromium_path: Path) -> AsyncGenerator[Browser]:
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield running
        await running.close()


async def editor(browser: Browser, replica: Replica) -> tuple[Page, str, str]:
    replica.reset()
    context = await browser.new_context(storage_state=replica.login_state())  # pyright: ignore[reportArgumentType]  # a plain dict of the same shape
    page = await context.new_page()
    if replica.platform == "twitter":
        await page.goto(f"{replica.origin}/compose/post")
        return page, "[role=dialog] [contenteditable]", "[role=dialog] [data-testid=tweetButton][aria-disabled=false]"
    await page.goto(f"{replica.origin}/")
    await page.click(".fake-placeholder")
    return page, ".medium-editor-element", "a.lite-editor__submit:not(.disabled)"


@pytest.mark.parametrize("platform", ["twitter", "xueqiu"])
async def test_only_real_input_counts(platform: str, browser: Browser, replicas: Mapping[str, Replica]) -> None:
    page, box, ready = await editor(browser, replicas[platform])
    for way in WAYS.values():
        await page.locator(box).evaluate(f"box => {{ {way} }}")
        assert await page.locator(box).inner_text() in ("", "\n"), way
        assert await page.locator(ready).count() == 0, way
    await page.locator(box).fill("by hand")
    await page.locator(ready).wait_for()
    await page.context.close()


async def test_the_frame_of_tonghuashun_is_as_stubborn(browser: Browser, replicas: Mapping[str, Replica]) -> None:
    replica = replicas["tonghuashun"]
    replica.reset()
    context = await browser.new_context(storage_state=replica.login_state())  # pyright: ignore[reportArgumentType]  # a plain dict of the same shape
    page = await context.new_page()
    await page.goto(f"{replica.origin}/newcircle/creation/postAll")
    await page.click("i.icon-editpost-add")
    body = page.frame_locator("#ueditor_0").locator("body")
    await body.evaluate("box => { box.innerHTML = '<p>by script</p>' }")
    assert await body.evaluate("() => window.written()") == ""
    await body.fill("by hand")
    assert await body.evaluate("() => window.written()") == "by hand"
    await context.close()


async def test_whoever_opens_pages_too_fast_is_thrown_out(browser: Browser, replicas: Mapping[str, Replica]) -> None:
    replica = cast("Tonghuashun", replicas["tonghuashun"])
    replica.reset()
    context = await browser.new_context(storage_state=replica.login_state())  # pyright: ignore[reportArgumentType]  # a plain dict of the same shape
    page = await context.new_page()
    await page.goto(f"{replica.origin}/newcircle/creation/postAll")
    replica.last_page = time.monotonic() + 60  # however slow this machine is, the next page comes too early
    await page.goto(f"{replica.origin}/newcircle/creation/postAll")
    assert page.url == f"{replica.origin}/login"
    await context.close()
