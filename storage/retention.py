"""What is kept, and for how long: finished tasks with everything about them, files, and small rows that nobody asks for any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select, tuple_
from sqlmodel import col

from storage.artifacts import ArtifactStore
from storage.database import Database
from storage.idempotency import IDEMPOTENCY_KEPT
from storage.rows import touched
from storage.states import FINAL
from storage.tables import Artifact, Idempotency, Schedule, Step, Tally, Task, now

_AT_ONCE = 200
"""So many tasks go in one transaction, so that nobody waits long for the write lock."""


class Retention:
    """Removes what is too old or too much."""

    def __init__(self, database: Database, artifacts: ArtifactStore) -> None:
        self._database = database
        self._artifacts = artifacts

    async def prune(self, *, older_than: datetime, most_bytes: int) -> int:
        """Removes tasks that ended before `older_than`, then the oldest ended ones until the files fit. Returns how many went."""
        gone = await self._remove_while(col(Task.finished_at) < older_than)
        while await self._bytes() > most_bytes:
            removed = await self._remove(col(Task.finished_at).is_not(None))
            gone += removed
            if not removed:
                break
        await self._remove_uploads(older_than)
        async with self._database.writing() as session:
            forgotten = col(Idempotency.created_at) < now() - IDEMPOTENCY_KEPT - timedelta(hours=1)
            await touched(session, delete(Idempotency).where(forgotten))
            await touched(session, delete(Tally).where(col(Tally.tasks) == 0))
        return gone

    async def _remove_while(self, which: ColumnElement[bool]) -> int:
        gone = 0
        while removed := await self._remove(which):
            gone += removed
        return gone

    async def _remove(self, which: ColumnElement[bool]) -> int:
        oldest = select(col(Task.id)).where(col(Task.state).in_(FINAL), which).order_by(col(Task.finished_at))
        async with self._database.writing() as session:
            if not self._database.sqlite:
                # Two at once would count the same tasks, and wait for each other's tallies; SQLite's writers queue up anyway.
                await session.execute(select(func.pg_advisory_xact_lock(func.hashtext("retention"))))
            ids: Sequence[str] = (await session.execute(oldest.limit(_AT_ONCE))).scalars().all()
            # Steps and artifacts go with their task by the foreign key; said here too, for a database without them switched on.
            await session.execute(delete(Step).where(col(Step.task_id).in_(ids)))
            await session.execute(delete(Artifact).where(col(Artifact.task_id).in_(ids)))
            await session.execute(delete(Task).where(col(Task.id).in_(ids)))
        for task_id in ids:
            await self._artifacts.forget(task_id)
        return len(ids)

    async def _remove_uploads(self, older_than: datetime) -> None:
        """Removes old uploads, but for those that a schedule's tasks will want (contract 3.7): of each name the newest."""
        mine = (col(Artifact.task_id).is_(None), col(Artifact.kind) == "upload")
        async with self._database.reading() as session:
            wanted = needed((await session.execute(select(Schedule))).scalars().all())
            named = tuple_(col(Artifact.owner), col(Artifact.name)).in_(wanted)
            arrived = select(Artifact).where(*mine, col(Artifact.stored), named).order_by(col(Artifact.created_at))
            newest = {(file.owner, file.name): file.id for file in (await session.execute(arrived)).scalars()}
            old = select(Artifact).where(*mine, col(Artifact.created_at) < older_than)
            uploads = (await session.execute(old)).scalars().all()
        gone = [file for file in uploads if newest.get((file.owner, file.name)) != file.id]
        for start in range(0, len(gone), _AT_ONCE):
            await self._artifacts.remove(gone[start : start + _AT_ONCE])

    async def _bytes(self) -> int:
        async with self._database.reading() as session:
            return (await session.execute(select(func.coalesce(func.sum(col(Artifact.size)), 0)))).scalar_one()


def needed(schedules: Sequence[Schedule]) -> list[tuple[str, str]]:
    """(owner, name) of each upload that these schedules' tasks use."""
    return [
        (schedule.owner, name)
        for schedule in schedules
        for name in schedule.options.get("options", {}).get("files", [])
    ]
