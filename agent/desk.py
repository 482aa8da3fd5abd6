"""The worker's desk: where an engine reports while it works, and where pauses, people and the deadline meet the run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog
from sqlalchemy.exc import IntegrityError

from agent import metrics, tracing
from agent.engine import Reason, StepReport, Window
from agent.redaction import Redactor
from storage.artifacts import ArtifactStore, new_artifact
from storage.changes import Changes
from storage.database import persistently
from storage.ids import mint
from storage.runs import RunStore
from storage.states import TaskState
from storage.tables import Artifact, Step, Task
from tools.errors import ChallengeRequired, Interrupted

T = TypeVar("T")
_log = structlog.get_logger(__name__)
_LOOK_AGAIN_S = 5.0
_ENDINGS = {"image/jpeg": "jpg", "image/png": "png"}


class Deadline:
    """The time a run may take. It stands still while the task is paused."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._timeout.__aexit__(kind, error, trace)

    @property
    def passed(self) -> bool:
        """Whether it is this deadline that ended the run."""
        return self._timeout.expired()

    def stop(self) -> None:
        """The clock stands still."""
        ends = self._timeout.when()
        if ends is not None:
            self._left = ends - asyncio.get_running_loop().time()
            self._timeout.reschedule(None)

    def go_on(self) -> None:
        """The clock runs again."""
        if self._timeout.when() is None and not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._left)


@dataclass
class Desk:
    """One run's desk (agent.engine.Desk)."""

    task: Task
    runs: RunStore
    artifacts: ArtifactStore
    changes: Changes
    deadline: Deadline
    human_wait: float
    """How long a paused task waits for a person (seconds)."""
    lease_holds: Callable[[], bool]
    on_window: Callable[[str, Window | None], None]
    on_login: Callable[[Mapping[str, Any]], Awaitable[None]]
    redactor: Redactor = field(default_factory=lambda: Redactor(()))
    """The last line of defence, whatever an engine reports."""
    pause_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    word: str = "starting"
    percentage: int = 0

    async def progress(self, word: str, percentage: int) -> None:
        """Says where the run stands; it never goes backwards, and 100 is kept for the end."""
        percentage = max(self.percentage, min(99, percentage))
        if (word, percentage) != (self.word, self.percentage):
            self.word, self.percentage = word, percentage
            self._still_ours(await self._surely(lambda: self.runs.progress(self.task, word, percentage)))

    async def step(self, report: StepReport) -> None:
        """Records a finished step with its screenshot."""
        screenshot = await self._kept(report)
        step = Step(
            id=mint("step"),
            task_id=self.task.id,
            sequence=0,
            kind=report.kind,
            duration_ms=report.duration_ms,
            tokens=report.tokens,
            cost=report.cost,
            screenshot_id=screenshot.id if screenshot else None,
            evaluation_previous_goal=self.redactor.text(report.evaluation_previous_goal),
            next_goal=self.redactor.text(report.next_goal),
            memory=self.redactor.text(report.memory),
            url=self.redactor.text(report.url),
            title=self.redactor.text(report.title),
            actions=self.redactor.tree(list(report.actions)),
            results=self.redactor.tree(list(report.results)),
        )
        self._still_ours(await self._surely(lambda: self._record(step, screenshot)))
        tracing.of_step(report)
        metrics.stepped(self.task, report.kind, report.duration_ms, report.tokens, report.cost)

    async def _kept(self, report: StepReport) -> Artifact | None:
        """The step's picture, if there is one and it can be kept: a disk that is full must not cost the task its outcome."""
        if report.screenshot is None:
            return None
        name = f"screenshot.{_ENDINGS.get(report.media_type, 'bin')}"
        screenshot = new_artifact(self.task.owner, self.task.id, "screenshot", name, report.media_type)
        try:
            return await self.artifacts.keep(screenshot, report.screenshot)
        except OSError as error:
            _log.error("task.screenshot_lost", task=self.task.id, error=error.strerror)  # no defect of ours
            return None

    async def _record(self, step: Step, screenshot: Artifact | None) -> bool:
        """Records copies, so that it may be done again after a connection was lost; what is there already is recorded."""
        try:
            shot = Artifact(**screenshot.model_dump()) if screenshot is not None else None
            return await self.runs.step(self.task, Step(**step.model_dump()), shot) is not None
        except IntegrityError:
            return True

    async def _surely(self, verb: Callable[[], Awaitable[T]]) -> T:
        return await persistently(verb, self.lease_holds)

    async def arm(self) -> None:
        """Durably records that the publishing act is about to go out. Raises Interrupted when another may think us dead."""
        if not self.lease_holds() or not await self._surely(lambda: self.runs.arm(self.task)) or not self.lease_holds():
            message = "The worker was silent for too long and gave the task up before anything was published."
            raise Interrupted(message)
        self.task.armed_at = self.task.started_at

    async def gate(self) -> None:
        """Between two steps: stands still while somebody wants a pause."""
        if self.pause_wanted.is_set():
            self.pause_wanted.clear()
            await self._stand_still("requested", "Paused on request.")

    async def ask(self, reason: Reason, message: str) -> None:
        """Waits for a person. Raises ChallengeRequired when nobody comes in time."""
        if not await self._stand_still(reason, message):
            raise ChallengeRequired(f"{message} Nobody came within {round(self.human_wait)} seconds.")

    async def keep_login(self, state: Mapping[str, Any]) -> None:
        """Keeps the browser's storage state for the account or profile, also when the run fails afterwards."""
        await self.on_login(state)

    def show(self, window: Window | None) -> None:
        """Tells the live view which browser to show."""
        self.on_window(self.task.id, window)

    async def _stand_still(self, reason: Reason, message: str) -> bool:
        """Pauses until somebody resumes (True) or the wait is over (False): a pause on request then simply goes on."""
        self.deadline.stop()
        try:
            with self.changes.follow(self.task.id) as follower:
                told = self.redactor.text(message)
                landed = await self._surely(lambda: self.runs.pause(self.task, reason, told))
                if landed is None:
                    return True
                self._still_ours(landed)
                ends = asyncio.get_running_loop().time() + self.human_wait
                while (left := ends - asyncio.get_running_loop().time()) > 0:
                    await follower.changed(min(left, _LOOK_AGAIN_S))
                    row = await self._surely(lambda: self.runs.look(self.task))
                    self._still_ours(row is not None)
                    if row is not None and row.state is TaskState.PROCESSING:
                        return True
                return await self._surely(lambda: self.runs.unpause(self.task)) and reason == "requested"
        finally:
            self.deadline.go_on()

    def _still_ours(self, held: bool) -> None:
        if not held:
            raise asyncio.CancelledError  # the row was ended or given to nobody by others: there is nobody left to report to
