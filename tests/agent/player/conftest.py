"""One Chromium for all that is played here."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import pytest
from playwright.async_api import Browser, async_playwright

from agent.chromium import Chromium
from agent.lite.pool import Session
from agent.origins import Origins
from tests.agent.conftest import served
from tests.agent.player.stand import APP, SITE, Stand


@pytest.fixture(scope="module")
async def shared(chromium_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[Browser, str]]:
    async with async_playwright() as driver, served(APP) as origin:
        chromium = await Chromium.launch(chromium_path, tmp_path_factory.mktemp("run"))
        yield await driver.chromium.connect_over_cdp(chromium.cdp_url), origin
        await chromium.close(grace=0)


@pytest.fixture
async def stand(shared: tuple[Browser, str]) -> AsyncGenerator[Stand]:
    browser, origin = shared
    context = await browser.new_context()
    page = await context.new_page()
    session = cast("Session", await context.new_cdp_session(page))
    yield Stand(page, session, Origins({SITE.home: origin}), [])
    await context.close()
