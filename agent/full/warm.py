"""Pairs of a runner and its Chromium, ready before a task comes: connected to each other, behind a gate that lets nothing out yet.

A pair serves one task and is thrown away: what a task leaves behind in it, no other task can meet.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from agent.chromium import Chromium
from agent.full.nursery import Nursery, Runner
from agent.full.watch import Watch
from agent.full.wire import Prepare, Ready, from_runner, read_line
from agent.ownership import remove_folder, write_record
from agent.wall import Gate, Wall
from tools.errors import BrowserFailed, Failure, Interrupted

READY_SECONDS = 60.0
NOWHERE = Wall(())

_log = structlog.get_logger(__name__)


@dataclass
class Pair:
    """A runner with its Chromium, and everything that belongs to them."""

    folder: Path
    gate: Gate
    chromium: Chromium
    watch: Watch
    runner: Runner
    stack: AsyncExitStack

    @property
    def fit(self) -> bool:
        """Whether both still live and nothing has gone wrong."""
        return self.chromium.alive and self.runner.process.is_running() and not self.watch.spoiled.done()

    async def close(self) -> None:
        """Ends both at once, with all that they started, and removes their folder."""
        self.chromium.kill()  # first: a connection to one that is frozen would wait for its farewell
        try:
            await self.runner.kill()
        finally:
            await self.stack.aclose()


class Pairs:
    """Makes pairs and keeps `spare` of them ready."""

    def __init__(
        self, executable: Path, folder: Path, spare: int, nursery: Nursery, *, sandbox: bool | None = None
    ) -> None:
        self.executable = executable
        self.folder = folder
        self.spare = spare
        self.nursery = nursery
        self.sandbox = sandbox
        self.ready: list[Pair] = []
        self.filling: asyncio.Task[None] | None = None

    async def take(self, upstream: str | None = None) -> Pair:
        """A pair for one task; through an upstream proxy it is made on the spot. Raises BrowserFailed or Interrupted."""
        while self.ready and upstream is None:
            pair = self.ready.pop(0)
            if pair.fit:
                return pair
            await pair.close()
        return await self.make(upstream)

    async def give_back(self, pair: Pair) -> None:
        """Ends a used pair and sees to a new one."""
        try:
            await pair.close()
        finally:
            self.fill()

    def fill(self) -> None:
        """Begins to make what is missing, in the background."""
        if len(self.ready) < self.spare and (self.filling is None or self.filling.done()):
            self.filling = asyncio.create_task(self.fill_up(), name="warm pairs")

    async def fill_up(self) -> None:
        """Makes what is missing. What cannot be made now is made when it is needed, and then it is said why not."""
        while len(self.ready) < self.spare:
            try:
                self.ready.append(await self.make())
            except Failure as failure:
                _log.warning("full.not_warm", code=failure.code, message=failure.message)
                return

    async def make(self, upstream: str | None = None) -> Pair:
        """A new pair. Raises BrowserFailed or Interrupted."""
        async with AsyncExitStack() as stack:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix="full-", dir=self.folder))
            stack.push_async_callback(asyncio.to_thread, remove_folder, folder)
            write_record(folder)  # where we die, the next start removes it
            gate = await stack.enter_async_context(Gate.open(NOWHERE, upstream))
            runner = await self.nursery.runner()
            stack.push_async_callback(runner.kill)
            chromium = await Chromium.launch(
                self.executable, folder, proxy=gate.url, args=gate.args, sandbox=self.sandbox
            )
            stack.push_async_callback(chromium.close, 0)
            watch = await Watch.open(chromium.cdp_url)
            stack.push_async_callback(watch.close)
            pair = Pair(folder, gate, chromium, watch, runner, stack)
            await self.introduce(pair)
            pair.stack = stack.pop_all()
        return pair

    @staticmethod
    async def introduce(pair: Pair) -> None:
        """Has the runner connect to its Chromium."""
        pair.runner.send(Prepare(cdp_url=pair.chromium.cdp_url, folder=str(pair.folder)))
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                while (line := await read_line(pair.runner.reader)) is not None:
                    if isinstance(from_runner.validate_json(line), Ready):
                        return
                if not pair.chromium.alive:
                    raise BrowserFailed
                raise Interrupted("The agent's process ended before it began: it is safe to create the task again")
        raise BrowserFailed(f"The browser was not ready within {READY_SECONDS:.0f} seconds")

    async def close(self) -> None:
        """Ends every pair that is ready."""
        if self.filling is not None:
            self.filling.cancel()
            with suppress(asyncio.CancelledError):
                await self.filling
        pairs: Sequence[Pair] = self.ready
        self.ready = []
        for pair in pairs:
            await pair.close()
