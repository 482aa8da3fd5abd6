"""What becomes of a page's dialogs: closed at once while the agent acts, left to the person while the run stands still for one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from playwright.async_api import BrowserContext, Dialog
from playwright.async_api import Error as PlaywrightError


class Dialogs:
    """The dialogs of a context's pages. Without a listener Playwright closes each, also under the hands of a person."""

    def __init__(self, context: BrowserContext) -> None:
        self._left = False
        self._open: list[Dialog] = []
        context.on("dialog", self._opened)

    @asynccontextmanager
    async def left_open(self) -> AsyncGenerator[None]:
        """Meanwhile dialogs wait for a person; what nobody has answered by its end is closed."""
        self._left = True
        try:
            yield
        finally:
            self._left = False
            waiting, self._open = self._open, []
            for dialog in waiting:
                await _close(dialog)

    async def _opened(self, dialog: Dialog) -> None:
        if self._left:
            self._open.append(dialog)
        else:
            await _close(dialog)


async def _close(dialog: Dialog) -> None:
    """As Playwright does of itself: a page may be left, every other question is answered with no."""
    with suppress(PlaywrightError):  # a person has answered it, or its page is gone
        await (dialog.accept() if dialog.type == "beforeunload" else dialog.dismiss())
