"""Claims tasks, keeps their deadlines and heartbeats, picks the engine, and turns failures into codes.

The one place with broad excepts: whatever an engine or a page does, a claimed task ends in a state and the worker goes on.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from agent import metrics, tracing
from agent.desk import Deadline, Desk
from agent.engine import Assignment, Engine, EngineName, NewFile, Outcome, Window
from agent.orders import Orders
from agent.recorder import Recorder
from storage.accounts import AccountStore
from storage.artifacts import ArtifactStore, new_artifact
from storage.changes import QUEUE
from storage.database import Database, persistently
from storage.runs import RunStore
from storage.tables import Task, now
from storage.tables import Worker as WorkerRow
from storage.vault import Vault
from tools.errors import (
    AccountSuspended,
    AuthenticationFailed,
    BrowserFailed,
    Failure,
    Internal,
    Interrupted,
    OutcomeUncertain,
    PlatformError,
    TimedOut,
)
from tools.site import Site

_log = structlog.get_logger(__name__)
_FINISH_TRIES = 8


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
    beat: float = 2.0
    look: float = 1.0
    """How often it looks for work when nothing wakes it."""
    human_wait: float = 1800.0
    fallback: bool = False
    """Whether a lite playbook that fails before anything was published is followed by the full engine."""
    address: str | None = None


@dataclass
class Run:
    """One claimed task that runs here."""

    task: Task
    job: asyncio.Task[None]
    desk: Desk | None = None
    recorder: Recorder | None = None
    ended_by: str | None = None
    """Why its job was cancelled: cancel, shutdown or lease."""


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
        self._accounts = accounts
        self._artifacts = artifacts
        self._vault = vault
        self._orders = orders
        self._engines = engines
        self._running: dict[str, Run] = {}
        self._busy: dict[EngineName, int] = dict.fromkeys(engines, 0)
        self._claiming = asyncio.Lock()
        """Held while a row is claimed but not yet in `_running`: the audit of strays must not look in between."""
        self._beaten = time.monotonic()
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
        await self._reap()
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
            self._end(run, "shutdown")
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
                for engine in self._engines:
                    while self._busy[engine] < self._settings.slots.get(engine, 0) and await self._claim(engine):
                        pass
                await follower.changed(self._settings.look)
        await asyncio.Event().wait()

    async def _claim(self, engine: EngineName) -> bool:
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
            job = asyncio.create_task(self._carry_out(task, engine), name=f"task {task.id}")
            self._running[task.id] = Run(task, job)
        job.add_done_callback(lambda _job: self._done(task.id, engine))
        return True

    def _done(self, task_id: str, engine: EngineName) -> None:
        self._running.pop(task_id, None)
        self._busy[engine] -= 1
        self._database.changes.wake(QUEUE)

    async def _beat_loop(self) -> None:
        while True:
            await self._beat()
            await self._reap()
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
                self._end(run, "lease")

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

    async def _reap(self) -> None:
        lost = await self._runs.reap(self._settings.lease, lost_error, reaper=self.id)
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
                        self._end(run, "cancel")
                    elif run is not None and run.desk is not None and pause_wanted:
                        run.desk.pause_wanted.set()

    @staticmethod
    def _end(run: Run, why: str) -> None:
        if run.ended_by is None:
            run.ended_by = why
            run.job.cancel()

    # -- one task -------------------------------------------------------------------------------------------------------

    async def _carry_out(self, task: Task, engine: EngineName) -> None:
        with tracing.of_task(task) as span:
            await self._carry_through(task, engine)
            if task.error is not None:
                tracing.failed(span, str(task.error["code"]))

    async def _carry_through(self, task: Task, engine: EngineName) -> None:
        log = _log.bind(task=task.id, platform=task.platform, tool=task.tool, engine=engine)
        log.info("task.started")
        metrics.started(task)
        folder = self._settings.folder / task.id
        site: Site | None = None
        try:
            folder.mkdir(mode=0o700, parents=True)
            assignment = await persistently(lambda: self._orders.assignment(task, folder), self.holds_lease)
            site = assignment.site
            outcome = await self._run(task, engine, assignment)
            finish = await self._completed(task, assignment, outcome)
        except asyncio.CancelledError:
            finish = self._cancelled(task)
        except Failure as failure:
            finish = await self._failed(task, uncertain(task, failure))
        except Exception as error:  # a defect of ours or of an engine: the task must end all the same
            log.exception("task.broke", error=type(error).__name__)
            cut_off = isinstance(error, DBAPIError) and not self.holds_lease()
            finish = await self._failed(task, uncertain(task, Interrupted() if cut_off else broken(error)))
        finally:
            self._show(task.id, None)
            await asyncio.shield(self._keep_recording(task))
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))
        await asyncio.shield(self._finish(finish, spacing(site, task)))
        code = (task.error or {}).get("code")
        metrics.ended(task, "failed" if code else "completed", now())
        log.info("task.ended", error=code)

    async def _run(self, task: Task, engine: EngineName, assignment: Assignment) -> Outcome:
        deadline = Deadline(task.timeout_ms / 1000)
        run = self._running[task.id]
        if assignment.options.record:
            run.recorder = Recorder(assignment.folder, task.id, assignment.options.viewport)
        run.desk = desk = Desk(
            task=task,
            runs=self._runs,
            artifacts=self._artifacts,
            changes=self._database.changes,
            deadline=deadline,
            human_wait=self._settings.human_wait,
            lease_holds=self.holds_lease,
            on_window=self._show,
            on_login=lambda state: self._keep_login(task, state),
            redactor=Orders.redactor(assignment),
        )
        try:
            async with deadline:
                return await self._play(task, engine, assignment, desk)
        except TimeoutError:
            if deadline.passed:
                raise timed_out(task) from None
            raise

    async def _play(self, task: Task, engine: EngineName, assignment: Assignment, desk: Desk) -> Outcome:
        try:
            return await self._engines[engine].carry_out(assignment, desk)
        except PlatformError as failure:
            full = self._engines.get("full")
            if engine != "lite" or full is None or not self._settings.fallback or task.armed_at is not None:
                raise
            _log.info("task.fell_back", task=task.id, code=failure.code)
            await self._runs.switch(task, "full")
            return await full.carry_out(assignment, desk)

    async def _completed(self, task: Task, assignment: Assignment, outcome: Outcome) -> Finish:
        if outcome.login_state is not None:
            state = outcome.login_state
            await persistently(lambda: self._keep_login(task, state), self.holds_lease)
        account_id, identity = task.account_id, outcome.identity
        if account_id is not None:
            await persistently(lambda: self._accounts.connect(account_id, None, identity), self.holds_lease)
        for file in outcome.files:
            await self._keep_file(task, file)
        browser_data = None
        if outcome.cookies is not None:
            browser_data = self._vault.seal({"cookies": list(outcome.cookies)})
        result = Orders.redactor(assignment).tree(dict(outcome.result))
        return lambda pause: self._runs.complete(task, result, spacing=pause, browser_data=browser_data)

    async def _keep_login(self, task: Task, state: Mapping[str, Any]) -> None:
        if task.account_id is not None:
            await self._accounts.refresh(task.account_id, self._vault.seal(state))
        await self._orders.keep_profile(task, state)

    async def _keep_file(self, task: Task, file: NewFile) -> None:
        kind = "recording" if file.kind == "recording" else "output"
        await self._artifacts.adopt(new_artifact(task.owner, task.id, kind, file.name, file.media_type), file.path)

    async def _keep_recording(self, task: Task) -> None:
        recorder = self._running[task.id].recorder
        if recorder is None:
            return
        try:
            file = await recorder.close()
            if file is not None:
                await self._keep_file(task, file)
        except Exception:  # noqa: BLE001  # a video that cannot be kept must not cost the task its end
            _log.exception("task.recording_lost", task=task.id)

    async def _failed(self, task: Task, failure: Failure) -> Finish:
        if task.account_id is not None and isinstance(failure, AuthenticationFailed | AccountSuspended):
            await self._accounts.break_(task.account_id, failure.code, failure.message)
        task.error = failure.as_error()
        if isinstance(failure, TimedOut):
            return lambda pause: self._runs.time_out(task, failure.as_error(), spacing=pause)
        return lambda pause: self._runs.fail(task, failure.as_error(), spacing=pause)

    def _cancelled(self, task: Task) -> Finish:
        """The job was cancelled: by whom decides what the task becomes."""
        why = self._running[task.id].ended_by
        current = asyncio.current_task()
        while current is not None and current.cancelling():
            current.uncancel()
        error = lost_error(task)
        if why == "cancel":
            unsure = error if task.armed_at is not None else None
            return lambda pause: self._runs.cancelled(task, unsure, spacing=pause)
        task.error = error
        return lambda pause: self._runs.fail(task, error, spacing=pause)

    async def _finish(self, finish: Finish, pause: float) -> None:
        for tries_left in reversed(range(_FINISH_TRIES)):
            try:
                await finish(pause)
            except DBAPIError:
                if not tries_left:
                    raise  # the row stays ours until the audit of strays fails it
                await asyncio.sleep(0.05 * 2 ** (_FINISH_TRIES - tries_left))
            else:
                return

    def _show(self, task_id: str, window: Window | None) -> None:
        if window is None:
            self.windows.pop(task_id, None)
        else:
            self.windows[task_id] = window
        run = self._running.get(task_id)
        if run is not None and run.recorder is not None:
            run.recorder.show(window)
        self.on_window(task_id)
        self._database.changes.wake(task_id)


Finish = Callable[[float], Any]


def lost_error(task: Task) -> dict[str, object]:
    """The error of a task whose run was lost: what it says depends on whether the publishing act may have gone out."""
    if task.armed_at is not None:
        return OutcomeUncertain(
            "The run ended while the publishing act was going out, so it may or may not have happened: "
            "look at the site before you try again."
        ).as_error()
    return Interrupted().as_error()


def uncertain(task: Task, failure: Failure) -> Failure:
    """The failure, unless it says nothing of an act that may have gone out: callers make such a call again."""
    if task.armed_at is None or not isinstance(failure, BrowserFailed | Internal | Interrupted):
        return failure
    return OutcomeUncertain(
        f"The run failed after the publishing act was armed, so it may or may not have happened ({failure.message}) "
        "Look at the site before you try again."
    )


def broken(error: Exception) -> Failure:
    """What a defect is called. A full disk is none, and has its own sentence."""
    if (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}) or "disk is full" in str(error):
        return Internal("The disk of the data folder is full: make room, then try again.")
    return Internal()


def timed_out(task: Task) -> Failure:
    """The failure of a task whose deadline passed."""
    if task.armed_at is not None:
        return OutcomeUncertain(
            f"The task took longer than {task.timeout_ms} ms and was stopped after the publishing act went out: "
            "look at the site before you try again."
        )
    return TimedOut(f"The task did not finish within {task.timeout_ms} ms: raise 'timeout', or make the task smaller.")


def spacing(site: Site | None, task: Task) -> float:
    """How long the account must rest after this task (seconds)."""
    if site is None or not task.writes:
        return 0.0
    return (site.engage if task.effect == "engage" else site.publish).spacing
