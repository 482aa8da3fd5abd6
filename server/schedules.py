"""Everything that any facade may ask of schedules, and what happens when one is due.

A due moment starts exactly one task, also with several workers and after a crash: the task is created under an idempotency key that
names schedule and moment, and only then the schedule moves on, from that very moment and no other. After a downtime one task makes up
for all the moments that were missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from server.auth import Caller
from server.idempotency import Fingerprints, once
from server.new_task import NewTask
from server.tasks import TaskService
from server.timing import TICK, Timing, first
from storage.idempotency import IdempotencyClash
from storage.ids import mint_uuid
from storage.keys import KeyStore
from storage.schedules import ScheduleStore
from storage.tables import Idempotency, Schedule, now
from storage.vault import Vault
from tools.errors import Failure, IdempotencyReused, NotFound, RateLimited

_EARLY_S = 5.0
"""A wake-up that comes so early is for the moment that is about to come: clocks of two machines differ."""
_LATE = timedelta(seconds=5)
_log = structlog.get_logger(__name__)


class ScheduleNotFound(NotFound):
    """Scheduled task not found"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSchedule:
    """A task that is to come again."""

    task: str
    timing: Timing
    asked: Mapping[str, Any]
    """The options as the caller sent them, to be shown."""
    options: Mapping[str, Any]
    """The options of each task (agent.orders.options_of)."""
    timeout_ms: int
    share: bool = False
    secrets: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed; a member that is not there stays as it is."""

    task: str | None = None
    timing: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Some of Timing's members."""
    active: bool | None = None
    asked: Mapping[str, Any] = field(default_factory=dict[str, Any])
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What replaces members of the options; None removes one."""
    labels: Mapping[str, str] | None = None


class ScheduleService:
    """Schedules, as every facade sees them. Those of another owner do not exist for the caller."""

    def __init__(self, schedules: ScheduleStore, tasks: TaskService, keys: KeyStore, vault: Vault) -> None:
        self._schedules = schedules
        self._tasks = tasks
        self._keys = keys
        self._vault = vault
        self._fingerprints = Fingerprints(vault)

    async def create(
        self, caller: Caller, new: NewSchedule, idempotency_key: str | None = None, request: Any = None
    ) -> Schedule:
        """A new schedule; `request`: the body as it was sent. Raises InvalidParameters or IdempotencyReused."""
        caller.need("write")
        new.timing.check()
        schedule = Schedule(
            id=mint_uuid(),
            owner=caller.owner,
            key_id=caller.key_id,
            task=new.task,
            kind=new.timing.kind,
            interval_minutes=new.timing.interval_minutes,
            cron=new.timing.cron,
            options={
                "asked": dict(new.asked),
                "options": dict(new.options),
                "timeout_ms": new.timeout_ms,
                "share": new.share,
            },
            secrets=self._vault.seal(new.secrets) if new.secrets else None,
            labels=dict(new.labels) if new.labels is not None else None,
            start_at=new.timing.start_at,
            end_at=new.timing.end_at,
            next_run_at=first(new.timing),
        )
        asked = request if request is not None else told(new)
        idempotency = self._once(caller, idempotency_key, asked, schedule.id)
        try:
            return await self._schedules.add(schedule, idempotency)
        except IdempotencyClash:
            raise IdempotencyReused from None

    async def answered(self, caller: Caller, idempotency_key: str | None, request: Any) -> Schedule | None:
        """The schedule that this very body created already under this key. Raises InvalidParameters or IdempotencyReused."""
        idempotency = self._once(caller, idempotency_key, request)
        if idempotency is None:
            return None
        try:
            return await self._schedules.answered(idempotency)
        except IdempotencyClash:
            raise IdempotencyReused from None

    def _once(self, caller: Caller, key: str | None, request: Any, subject: str = "") -> Idempotency | None:
        return once(caller, key, subject, self._fingerprints.of(["schedule", request]))

    async def get(self, caller: Caller, schedule_id: str) -> Schedule:
        """The caller's schedule. Raises ScheduleNotFound."""
        caller.need("read")
        return await self._mine(caller, schedule_id)

    async def _mine(self, caller: Caller, schedule_id: str) -> Schedule:
        schedule = await self._schedules.get(schedule_id, caller.owner)
        if schedule is None:
            raise ScheduleNotFound
        return schedule

    async def list(self, caller: Caller, *, limit: int, offset: int) -> tuple[Sequence[Schedule], int]:
        """One page, newest first, and how many there are."""
        caller.need("read")
        return await self._schedules.list(caller.owner, limit=limit, offset=offset)

    async def change(self, caller: Caller, schedule_id: str, change: Change) -> Schedule:
        """Changes a schedule; a new timing counts from now on. Raises ScheduleNotFound or InvalidParameters."""
        caller.need("write")
        schedule = await self._mine(caller, schedule_id)
        changed = await self._schedules.change(schedule.id, changed_columns(schedule, change))
        if changed is None:
            raise ScheduleNotFound
        return changed

    async def delete(self, caller: Caller, schedule_id: str) -> None:
        """Removes a schedule; what it has started goes on. Raises ScheduleNotFound."""
        caller.need("write")
        await self._schedules.delete((await self._mine(caller, schedule_id)).id)

    # -- when one is due ------------------------------------------------------------------------------------------------

    async def on_schedule(self, schedule_id: str) -> None:
        """A wake-up came: starts the task that is due. One that comes for nothing does nothing."""
        schedule = await self._due(schedule_id)
        while schedule is not None and schedule.next_run_at is not None:
            early = (schedule.next_run_at - now()).total_seconds()
            if early <= 0:
                await self._run(schedule, schedule.next_run_at)
                return
            if early > _EARLY_S:
                return  # it was changed since; the change has promised a wake-up of its own
            await asyncio.sleep(early)
            schedule = await self._due(schedule_id)

    async def audit(self) -> int:
        """Runs what is overdue because a wake-up was lost, nobody was there or the queue was full. Call it at start and now and then."""
        late = await self._schedules.overdue(now() - _LATE)
        for schedule_id in late:
            await self.on_schedule(schedule_id)
        return len(late)

    async def _due(self, schedule_id: str) -> Schedule | None:
        schedule = await self._schedules.get(schedule_id)
        return schedule if schedule is not None and schedule.active else None

    async def _run(self, schedule: Schedule, due: datetime) -> None:
        log = _log.bind(schedule=schedule.id, due=due.isoformat())
        try:
            created = await self._tasks.create(await self._caller(schedule), self._asked(schedule, due))
            log.info("schedule.ran", task=created.task.id, new=created.new)
        except RateLimited as failure:
            log.warning("schedule.postponed", code=failure.code)
            return  # the queue is full: the audit comes back to it
        except IdempotencyReused:
            log.info("schedule.ran_already")  # another worker, just before the schedule was changed
        except Failure as failure:
            log.warning("schedule.failed", code=failure.code, error=failure.message)
        await self._schedules.advance(schedule.id, due, Timing.of(schedule).following(max(due, now())))

    async def _caller(self, schedule: Schedule) -> Caller:
        key = await self._keys.get(schedule.key_id) if schedule.key_id is not None else None
        return Caller(
            key_id=schedule.key_id or schedule.id,
            owner=schedule.owner,
            scopes=frozenset({"write"}),
            settings=key.settings if key is not None else {},
        )

    def _asked(self, schedule: Schedule, due: datetime) -> NewTask:
        return NewTask(
            dialect="schedule",
            platform="browser",
            tool="runTask",
            parameters={"task": schedule.task},
            options=schedule.options["options"],
            timeout_ms=schedule.options["timeout_ms"],
            most_timeout_ms=schedule.options["timeout_ms"],
            secrets=self._vault.unseal(schedule.secrets) if schedule.secrets is not None else None,
            labels=schedule.labels,
            schedule_id=schedule.id,
            share=schedule.options["share"],
            idempotency_key=f"schedule {schedule.id} {due.isoformat()}",
            merge=False,  # the same task again is the very point
        )


def told(new: NewSchedule) -> list[Any]:
    """Everything that makes it this very schedule; a start that nobody named is none."""
    timing = [new.timing.kind, new.timing.interval_minutes, new.timing.cron]
    return [new.task, timing, new.asked, new.options, new.share, new.secrets, new.labels]


def changed_columns(schedule: Schedule, change: Change) -> dict[str, Any]:
    """The columns that a change touches. Raises InvalidParameters."""
    values: dict[str, Any] = {}
    if change.task is not None:
        values["task"] = change.task
    if change.labels is not None:
        values["labels"] = dict(change.labels) or None
    if change.asked or change.options:
        values["options"] = {
            **schedule.options,
            "asked": {**schedule.options["asked"], **change.asked},
            "options": merged(schedule.options["options"], change.options),
        }
    if change.timing or change.active not in {None, schedule.active}:
        values |= timing_columns(schedule, change)
    return values


def timing_columns(schedule: Schedule, change: Change) -> dict[str, Any]:
    """The columns of a timing that changes, with the moment it is due next."""
    values = dict(change.timing)
    timing = replace(Timing.of(schedule), **values)
    timing.check()
    active = schedule.active if change.active is None else change.active
    due = timing.following(max(now(), timing.start_at - TICK))
    return {**values, "active": active, "next_run_at": due if active else None}


def merged(options: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The options with the changes; None removes one."""
    return {name: value for name, value in {**options, **changes}.items() if value is not None}
