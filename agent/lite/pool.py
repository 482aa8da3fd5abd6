"""The warm Chromium that lite tasks share, driven by Playwright. Each task gets a context of its own in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import psutil
from playwright.async_api import Browser
from playwright.async_api import Error as PlaywrightError

from agent.chromium import Chromium
from agent.driver import END_SECONDS, Driver
from agent.wall import FLAGS

DEAD_END = "http://nowhere.invalid:9"
"""The proxy of whatever is not in a task's context: it leads nowhere."""
ANSWER_SECONDS = 2.0
LOOK_EVERY = 10
"""After so many tasks its memory is looked at: that takes a walk over all processes."""


class Session(Protocol):
    """A DevTools session, as Playwright has it."""

    async def send(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Sends a command and answers its result."""
        ...

    async def detach(self) -> None:
        """Ends the session."""
        ...


@dataclass
class Warm:
    """One running Chromium and Playwright's connection to it."""

    chromium: Chromium
    browser: Browser
    users: int = 0
    served: int = 0
    retired: bool = False

    @property
    def usable(self) -> bool:
        """Whether new tasks may come in."""
        return not self.retired and self.chromium.alive and self.browser.is_connected()

    async def answers(self) -> bool:
        """Whether it still answers, in two seconds."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                session = cast("Session", await self.browser.new_browser_cdp_session())
                await session.send("Browser.getVersion")
                await session.detach()
        except (TimeoutError, PlaywrightError):
            return False
        return True


class SharedChromium:
    """A Chromium that is started when first needed, shared, and replaced when it dies, is worn out or has grown too large.

    A task that runs in one that dies sees Playwright's errors; what it raises for them is its own affair. All methods
    belong to one event loop.
    """

    def __init__(
        self,
        find: Callable[[], Path],
        folder: Path,
        *,
        sandbox: bool | None = None,
        tasks: int = 200,
        memory: int = 2 * 1024**3,
    ) -> None:
        """`find` answers the program, or raises BrowserFailed. `folder`: the run folder.

        It is replaced after so many `tasks`, or when its resident memory (bytes, shared pages counted in each process)
        is found to be larger than `memory`.
        """
        self._find = find
        self._folder = folder
        self._sandbox = sandbox
        self._tasks = tasks
        self._memory = memory
        self._lock = asyncio.Lock()
        self._warm: Warm | None = None
        self._driver = Driver(folder)

    async def warm(self) -> Warm:
        """Starts it, unless it runs already. Raises BrowserFailed."""
        async with self._lock:
            if self._warm is None or not self._warm.usable:
                if self._warm is not None:
                    await self.retire(self._warm)
                self._warm = await self._start()
            return self._warm

    @contextlib.asynccontextmanager
    async def lease(self) -> AsyncGenerator[Warm]:
        """A Chromium to make a context in. Raises BrowserFailed."""
        warm = await self.warm()
        warm.users += 1
        warm.served += 1
        try:
            yield warm
        finally:
            warm.users -= 1
            if warm.served >= self._tasks or (warm.served % LOOK_EVERY == 0 and await self._overgrown(warm)):
                warm.retired = True
            if warm.retired and warm.users == 0:
                await self._end(warm)

    async def give_up(self, warm: Warm) -> None:
        """Kills one that does not obey any more, with every task in it."""
        warm.retired = True
        await warm.chromium.close(grace=0)

    async def retire(self, warm: Warm) -> None:
        """Lets no more tasks in; it ends with its last one."""
        warm.retired = True
        if warm.users == 0 or not warm.chromium.alive:
            await self._end(warm)

    async def close(self) -> None:
        """Ends everything."""
        async with self._lock:
            if self._warm is not None:
                await self._end(self._warm)
            await self._driver.close()
            self._warm = None

    async def _overgrown(self, warm: Warm) -> bool:
        return await asyncio.to_thread(resident, warm.chromium.pid) > self._memory

    async def _start(self) -> Warm:
        chromium = await Chromium.launch(
            await asyncio.to_thread(self._find), self._folder, proxy=DEAD_END, args=FLAGS, sandbox=self._sandbox
        )
        try:
            browser = await self._driver.connect(chromium.cdp_url)
        except BaseException:
            await chromium.close(grace=0)
            raise
        return Warm(chromium, browser)

    async def _end(self, warm: Warm) -> None:
        with contextlib.suppress(PlaywrightError, TimeoutError):
            await asyncio.wait_for(warm.browser.close(), END_SECONDS)
        await warm.chromium.close()


def resident(pid: int) -> int:
    """The resident memory (bytes) of a process and everything below it, shared pages counted in each."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        main = psutil.Process(pid)
        for process in [main, *main.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
    return total
