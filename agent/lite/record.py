"""Writes down a run's steps, in order, while the run goes on: only the picture of a page has to be taken at its moment."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page

from agent.engine import Desk, StepReport
from agent.lite.pool import Session
from agent.lite.untrusted import plain

PICTURE_SECONDS = 5.0
PICTURE = {"format": "jpeg", "quality": 60, "optimizeForSpeed": True}


@dataclass(frozen=True)
class View:
    """How a page looked at one moment."""

    url: str
    title: str
    picture: bytes | None


class Record:
    """A run's reports to its desk. What is reported is sent in the background, one after the other."""

    def __init__(self, desk: Desk, page: Page, session: Session) -> None:
        self._desk = desk
        self._page = page
        self._session = session
        self._view: asyncio.Task[View] | None = None
        self._last: asyncio.Task[None] | None = None

    def progress(self, word: str, percentage: int) -> None:
        """Says where the run stands."""
        self._send(lambda: self._desk.progress(word, percentage))

    def step(self, report: StepReport) -> None:
        """Reports a step with how the page looks now; `still` says when the page may change again."""
        self._view = looking = asyncio.create_task(self._look())
        self._send(lambda: self._with_view(report, looking))

    async def still(self) -> None:
        """Returns when the last picture is taken. Raises what reporting raised."""
        if self._view is not None:
            await asyncio.shield(self._view)
            self._view = None
        if self._last is not None and self._last.done():
            await self._last

    async def flush(self) -> None:
        """Returns when everything is reported. Raises what reporting raised."""
        if self._last is not None:
            await self._last

    async def close(self) -> None:
        """Gives up what is not reported yet."""
        tasks: list[asyncio.Task[Any]] = [task for task in (self._view, self._last) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _send(self, report: Callable[[], Awaitable[None]]) -> None:
        before = self._last

        async def send() -> None:
            if before is not None:
                await before
            await report()

        self._last = asyncio.create_task(send())

    async def _with_view(self, report: StepReport, looking: asyncio.Task[View]) -> None:
        view = await looking
        await self._desk.step(replace(report, url=view.url, title=view.title, screenshot=view.picture))

    async def _look(self) -> View:
        url = self._page.url
        title, picture = await asyncio.gather(self._title(), self._picture())
        return View(url, title, picture)

    async def _title(self) -> str:
        try:
            async with asyncio.timeout(PICTURE_SECONDS):
                return plain(await self._page.title())
        except (PlaywrightError, TimeoutError):
            return ""

    async def _picture(self) -> bytes | None:
        """A JPEG of what is in the viewport; None where there is none to be had."""
        try:
            async with asyncio.timeout(PICTURE_SECONDS):
                answer: dict[str, Any] = await self._session.send("Page.captureScreenshot", PICTURE)
        except (PlaywrightError, TimeoutError):
            return None
        return base64.b64decode(answer["data"])
