"""Schedules: tasks that come again. Each change promises the wake-up that follows from it in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage.database import Database
from storage.idempotency import answer_of, answered
from storage.rows import touched
from storage.tables import Idempotency, Schedule, now


class Alarm(Protocol):
    """Wakes a worker at a moment, whatever happens in between."""

    async def fire(self, session: AsyncSession, schedule_id: str, when: datetime) -> None:
        """The schedule is to be looked at then."""
        ...


class ScheduleStore:
    """What may be asked of the schedule rows. `owner` None means anybody's."""

    def __init__(self, database: Database, alarm: Alarm) -> None:
        self._database = database
        self._alarm = alarm

    async def add(self, schedule: Schedule, idempotency: Idempotency | None = None) -> Schedule:
        """Stores a new schedule, or gives back the one that answers the request already. Raises IdempotencyClash."""
        try:
            return await self._add(schedule, idempotency)
        except IntegrityError:
            if idempotency is None:
                raise
            return await self._add(schedule, idempotency)  # the same request at the same moment was first

    async def _add(self, schedule: Schedule, idempotency: Idempotency | None) -> Schedule:
        async with self._database.writing() as session:
            known = await answered(session, idempotency, Schedule) if idempotency is not None else None
            if known is None:
                session.add(schedule)
                await session.flush()
                await self._promise(session, schedule)
            return known or schedule

    async def answered(self, idempotency: Idempotency) -> Schedule | None:
        """The schedule that was created under this idempotency key already. Raises IdempotencyClash."""
        async with self._database.reading() as session:
            return await answer_of(session, idempotency, Schedule)

    async def get(self, schedule_id: str, owner: str | None = None) -> Schedule | None:
        """The schedule, if the owner has it."""
        async with self._database.reading() as session:
            schedule = await session.get(Schedule, schedule_id)
        return schedule if schedule is not None and owner in (None, schedule.owner) else None

    async def list(self, owner: str, *, limit: int, offset: int) -> tuple[Sequence[Schedule], int]:
        """One page, newest first, and how many there are."""
        mine = col(Schedule.owner) == owner
        page = select(Schedule).where(mine).order_by(col(Schedule.created_at).desc(), col(Schedule.id).desc())
        async with self._database.reading() as session:
            total = (await session.execute(select(func.count()).select_from(Schedule).where(mine))).scalar_one()
            return (await session.execute(page.limit(limit).offset(offset))).scalars().all(), total

    async def change(self, schedule_id: str, values: Mapping[str, Any]) -> Schedule | None:
        """Changes the named columns. None: it is gone."""
        async with self._database.writing() as session:
            schedule = await session.get(Schedule, schedule_id, with_for_update=True)
            if schedule is None:
                return None
            for name, value in values.items():
                setattr(schedule, name, value)
            schedule.updated_at = now()
            await session.flush()
            if "next_run_at" in values:
                await self._promise(session, schedule)
        return schedule

    async def advance(self, schedule_id: str, due: datetime, following: datetime | None) -> bool:
        """The run that was due then is on its way: the next one is `following`. False: somebody else said so, or it was changed."""
        mine = (col(Schedule.id) == schedule_id, col(Schedule.next_run_at) == due, col(Schedule.active))
        async with self._database.writing() as session:
            hit = await touched(session, update(Schedule).where(*mine).values(next_run_at=following))
            if hit and following is not None:
                await self._alarm.fire(session, schedule_id, following)
        return bool(hit)

    async def overdue(self, before: datetime) -> Sequence[str]:
        """Which schedules should have run before that moment: their wake-ups were lost, or nobody was there."""
        late = select(col(Schedule.id)).where(col(Schedule.active), col(Schedule.next_run_at) < before)
        async with self._database.reading() as session:
            return (await session.execute(late.order_by(col(Schedule.next_run_at)))).scalars().all()

    async def delete(self, schedule_id: str) -> None:
        """Removes it; what it has started goes on."""
        async with self._database.writing() as session:
            await session.execute(delete(Schedule).where(col(Schedule.id) == schedule_id))

    async def _promise(self, session: AsyncSession, schedule: Schedule) -> None:
        if schedule.active and schedule.next_run_at is not None:
            await self._alarm.fire(session, schedule.id, schedule.next_run_at)
