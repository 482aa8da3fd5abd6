"""What the rows add up to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import col

from storage.database import Database
from storage.states import TaskState
from storage.tables import Delivery, Task, Worker


class Counts:
    """Sums over the tables, for whoever watches the whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_state(self) -> Sequence[tuple[str, str, str, int]]:
        """(state, platform, engine, tasks)."""
        kinds = (col(Task.state), col(Task.platform), col(Task.engine))
        async with self._database.reading() as session:
            rows = await session.execute(select(*kinds, func.count()).group_by(*kinds))
            return [(TaskState(row[0]).value, row[1], row[2], row[3]) for row in rows.all()]

    async def waiting(self) -> Sequence[tuple[str, int, datetime]]:
        """(engine, pending tasks, when the oldest of them was created)."""
        wanted = select(col(Task.engine), func.count(), func.min(col(Task.created_at)))
        pending = wanted.where(col(Task.state) == TaskState.PENDING).group_by(col(Task.engine))
        async with self._database.reading() as session:
            return [(row[0], row[1], row[2]) for row in (await session.execute(pending)).all()]

    async def deliveries(self) -> Sequence[tuple[str, int]]:
        """(state, deliveries)."""
        async with self._database.reading() as session:
            rows = await session.execute(select(col(Delivery.state), func.count()).group_by(col(Delivery.state)))
            return [(row[0], row[1]) for row in rows.all()]

    async def workers(self) -> int:
        """How many workers have shown themselves."""
        async with self._database.reading() as session:
            return (await session.execute(select(func.count()).select_from(Worker))).scalar_one()

    async def versions(self) -> Sequence[tuple[str, int]]:
        """(version, workers of it)."""
        async with self._database.reading() as session:
            rows = await session.execute(select(col(Worker.version), func.count()).group_by(col(Worker.version)))
            return [(row[0], row[1]) for row in rows.all()]
