"""Claims tasks, shows that it lives, buries the dead, and fences itself: what becomes of a claimed task is in `run`."""

from __future__ import annotations

import asyncio
import math
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from agent.endings import lost_error
from agent.engine import Engine, EngineName, Window
from agent.orders import Orders
from agent.run import Means, Run
from storage.accounts import AccountStore
from storage.artifacts import ArtifactStore
from storage.changes import QUEUE
from storage.database import Database
from storage.runs import RunStore
from storage.tables import Worker as WorkerRow
from storage.vault import Vault

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How one worker behaves. Times in seconds."""

    folder: Path
    """Scratch folders of running tasks (0700)."""
    version: str
    slots: Mapping[EngineName, int] = field(default_factory=lambda: {"lite": 4, "full": 1})
    everywhere: Mapping[EngineName, int] = field(default_factory=dict[EngineName, int])
    """How many of an engine all workers together may run; an engine that is not named has no limit."""
    lease: float = 30.0
    """A worker that shows no life for so long is taken for dead."""
    alone: bool = False
    """No other process can be working on this database: whoever seems to at the start is dead, however long ago it was heard of."""
    beat: float = 2.0
    look: float = 1.0
    """How often it looks for work when nothing wakes it."""
    human_wait: float = 1800.0
    fallback: bool = False
    """Whether a lite playbook that fails before anything was published is followed by the full engine."""
    address: str | None = None


class Worker:
    """Carries tasks out in this process."""

    def __init__(
        self,
        settings: WorkerSettings,
        database: Database,
        runs: RunStore,
        accounts: AccountStore,
        artifacts: ArtifactStore,
        vault: Vault,
        orders: Orders,
        engines: Mapping[EngineName, Engine],
    ) -> None:
        self.id = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
        self.windows: dict[str, Window] = {}
        self._settings = settings
        self._database = database
        self._runs = runs
        self._means = Means(
            folder=settings.folder,
            human_wait=settings.human_wait,
            fallback=settings.fallback,
            changes=database.changes,
            runs=runs,
            accounts=accounts,
            artifacts=artifacts,
            vault=vault,
            orders=orders,
            engines=engines,
            lease_holds=self.holds_lease,
            on_window=self._show,
        )
        self._running: dict[str, Run] = {}
        self._busy: dict[EngineName, int] = dict.fromkeys(engines, 0)
        self._claiming = asyncio.Lock()
        """Held while a row is claimed but not yet in `_running`: the audit of strays must not look in between."""
        self._beaten = -math.inf
        self._draining = False
        self.outgrown = asyncio.Event()
        """Set when the database has become a newer Webhand's: what runs may end, and nothing new is taken."""
        self._jobs: list[asyncio.Task[None]] = []
        self.on_window: Callable[[str], None] = lambda _task_id: None

    # -- life -----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Shows itself, buries the dead, and begins to look for work."""
        self._settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._beat()
        await self._compare_versions()
        await self._reap(0.0 if self._settings.alone else self._settings.lease)
        self._jobs = [
            asyncio.create_task(self._for_ever(work), name=f"worker {work.__name__}")
            for work in (self._claim_loop, self._beat_loop, self._fence_loop, self._signal_loop)
        ]

    async def _compare_versions(self) -> None:
        """Says so when others are of another version: during a rolling upgrade that is meant, and otherwise it is not."""
        others = {worker.version for worker in await self._runs.workers()} - {self._settings.version}
        if others:
            _log.warning("worker.versions_differ", own=self._settings.version, others=sorted(others))

    async def stop(self, grace: float) -> None:
        """Takes nothing new, lets what runs finish for `grace` seconds, then interrupts it."""
        self._draining = True
        running = [run.job for run in self._running.values()]
        if running:
            _log.info("worker.draining", tasks=len(running), seconds=grace)
            await asyncio.wait(running, timeout=grace)
        for run in list(self._running.values()):
            run.end("shutdown")
        if self._running:
            await asyncio.wait([run.job for run in self._running.values()])
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        await self._runs.leave(self.id)

    def holds_lease(self) -> bool:
        """Whether no other process can think this one dead yet."""
        return time.monotonic() - self._beaten < self._settings.lease * 0.6

    @property
    def load(self) -> Mapping[EngineName, int]:
        """How many tasks run here, by engine."""
        return dict(self._busy)

    async def look(self, _subject: str = "") -> None:
        """Looks for work now."""
        self._database.changes.wake(QUEUE)

    async def _for_ever(self, work: Callable[[], Any]) -> None:
        while True:
            try:
                await work()
            except Exception:  # noqa: BLE001  # a database that is away for a moment must not end the loop
                _log.exception("worker.loop_failed", loop=work.__name__)
                await asyncio.sleep(1)

    async def _claim_loop(self) -> None:
        with self._database.changes.follow(QUEUE) as follower:
            while not self._draining:
                for engine in self._means.engines:
                    while self._busy[engine] < self._settings.slots.get(engine, 0) and await self.claim(engine):
                        pass
                await follower.changed(self._settings.look)
        await asyncio.Event().wait()

    async def claim(self, engine: EngineName) -> bool:
        """Takes the next task of the engine and begins to carry it out. False: there is none, or this worker must not act."""
        if not self.holds_lease():
            return False  # just woken, or cut off from the database: what it took now could not act
        async with self._claiming:
            task = await self._runs.claim(self.id, engine, everywhere=self._settings.everywhere.get(engine))
            if task is None:
                return False
            if not self.holds_lease():  # stopped while the database answered
                await self._runs.give_back(task)
                return False
            self._busy[engine] += 1
            self._running[task.id] = run = Run(task, engine, self._means)
        run.job.add_done_callback(lambda _job: self._done(task.id, engine))
        return True

    def _done(self, task_id: str, engine: EngineName) -> None:
        self._running.pop(task_id, None)
        self._busy[engine] -= 1
        self._database.changes.wake(QUEUE)

    async def _beat_loop(self) -> None:
        while True:
            await self._beat()
            await self._reap(self._settings.lease)
            await asyncio.sleep(self._settings.beat)

    async def _fence_loop(self) -> None:
        """Apart from the beats, which stand still while the database is away."""
        while True:
            self._fence()
            await asyncio.sleep(self._settings.beat)

    def _fence(self) -> None:
        """Ends what runs here when others may have given it up: stopped, starved, or cut off from the database."""
        lost = [run for run in self._running.values() if run.ended_by is None]
        if lost and not self.holds_lease():
            _log.error("worker.lease_lost", tasks=len(lost))
            for run in lost:
                run.end("lease")

    async def _beat(self) -> None:
        if not self._draining and await self._database.outgrown():
            _log.error(
                "worker.outgrown", sentence="A newer Webhand has changed the database: this worker takes nothing more."
            )
            self._draining = True
            self.outgrown.set()
        row = WorkerRow(
            id=self.id, version=self._settings.version, address=self._settings.address, draining=self._draining
        )
        begun = time.monotonic()
        await self._runs.beat(row)
        self._fence()  # a beat that came too late does not give back what was lost before it
        self._beaten = begun

    async def _reap(self, lease: float) -> None:
        lost = await self._runs.reap(lease, lost_error, reaper=self.id)
        async with self._claiming:
            held = {task_id for task_id, _, _ in await self._runs.signals(self.id)}
            strays = [task_id for task_id in held if task_id not in self._running]
        if strays:
            lost += await self._runs.drop(self.id, strays, lost_error)
        if lost:
            _log.warning("worker.reaped", tasks=lost)

    async def _signal_loop(self) -> None:
        with self._database.changes.follow(self.id) as follower:
            while True:
                await follower.changed(self._settings.look)
                if not self._running:
                    continue
                for task_id, cancel_wanted, pause_wanted in await self._runs.signals(self.id):
                    run = self._running.get(task_id)
                    if run is not None and cancel_wanted:
                        run.end("cancel")
                    elif run is not None and pause_wanted:
                        run.ask_pause()

    def _show(self, task_id: str, window: Window | None) -> None:
        if window is None:
            self.windows.pop(task_id, None)
        else:
            self.windows[task_id] = window
        self.on_window(task_id)
        self._database.changes.wake(task_id)
