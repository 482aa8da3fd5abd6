"""Feels the pulse of a page of Playwright's while something is done on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page

from agent.lite.pool import Session
from agent.pulse import EVERY_SECONDS, stop_endless_script


@asynccontextmanager
async def feeling(page: Page, session: Session) -> AsyncGenerator[None]:
    """Meanwhile no script holds the page up for ever. What is done quickly pays nothing for it.

    `session` must be older than the script: Chromium opens none to a page whose thread is busy.
    """
    feels = asyncio.ensure_future(feel(page, session))
    try:
        yield
    finally:
        feels.cancel()


async def feel(page: Page, session: Session) -> None:
    """Stops every endless script, until the page is gone."""

    async def call(method: str, parameters: dict[str, Any]) -> None:
        try:
            await session.send(method, parameters)
        except PlaywrightError:  # between two documents, unless it is gone
            if page.is_closed():
                raise

    await asyncio.sleep(EVERY_SECONDS)
    with suppress(PlaywrightError):
        while True:
            await stop_endless_script(call)
