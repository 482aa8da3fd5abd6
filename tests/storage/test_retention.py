"""What goes after a while, and what stays because something still needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from storage.artifacts import ArtifactStore, new_artifact
from storage.database import Database
from storage.retention import Retention
from storage.schedules import ScheduleStore
from storage.states import TaskState
from storage.tables import Artifact, Schedule, Tally, Task, now

pytestmark = pytest.mark.anyio
LONG_AGO = now() - timedelta(days=40)
MUCH = 2**40


class NoAlarm:
    async def fire(self, session: Any, schedule_id: str, when: Any) -> None: ...


@pytest.fixture
def artifacts(database: Database, tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(database, tmp_path / "artifacts")


async def uploaded(artifacts: ArtifactStore, owner: str, name: str, days_ago: float) -> Artifact:
    row = new_artifact(owner, None, "upload", name, "text/csv")
    row.created_at = now() - timedelta(days=days_ago)
    return await artifacts.add(await artifacts.keep(row, b"a,b"))


def a_schedule(owner: str, *files: str) -> Schedule:
    options = {"asked": {}, "options": {"files": list(files)}, "timeout_ms": 1000, "share": False}
    ends = now() + timedelta(days=300)
    return Schedule(id=f"for {owner}", owner=owner, task="x", kind="interval", options=options, end_at=ends)


async def prune(database: Database, artifacts: ArtifactStore) -> int:
    return await Retention(database, artifacts).prune(older_than=now() - timedelta(days=30), most_bytes=MUCH)


async def test_an_upload_stays_as_long_as_a_schedule_uses_it(database: Database, artifacts: ArtifactStore) -> None:
    replaced = await uploaded(artifacts, "alice", "orders.csv", 90)
    used = await uploaded(artifacts, "alice", "orders.csv", 60)
    unused = await uploaded(artifacts, "alice", "other.csv", 60)
    anothers = await uploaded(artifacts, "bob", "orders.csv", 60)
    young = await uploaded(artifacts, "alice", "young.csv", 1)
    announced = new_artifact("alice", None, "upload", "orders.csv", "text/csv")
    announced.stored, announced.created_at = False, now() - timedelta(days=50)
    await artifacts.add(announced)
    schedules = ScheduleStore(database, NoAlarm())
    await schedules.add(a_schedule("alice", "orders.csv", "never-came.csv"))

    await prune(database, artifacts)
    kept = {file.id for file in (used, young) if await artifacts.get(file.id) is not None}
    assert kept == {used.id, young.id}
    assert artifacts.path(used).read_bytes() == b"a,b"
    for file in (replaced, unused, anothers, announced):
        assert await artifacts.get(file.id) is None, file.name
        assert not artifacts.path(file).exists()

    await schedules.delete("for alice")
    await prune(database, artifacts)
    assert await artifacts.get(used.id) is None
    assert not artifacts.path(used).exists()
    assert await artifacts.get(young.id) is not None


async def test_finished_tasks_go_and_their_tally_with_them(
    database: Database, artifacts: ArtifactStore, task: Callable[..., Task]
) -> None:
    async with database.writing() as session:
        session.add_all([task(state=TaskState.COMPLETED, finished_at=LONG_AGO) for _ in range(3)])
        session.add(task(owner="bob"))
    assert await prune(database, artifacts) == 3
    async with database.reading() as session:
        left = (await session.execute(select(Tally))).scalars().all()
    assert [(tally.owner, tally.tasks) for tally in left] == [("bob", 1)]


async def test_two_that_prune_at_once_share_the_work(
    database: Database, artifacts: ArtifactStore, task: Callable[..., Task]
) -> None:
    async with database.writing() as session:
        for number in range(40):
            owner = ("alice", "bob")[number % 2]
            session.add(task(owner=owner, state=TaskState.COMPLETED, created_at=LONG_AGO, finished_at=LONG_AGO))
    gone = [await one for one in asyncio.as_completed([prune(database, artifacts) for _ in range(4)])]
    assert sum(gone) == 40
