"""One claimed task, from its start to the verb that ends it.

The one place with a broad except for engines: whatever an engine or a page does, a claimed task ends in a state and the worker goes on.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import structlog
from sqlalchemy.exc import DBAPIError

from agent import metrics, tracing
from agent.desk import Deadline, Desk
from agent.endings import broken, lost_error, timed_out, uncertain
from agent.engine import Assignment, Engine, EngineName, NewFile, Outcome, Window
from agent.orders import Orders
from agent.ownership import write_record
from agent.recorder import Recorder
from storage.accounts import AccountStore
from storage.artifacts import ArtifactStore, new_artifact
from storage.changes import Changes
from storage.database import persistently
from storage.runs import RunStore
from storage.tables import Task, now
from storage.vault import Vault
from tools.errors import AccountSuspended, AuthenticationFailed, Failure, Interrupted, PlatformError, TimedOut
from tools.site import Site

_log = structlog.get_logger(__name__)
_FINISH_TRIES = 8
EndedBy = Literal["cancel", "shutdown", "lease"]
Finish = Callable[[float], Awaitable[bool]]
"""The verb that ends the task; it is told how long the account must rest (seconds)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What every run of a worker works with."""

    folder: Path
    """Scratch folders of running tasks."""
    human_wait: float
    fallback: bool
    changes: Changes
    runs: RunStore
    accounts: AccountStore
    artifacts: ArtifactStore
    vault: Vault
    orders: Orders
    engines: Mapping[EngineName, Engine]
    lease_holds: Callable[[], bool]
    on_window: Callable[[str, Window | None], None]
    """Told which window a task's browser shows; None: none any more."""


class Run:
    """Carries one claimed task out."""

    def __init__(self, task: Task, engine: EngineName, means: Means) -> None:
        self.task = task
        self.engine: EngineName = engine
        self.desk: Desk | None = None
        self.ended_by: EndedBy | None = None
        self._means = means
        self._recorder: Recorder | None = None
        self._folder = means.folder / task.id
        self._site: Site | None = None
        self.job = asyncio.create_task(self._carry_out(), name=f"task {task.id}")

    def end(self, why: EndedBy) -> None:
        """Ends it in the middle; what the task becomes depends on why, and on whether its act may have gone out."""
        if self.ended_by is None:
            self.ended_by = why
            self.job.cancel()

    def ask_pause(self) -> None:
        """Lets it stand still at its next gate."""
        if self.desk is not None:
            self.desk.pause_wanted.set()

    async def _carry_out(self) -> None:
        with tracing.of_task(self.task) as span:
            await self._carry_through()
            if self.task.error is not None:
                tracing.failed(span, str(self.task.error["code"]))

    async def _carry_through(self) -> None:
        task = self.task
        log = _log.bind(task=task.id, platform=task.platform, tool=task.tool, engine=self.engine)
        log.info("task.started")
        metrics.started(task)
        try:
            finish = await self._done()
        except asyncio.CancelledError:
            finish = self._cancelled()
        except Failure as failure:
            finish = await self._failed(uncertain(task, failure))
        except Exception as error:  # a defect of ours or of an engine: the task must end all the same
            log.exception("task.broke", error=type(error).__name__)
            cut_off = isinstance(error, DBAPIError) and not self._means.lease_holds()
            finish = await self._failed(uncertain(task, Interrupted() if cut_off else broken(error)))
        finally:
            self._show(None)
            await asyncio.shield(self._keep_recording())
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True))
        await asyncio.shield(self._finish(finish))
        code = (task.error or {}).get("code")
        metrics.ended(task, "failed" if code else "completed", now())
        log.info("task.ended", error=code)

    # -- the work -----------------------------------------------------------------------------------------------------

    async def _done(self) -> Finish:
        means = self._means
        self._folder.mkdir(mode=0o700, parents=True)
        write_record(self._folder)
        assignment = await persistently(lambda: means.orders.assignment(self.task, self._folder), means.lease_holds)
        self._site = assignment.site
        return await self._completed(assignment, await self._worked(assignment))

    async def _worked(self, assignment: Assignment) -> Outcome:
        means, deadline = self._means, Deadline(self.task.timeout_ms / 1000)
        if assignment.options.record:
            self._recorder = Recorder(assignment.folder, self.task.id, assignment.options.viewport)
        self.desk = desk = Desk(
            task=self.task,
            runs=means.runs,
            artifacts=means.artifacts,
            changes=means.changes,
            deadline=deadline,
            human_wait=means.human_wait,
            lease_holds=means.lease_holds,
            on_window=lambda _task_id, window: self._show(window),
            on_login=self._keep_login,
            redactor=Orders.redactor(assignment),
        )
        try:
            async with deadline:
                return await self._played(assignment, desk)
        except TimeoutError:
            if deadline.passed:
                raise timed_out(self.task) from None
            raise

    async def _played(self, assignment: Assignment, desk: Desk) -> Outcome:
        means = self._means
        try:
            return await means.engines[self.engine].carry_out(assignment, desk)
        except PlatformError as failure:
            full = means.engines.get("full")
            if self.engine != "lite" or full is None or not means.fallback or self.task.armed_at is not None:
                raise
            _log.info("task.fell_back", task=self.task.id, code=failure.code)
            await means.runs.switch(self.task, "full")
            return await full.carry_out(assignment, desk)

    def _show(self, window: Window | None) -> None:
        if self._recorder is not None:
            self._recorder.show(window)
        self._means.on_window(self.task.id, window)

    # -- what is kept -------------------------------------------------------------------------------------------------

    async def _keep_login(self, state: Mapping[str, Any]) -> None:
        if self.task.account_id is not None:
            await self._means.accounts.refresh(self.task.account_id, self._means.vault.seal(state))
        await self._means.orders.keep_profile(self.task, state)

    async def _keep_file(self, file: NewFile) -> None:
        kind = "recording" if file.kind == "recording" else "output"
        row = new_artifact(self.task.owner, self.task.id, kind, file.name, file.media_type)
        await self._means.artifacts.adopt(row, file.path)

    async def _keep_recording(self) -> None:
        if self._recorder is None:
            return
        try:
            file = await self._recorder.close()
            if file is not None:
                await self._keep_file(file)
        except Exception:  # noqa: BLE001  # a video that cannot be kept must not cost the task its end
            _log.exception("task.recording_lost", task=self.task.id)

    # -- how it ends --------------------------------------------------------------------------------------------------

    async def _completed(self, assignment: Assignment, outcome: Outcome) -> Finish:
        means, task = self._means, self.task
        if (state := outcome.login_state) is not None:
            await persistently(lambda: self._keep_login(state), means.lease_holds)
        if (account_id := task.account_id) is not None:
            await persistently(lambda: means.accounts.connect(account_id, None, outcome.identity), means.lease_holds)
        for file in outcome.files:
            await self._keep_file(file)
        browser_data = None
        if outcome.cookies is not None:
            browser_data = means.vault.seal({"cookies": list(outcome.cookies)})
        result = Orders.redactor(assignment).tree(dict(outcome.result))
        return lambda pause: means.runs.complete(task, result, spacing=pause, browser_data=browser_data)

    async def _failed(self, failure: Failure) -> Finish:
        means, task = self._means, self.task
        if task.account_id is not None and isinstance(failure, AuthenticationFailed | AccountSuspended):
            await means.accounts.break_(task.account_id, failure.code, failure.message)
        task.error = failure.as_error()
        verb = means.runs.time_out if isinstance(failure, TimedOut) else means.runs.fail
        return lambda pause: verb(task, failure.as_error(), spacing=pause)

    def _cancelled(self) -> Finish:
        """The job was cancelled: by whom decides what the task becomes."""
        means, task = self._means, self.task
        current = asyncio.current_task()
        while current is not None and current.cancelling():
            current.uncancel()
        error = lost_error(task)
        if self.ended_by == "cancel":
            unsure = error if task.armed_at is not None else None
            return lambda pause: means.runs.cancelled(task, unsure, spacing=pause)
        task.error = error
        return lambda pause: means.runs.fail(task, error, spacing=pause)

    async def _finish(self, finish: Finish) -> None:
        rest = spacing(self._site, self.task)
        for tries_left in reversed(range(_FINISH_TRIES)):
            try:
                await finish(rest)
            except DBAPIError:
                if not tries_left:
                    raise  # the row stays ours until the audit of strays fails it
                await asyncio.sleep(0.05 * 2 ** (_FINISH_TRIES - tries_left))
            else:
                return


def spacing(site: Site | None, task: Task) -> float:
    """How long the account must rest after this task (seconds)."""
    if site is None or not task.writes:
        return 0.0
    return (site.engage if task.effect == "engage" else site.publish).spacing
