"""What watches over a run from outside: a runner that freezes, a browser that dies, crashes, freezes or grows too large."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil

from agent.full.settings import FullSettings
from agent.full.warm import Pair
from tools.errors import BrowserFailed

WEIGH_SECONDS = 3.0
T = TypeVar("T")


class Vigil:
    """Watches one pair while it works."""

    def __init__(self, settings: FullSettings, pair: Pair) -> None:
        self.settings = settings
        self.pair = pair
        self.heard = time.monotonic()
        self.dismissed = False
        """Whether the runner has done its work and may be silent."""
        self.frozen = ""
        """That the runner froze, in words: then it was ended, which whoever reads its line notices."""

    def hear(self) -> None:
        """Notes a sign of life of the runner."""
        self.heard = time.monotonic()

    async def over(self, work: Coroutine[Any, Any, T]) -> T:
        """The work's result, or the trouble that came first: BrowserFailed."""
        working = asyncio.ensure_future(work)
        watching = [
            asyncio.ensure_future(one) for one in (self.silence(), self.weigh(), self.gone(), self.pair.watch.trouble())
        ]
        try:
            await asyncio.wait({working, *watching}, return_when=asyncio.FIRST_COMPLETED)
            for troubled in watching:
                if troubled.done():
                    troubled.result()
            return await working
        finally:
            for task in (working, *watching):
                task.cancel()
            await asyncio.gather(working, *watching, return_exceptions=True)

    async def gone(self) -> None:
        """Raises BrowserFailed when Chromium ends."""
        await self.pair.chromium.wait_gone()
        raise BrowserFailed("The browser died: try again; 'webhand doctor' checks the browser")

    async def silence(self) -> None:
        """Ends a runner that shows no life for too long; what it may have published is then seen to as after any other end of it."""
        while not self.frozen:
            await asyncio.sleep(min(1.0, self.settings.silence))
            quiet = time.monotonic() - self.heard
            if quiet > self.settings.silence and not self.dismissed:
                self.frozen = f"The agent's process froze: it showed no life for {quiet:.0f} seconds; try again"
                await self.pair.runner.kill()
        await asyncio.Event().wait()

    async def weigh(self) -> None:
        """Raises BrowserFailed when the browser and the runner use more memory, or write more files, than they may."""
        while True:
            used = await asyncio.to_thread(megabytes, self.pair.chromium.pid, self.pair.runner.process.pid)
            if used > self.settings.memory_mb:
                raise BrowserFailed(
                    f"The browser used {used} MB, more than the {self.settings.memory_mb} MB that a task may: make the task smaller"
                )
            written = await asyncio.to_thread(megabytes_below, self.pair.folder)
            if written > self.settings.disk_mb:
                raise BrowserFailed(
                    f"The browser wrote {written} MB to disk, more than the {self.settings.disk_mb} MB that a task may: "
                    "leave the large download out of the task"
                )
            await asyncio.sleep(WEIGH_SECONDS)


def megabytes_below(folder: Path) -> int:
    """What the files in a folder and below it take; some come and go meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += Path(place, name).lstat().st_size
    return total // (1024 * 1024)


def megabytes(*roots: int) -> int:
    """What the processes and all below them use, shared memory counted once (Linux) or as resident (elsewhere)."""
    total = 0
    for root in roots:
        with suppress(psutil.Error):
            process = psutil.Process(root)
            for one in (process, *process.children(recursive=True)):
                with suppress(psutil.Error):
                    used = one.memory_full_info()
                    total += getattr(used, "pss", used.rss)
    return total // (1024 * 1024)
