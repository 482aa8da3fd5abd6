"""Playwright's own process, which plays in browsers: one for many of them, and again a new one when it died or froze."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import cast

from playwright.async_api import Browser, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError

from agent.installed import DRIVER_TROUBLE
from agent.ownership import remove_folder, write_record
from tools.errors import BrowserFailed

CONNECT_MS = 30_000
END_SECONDS = 3.0
STARTING = asyncio.Lock()
"""One start at a time: Playwright takes our own environment, so the place for its files stands there meanwhile."""


class Driver:
    """Playwright's process, started when first needed. What it writes lies in a folder of its own in the run folder."""

    def __init__(self, run_folder: Path) -> None:
        self._run_folder = run_folder
        self._turn = asyncio.Lock()
        self._running: tuple[Playwright, Path] | None = None

    async def connect(self, cdp_url: str) -> Browser:
        """Playwright's connection to a Chromium. Raises BrowserFailed where there is none to be had."""
        for left in (1, 0):
            playwright = await self._started()
            try:
                connecting = playwright.chromium.connect_over_cdp(cdp_url, timeout=CONNECT_MS, is_local=True)
                return await asyncio.wait_for(connecting, CONNECT_MS / 1000 + END_SECONDS)
            except (PlaywrightError, TimeoutError) as error:
                if not left or await answers(playwright):
                    raise BrowserFailed("Chromium started, but could not be driven: try again") from error
                await self._end(playwright)
        raise AssertionError  # the last try returns or raises

    async def close(self) -> None:
        """Ends it."""
        if self._running is not None:
            await self._end(self._running[0])

    async def _started(self) -> Playwright:
        async with self._turn:
            if self._running is None:
                self._run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                folder = Path(tempfile.mkdtemp(prefix="driver-", dir=self._run_folder))
                write_record(folder)  # it ends with us, its folder with the next start
                try:
                    self._running = await start(folder), folder
                except BaseException:
                    shutil.rmtree(folder, ignore_errors=True)
                    raise
            return self._running[0]

    async def _end(self, playwright: Playwright) -> None:
        """Ends that process, unless another took its place already; one that is dead or frozen is not waited for."""
        async with self._turn:
            if self._running is None or self._running[0] is not playwright:
                return
            folder = self._running[1]
            self._running = None
            with suppress(PlaywrightError, TimeoutError):
                await asyncio.wait_for(playwright.stop(), END_SECONDS)
            await asyncio.to_thread(remove_folder, folder)


async def start(folder: Path) -> Playwright:
    """Starts Playwright's process with that folder for its files. Raises BrowserFailed where it cannot run on this machine."""
    async with STARTING:
        before = os.environ.get("TMPDIR")
        os.environ["TMPDIR"] = str(folder)  # not a setting: what the child inherits
        try:
            manager = async_playwright()
            playwright = await manager.start()
        except PlaywrightError:
            raise
        except Exception as error:  # Playwright raises a bare one when its process ends at once
            raise BrowserFailed(DRIVER_TROUBLE) from error
        else:
            expect_loss(manager)
            return playwright
        finally:
            if before is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before


def expect_loss(manager: object) -> None:
    """Reads the error that Playwright notes when its process dies, in a place of its own that it never looks at again.

    asyncio would log it, with a traceback, as never retrieved. Playwright's calls raise errors of their own then.
    """
    transport = getattr(getattr(manager, "_client", None), "_transport", None)
    noted = getattr(transport, "on_error_future", None)
    if isinstance(noted, asyncio.Future):
        cast("asyncio.Future[None]", noted).add_done_callback(lambda lost: lost.cancelled() or lost.exception())


async def answers(playwright: Playwright) -> bool:
    """Whether the process answers at all, whatever its browsers do."""
    try:
        async with asyncio.timeout(END_SECONDS):
            await (await playwright.request.new_context()).dispose()
    except (PlaywrightError, TimeoutError):
        return False
    return True
