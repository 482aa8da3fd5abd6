"""What a worker does with tasks: claim, report, end; and what is done for a worker that died.

Every verb of a run carries the token that the claim gave out. Who no longer holds it changes nothing: the verb returns False (or None).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import PurePath
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from storage.changes import QUEUE
from storage.database import Database, tell
from storage.rows import end, locked, touched, unpause
from storage.states import HELD, TaskState
from storage.tables import Account, Artifact, Step, Task, Worker, now
from storage.tasks import Outbox

Ending = Mapping[str, Any]
WRITES = ("publish", "engage", "delete")
_LONGEST_REST = timedelta(days=1)
"""Older acts are not looked at: no site's spacing is longer, nor is a task's time between its act and its end."""


def _next_of_an_engine() -> Select[Task]:
    """The next task of `:engine` that may run at `:moment`; acts before `:oldest` are not looked at.

    Made once: the aliases of so wide a table take longer to build than the query takes to run.
    """
    other, acted = aliased(Task), aliased(Task)
    busy = exists().where(
        col(other.account_id) == col(Task.account_id),
        col(other.writes),
        col(other.worker_id).is_not(None),
        col(other.state).in_(HELD),
    )
    # The last act's own row says until when the account rests: so it does for tasks that are created or approved later, too.
    resting = exists().where(
        col(acted.account_id) == col(Task.account_id),
        col(acted.effect).in_(WRITES),
        col(acted.armed_at) > bindparam("oldest"),
        col(acted.not_before) > bindparam("moment"),
    )
    return (
        select(Task)
        .where(
            col(Task.state) == TaskState.PENDING,
            col(Task.engine) == bindparam("engine"),
            or_(col(Task.account_id).is_(None), ~col(Task.writes), ~(busy | resting)),
        )
        .order_by(col(Task.priority), col(Task.created_at), col(Task.id))
        .limit(1)
    )


_next = _next_of_an_engine()


class RunStore:
    """What a worker may do with the task rows."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox
        self._next = _next if database.sqlite else _next.with_for_update(skip_locked=True)

    # -- claiming -----------------------------------------------------------------------------------------------------

    async def claim(self, worker_id: str, engine: str, *, everywhere: int | None = None) -> Task | None:
        """Takes the next task of an engine that may run now: none that begins twice, one write at a time per account.

        `everywhere`: how many of this engine may be held by all workers together (None: no limit).
        """
        try:
            async with self._database.writing() as session:
                return await self._claim(session, worker_id, engine, everywhere)
        except IntegrityError:
            return None  # another worker took a task of the same account at this very moment; its end wakes the queue

    async def _claim(self, session: AsyncSession, worker_id: str, engine: str, everywhere: int | None) -> Task | None:
        if everywhere is not None and await self._held_everywhere(session, engine) >= everywhere:
            return None
        moment = now()
        sought = {"engine": engine, "moment": moment, "oldest": moment - _LONGEST_REST}
        task = (await session.scalars(self._next, sought)).first()
        if task is None:
            return None
        task.state, task.worker_id, task.token = TaskState.PROCESSING, worker_id, secrets.token_hex(16)
        task.started_at, task.progress_word = (
            max(now(), task.created_at),
            "starting",
        )  # the clock may have been set back
        if task.account_id is not None:
            await session.execute(update(Account).where(col(Account.id) == task.account_id).values(last_used_at=now()))
        await session.flush()
        await self._outbox.happened(session, task)
        tell(session, task.id)
        return task

    async def give_back(self, task: Task) -> bool:
        """Makes a claimed task pending again, before anything of it has begun."""
        async with self._database.writing() as session:
            held = await self._held(session, task)
            if held is None:
                return False
            if held.cancel_wanted:
                await self._finish(session, held, TaskState.CANCELLED, {})
                return True
            held.state, held.worker_id, held.token = TaskState.PENDING, None, None
            held.started_at, held.progress_word = None, "queued"
            await session.flush()
            await self._outbox.ready(session, held)
            tell(session, task.id)
        return True

    async def _held_everywhere(self, session: AsyncSession, engine: str) -> int:
        if not self._database.sqlite:
            await session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"claim {engine}"))))
        held = select(func.count()).where(
            col(Task.engine) == engine, col(Task.state).in_(HELD), col(Task.worker_id).is_not(None)
        )
        return (await session.execute(held)).scalar_one()

    # -- while it runs ------------------------------------------------------------------------------------------------

    async def progress(self, task: Task, word: str, percentage: int) -> bool:
        """Says where the run stands."""
        return await self._change(task, progress_word=word, progress_percentage=percentage)

    async def step(self, task: Task, step: Step, screenshot: Artifact | None) -> int | None:
        """Records a finished step under the next number, which it returns."""
        async with self._database.writing() as session:
            held = await self._held(session, task)
            if held is None:
                return None
            held.step_count += 1
            held.tokens += step.tokens
            held.cost += step.cost
            step.sequence = held.step_count
            if screenshot is not None:
                screenshot.step = step.sequence
                # Whoever saves it must know whose and which it is (contract 3.7).
                screenshot.name = f"{task.id}-step-{step.sequence}{PurePath(screenshot.name).suffix}"
                session.add(screenshot)
                await session.flush()
            session.add(step)
            tell(session, task.id)
            return step.sequence

    async def arm(self, task: Task) -> bool:
        """Records that the publishing act is about to go out. From here on the task is never simply repeated."""
        return await self._change(task, armed_at=now())

    async def switch(self, task: Task, engine: str) -> bool:
        """Records that another engine carries on."""
        return await self._change(task, engine=engine)

    async def pause(self, task: Task, reason: str, message: str) -> bool | None:
        """The run stands still until somebody resumes it. None: the pause that was requested is not wanted any more.

        "requested" stands for the reason and message of whoever asked for the pause.
        """
        async with self._database.writing() as session:
            held = await self._held(session, task)
            if held is None:
                return False
            if reason == "requested":
                if not held.pause_wanted:
                    return None
                reason, message = held.pause_reason or reason, held.pause_message or message
            held.state, held.pause_wanted, held.paused_at = TaskState.PAUSED, False, now()
            held.pause_reason, held.pause_message = reason, message
            await self._outbox.happened(session, held)
            tell(session, task.id)
        return True

    async def unpause(self, task: Task) -> bool:
        """The run goes on by itself: nobody came."""
        async with self._database.writing() as session:
            held = await self._held(session, task)
            if held is None:
                return False
            if held.state is TaskState.PAUSED:
                unpause(held, TaskState.PROCESSING)
                await self._outbox.happened(session, held)
                tell(session, task.id)
        return True

    async def look(self, task: Task) -> Task | None:
        """The row as it is now, if the run still holds it."""
        async with self._database.reading() as session:
            found = await session.get(Task, task.id)
        return found if found is not None and found.token == task.token and found.state in HELD else None

    async def _change(self, task: Task, **values: Any) -> bool:
        mine = (col(Task.id) == task.id, col(Task.token) == task.token, col(Task.state).in_(HELD))
        async with self._database.writing() as session:
            hit = await touched(session, update(Task).where(*mine).values(**values))
            tell(session, task.id)
        return bool(hit)

    @staticmethod
    async def _held(session: AsyncSession, task: Task) -> Task | None:
        held = await locked(session, task.id)
        return held if held is not None and held.token == task.token and held.state in HELD else None

    # -- how it ends --------------------------------------------------------------------------------------------------

    async def complete(
        self, task: Task, result: Ending, *, spacing: float = 0, browser_data: bytes | None = None
    ) -> bool:
        """It was done, and proved."""
        return await self._end(
            task, TaskState.COMPLETED, spacing, result=dict(result), browser_data=browser_data, progress_percentage=100
        )

    async def fail(self, task: Task, error: Ending, *, spacing: float = 0) -> bool:
        """It was not done, or nobody knows."""
        return await self._end(task, TaskState.FAILED, spacing, error=dict(error))

    async def time_out(self, task: Task, error: Ending, *, spacing: float = 0) -> bool:
        """Its deadline passed."""
        return await self._end(task, TaskState.TIMEOUT, spacing, error=dict(error))

    async def cancelled(self, task: Task, error: Ending | None = None, *, spacing: float = 0) -> bool:
        """It was ended because somebody asked for that; `error` says so when its publishing act may have gone out before."""
        return await self._end(task, TaskState.CANCELLED, spacing, error=dict(error) if error is not None else None)

    async def _end(self, task: Task, state: TaskState, spacing: float, **values: Any) -> bool:
        async with self._database.writing() as session:
            held = await self._held(session, task)
            if held is None:
                return False
            await self._finish(session, held, state, values, spacing)
        return True

    async def _finish(
        self, session: AsyncSession, task: Task, state: TaskState, values: Mapping[str, Any], spacing: float = 0
    ) -> None:
        end(task, state)
        for name, value in values.items():
            setattr(task, name, value)
        await session.flush()
        await self._hand_on(session, task, spacing)
        await self._outbox.happened(session, task)
        tell(session, task.id)
        tell(session, QUEUE)

    async def _hand_on(self, session: AsyncSession, task: Task, spacing: float) -> None:
        """Wakes the account's next task, which may have found it busy; after an act, the account rests for its site's spacing."""
        if task.account_id is None or not task.writes:
            return
        if task.armed_at is not None and spacing:
            task.not_before = now() + timedelta(seconds=spacing)
        waiting = and_(col(Task.account_id) == task.account_id, col(Task.state) == TaskState.PENDING, col(Task.writes))
        first = select(Task).where(waiting).order_by(col(Task.priority), col(Task.created_at)).limit(1)
        following = (await session.execute(first)).scalar_one_or_none()
        if following is not None:
            await self._outbox.ready(session, following)

    # -- workers ------------------------------------------------------------------------------------------------------

    async def beat(self, worker: Worker) -> None:
        """Shows that the worker lives."""
        async with self._database.writing() as session:
            known = await session.get(Worker, worker.id)
            if known is None:
                session.add(worker.model_copy(update={"beat_at": now(), "started_at": now()}))
                await session.flush()
            await session.execute(
                update(Worker)
                .where(col(Worker.id) == worker.id)
                .values(beat_at=self._clock(), draining=worker.draining, address=worker.address)
            )

    async def leave(self, worker_id: str) -> None:
        """The worker is gone, and holds nothing any more."""
        async with self._database.writing() as session:
            await session.execute(delete(Worker).where(col(Worker.id) == worker_id))

    async def workers(self) -> Sequence[Worker]:
        """Every worker that has shown itself."""
        async with self._database.reading() as session:
            return (await session.execute(select(Worker).order_by(col(Worker.started_at)))).scalars().all()

    async def signals(self, worker_id: str) -> Sequence[tuple[str, bool, bool]]:
        """(task id, cancel wanted, pause wanted) of what the worker holds."""
        wanted = select(col(Task.id), col(Task.cancel_wanted), col(Task.pause_wanted)).where(
            col(Task.worker_id) == worker_id, col(Task.state).in_(HELD)
        )
        async with self._database.reading() as session:
            return [(row[0], row[1], row[2]) for row in (await session.execute(wanted)).all()]

    async def reap(self, lease: float, error_of: Callable[[Task], Ending], *, reaper: str = "") -> list[str]:
        """Fails the tasks of workers that showed no life for `lease` seconds, and forgets those workers. Returns the tasks' ids.

        `reaper`: the worker that asks, which lives, whatever a clock that jumped makes of its last beat.
        """
        silent = self._clock() - timedelta(seconds=lease)
        async with self._database.writing() as session:
            alive = select(col(Worker.id)).where(or_(col(Worker.beat_at) >= silent, col(Worker.id) == reaper))
            lost = col(Task.state).in_(HELD) & col(Task.worker_id).is_not(None) & col(Task.worker_id).not_in(alive)
            ids = await self._fail_all(session, lost, error_of)
            await session.execute(delete(Worker).where(col(Worker.beat_at) < silent, col(Worker.id) != reaper))
        return ids

    async def drop(self, worker_id: str, task_ids: Sequence[str], error_of: Callable[[Task], Ending]) -> list[str]:
        """Fails tasks that the worker's rows say it holds while it does not."""
        async with self._database.writing() as session:
            mine = (col(Task.worker_id) == worker_id) & col(Task.state).in_(HELD) & col(Task.id).in_(task_ids)
            return await self._fail_all(session, mine, error_of)

    async def _fail_all(
        self, session: AsyncSession, which: ColumnElement[bool], error_of: Callable[[Task], Ending]
    ) -> list[str]:
        query = select(Task).where(which)
        tasks = (await session.execute(query if self._database.sqlite else query.with_for_update())).scalars().all()
        for task in tasks:
            await self._finish(session, task, TaskState.FAILED, {"error": dict(error_of(task)), "token": None})
        return [task.id for task in tasks]

    def _clock(self) -> Any:
        """The database's clock where workers are on several machines, whose own clocks may differ."""
        return now() if self._database.sqlite else func.clock_timestamp()
