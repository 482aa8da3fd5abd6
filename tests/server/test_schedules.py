"""A due moment starts exactly one task: with several workers, after a crash, after a downtime, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import make_url, update
from sqlmodel import col

from agent.queue import Queue
from server.auth import Caller
from server.guards import TaskLimits
from server.schedules import Change, NewSchedule, ScheduleNotFound, ScheduleService
from server.tasks import TaskService
from server.timing import Timing
from storage.accounts import AccountStore
from storage.artifacts import ArtifactStore
from storage.database import Database
from storage.filters import TaskFilter
from storage.ids import mint
from storage.keys import KeyStore
from storage.schedules import ScheduleStore
from storage.tables import Schedule, Task, now
from storage.tasks import TaskStore
from storage.vault import Vault
from tools.catalog import catalog

pytestmark = pytest.mark.anyio


class DyingStore(ScheduleStore):
    """The process dies after the task was made and before the schedule moved on, as often as `deaths` says."""

    deaths = 0

    async def advance(self, schedule_id: str, due: datetime, following: datetime | None) -> bool:
        if self.deaths:
            self.deaths -= 1
            raise ConnectionError
        return await super().advance(schedule_id, due, following)


@dataclass
class Stage:
    """Schedules and tasks over one database."""

    database: Database
    caller: Caller
    store: DyingStore
    tasks: TaskService
    service: ScheduleService

    async def schedule(self, **given: Any) -> Schedule:
        """An hourly schedule that is due now."""
        moment = now()
        timing: dict[str, Any] = {
            "kind": "interval",
            "interval_minutes": 60,
            "cron": None,
            "start_at": moment,
            "end_at": moment + timedelta(days=365),
        }
        new = NewSchedule(
            task="Report the title",
            timing=Timing(**{name: given.pop(name, value) for name, value in timing.items()}),
            asked={},
            options={"max_steps": 5},
            timeout_ms=600_000,
            **given,
        )
        return await self.service.create(self.caller, new)

    async def look(self, schedule: Schedule) -> Schedule:
        return await self.service.get(self.caller, schedule.id)

    async def runs(self, schedule: Schedule) -> list[Task]:
        rows, _ = await self.tasks.list(self.caller, TaskFilter(schedule_id=schedule.id), limit=100)
        return list(rows)

    async def pass_time(self, schedule: Schedule, span: timedelta) -> None:
        """As if that much time had gone by without anybody there."""
        row = await self.look(schedule)
        assert row.next_run_at is not None
        moved = {name: getattr(row, name) - span for name in ("start_at", "next_run_at")}
        async with self.database.writing() as session:
            await session.execute(update(Schedule).where(col(Schedule.id) == row.id).values(**moved))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def promised(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[tuple[Database, Queue]]:
    """A database of each kind and its queue, one for all tests: each is an owner of its own."""
    folder = tmp_path_factory.mktemp("data")
    url = f"sqlite:///{folder / 'webhand.db'}"
    if request.param == "postgresql":
        server: str = request.getfixturevalue("postgres")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("CREATE DATABASE webhand_schedules")
        url = make_url(server).set(database="webhand_schedules").render_as_string(hide_password=False)
    database = Database(url)
    await database.open()
    queue = Queue(database)
    await queue.open()
    yield database, queue
    await queue.close()
    await database.close()


@pytest.fixture
def stage(promised: tuple[Database, Queue], tmp_path: Path) -> Stage:
    return staged(*promised, tmp_path, TaskLimits())


def staged(database: Database, queue: Queue, folder: Path, limits: TaskLimits) -> Stage:
    vault = Vault([Fernet.generate_key().decode()])
    tasks = TaskService(
        database,
        TaskStore(database, queue),
        AccountStore(database),
        ArtifactStore(database, folder),
        vault,
        catalog(),
        limits,
    )
    store = DyingStore(database, queue)
    owner = mint("owner")
    caller = Caller(f"key of {owner}", owner, frozenset({"read", "write"}))
    return Stage(database, caller, store, tasks, ScheduleService(store, tasks, KeyStore(database), vault))


async def test_a_due_schedule_starts_a_task_with_everything_that_was_asked_for(stage: Stage) -> None:
    schedule = await stage.schedule(secrets={"pin": "1234"}, labels={"customer": "42"}, share=True)
    await stage.service.on_schedule(schedule.id)
    (task,) = await stage.runs(schedule)
    assert (task.owner, task.dialect, task.tool, task.schedule_id) == (
        stage.caller.owner,
        "schedule",
        "runTask",
        schedule.id,
    )
    assert (task.parameters, task.options, task.labels) == (
        {"task": "Report the title"},
        {"max_steps": 5},
        {"customer": "42"},
    )
    assert task.secrets is not None
    assert task.share_token is not None
    assert task.timeout_ms == 600_000
    after = await stage.look(schedule)
    assert after.next_run_at == schedule.start_at + timedelta(hours=1)


async def test_many_wake_ups_at_once_start_one_task(stage: Stage) -> None:
    schedule = await stage.schedule()
    await asyncio.gather(*(stage.service.on_schedule(schedule.id) for _ in range(6)))
    assert len(await stage.runs(schedule)) == 1


async def test_a_crash_between_the_task_and_the_next_moment_starts_no_second_task(stage: Stage) -> None:
    schedule = await stage.schedule()
    stage.store.deaths = 1
    with pytest.raises(ConnectionError):
        await stage.service.on_schedule(schedule.id)
    assert len(await stage.runs(schedule)) == 1
    await stage.service.on_schedule(schedule.id)
    assert len(await stage.runs(schedule)) == 1
    assert (await stage.look(schedule)).next_run_at == schedule.start_at + timedelta(hours=1)


async def test_after_a_downtime_one_task_makes_up_for_all_that_was_missed(stage: Stage) -> None:
    schedule = await stage.schedule()
    await stage.pass_time(schedule, timedelta(days=3, minutes=20))
    await stage.service.audit()
    await stage.service.audit()
    assert len(await stage.runs(schedule)) == 1
    due = (await stage.look(schedule)).next_run_at
    assert due is not None
    assert now() < due < now() + timedelta(hours=1)


async def test_a_full_queue_postpones_a_run_and_loses_none(promised: tuple[Database, Queue], tmp_path: Path) -> None:
    database, queue = promised
    waiting_already = (await TaskStore(database, queue).waiting()).get("full", 0)
    stage = staged(database, queue, tmp_path, TaskLimits(max_pending=waiting_already + 3))
    many = [await stage.schedule() for _ in range(4)]
    for schedule in many:
        await stage.service.on_schedule(schedule.id)
    waiting = [schedule for schedule in many if not await stage.runs(schedule)]
    assert len(waiting) == 1
    (task,) = await stage.runs(next(schedule for schedule in many if schedule is not waiting[0]))
    await stage.tasks.cancel(stage.caller, task.id)
    await stage.service.on_schedule(waiting[0].id)
    assert len(await stage.runs(waiting[0])) == 1


async def test_a_wake_up_for_another_moment_does_nothing(stage: Stage) -> None:
    schedule = await stage.schedule(start_at=now() + timedelta(hours=1))
    await stage.service.on_schedule(schedule.id)
    await stage.service.on_schedule("schedule_of_nobody")
    assert await stage.runs(schedule) == []


async def test_a_schedule_that_is_not_active_or_gone_starts_nothing_and_what_it_started_goes_on(stage: Stage) -> None:
    schedule = await stage.schedule()
    still = await stage.service.change(stage.caller, schedule.id, Change(active=False))
    assert still.next_run_at is None
    await stage.service.on_schedule(schedule.id)
    assert await stage.runs(schedule) == []
    again = await stage.service.change(stage.caller, schedule.id, Change(active=True))
    assert again.next_run_at == schedule.start_at + timedelta(hours=1), "what passed meanwhile is not made up for"
    await stage.pass_time(schedule, timedelta(hours=1))
    await stage.service.on_schedule(schedule.id)
    await stage.service.delete(stage.caller, schedule.id)
    await stage.service.on_schedule(schedule.id)
    (task,) = await stage.runs(schedule)
    assert not task.state.final
    with pytest.raises(ScheduleNotFound):
        await stage.look(schedule)


async def test_the_last_moment_is_run_and_then_it_is_over(stage: Stage) -> None:
    moment = now()
    schedule = await stage.schedule(start_at=moment, end_at=moment + timedelta(minutes=30))
    await stage.service.on_schedule(schedule.id)
    assert len(await stage.runs(schedule)) == 1
    assert (await stage.look(schedule)).next_run_at is None


async def test_a_change_of_timing_counts_from_now_on(stage: Stage) -> None:
    schedule = await stage.schedule(start_at=now() + timedelta(hours=5))
    changed = await stage.service.change(
        stage.caller, schedule.id, Change(timing={"start_at": now() - timedelta(minutes=90), "interval_minutes": 40})
    )
    assert changed.next_run_at is not None
    assert timedelta(minutes=29) < changed.next_run_at - now() <= timedelta(minutes=30)
    assert changed.updated_at > schedule.updated_at
    same = await stage.service.change(stage.caller, schedule.id, Change(task="Another", options={"max_steps": None}))
    assert (same.task, same.options["options"], same.next_run_at) == ("Another", {}, changed.next_run_at)
