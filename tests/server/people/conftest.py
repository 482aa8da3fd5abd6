"""A real server with the practice site, and a real browser of a person who looks at its pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from agent.installed import find_chromium
from server.auth import Caller
from server.house import House
from server.serving import serving
from server.settings import read_settings
from tests.person import FLAGS


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    data = tmp_path_factory.mktemp("house")
    async with serving(read_settings(data=data, port=0, log_level="warning", caps=False)) as opened:
        yield opened


@pytest.fixture(scope="module")
async def secret(house: House) -> str:
    return (house.settings.data / "local.key").read_text().strip()


@pytest.fixture(scope="module")
async def caller(house: House, secret: str) -> Caller:
    return await house.verifier.verify(secret)


@pytest.fixture(scope="module")
async def browser() -> AsyncGenerator[Browser]:
    found = find_chromium(None)
    assert found, "these tests need a Chromium: webhand doctor --fix installs one"
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        await opened.close()


@pytest.fixture
async def person(browser: Browser) -> AsyncGenerator[BrowserContext]:
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    yield context
    await context.close()


@pytest.fixture
async def page(person: BrowserContext) -> Page:
    return await person.new_page()
