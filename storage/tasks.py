"""Tasks as callers see them: asked for, looked at, cancelled, paused, approved. What a worker does with one is in `runs`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import func, or_, select, true, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from storage.changes import QUEUE
from storage.database import Database, tell
from storage.filters import NEWEST, TaskFilter, matching, page_of
from storage.idempotency import answer_of, answered
from storage.rows import end, locked, unpause
from storage.states import OPEN, TaskState
from storage.tables import Idempotency, Step, Tally, Task, Worker, now


class Outbox(Protocol):
    """What must be promised in the same transaction as a change of a task."""

    async def ready(self, session: AsyncSession, task: Task) -> None:
        """The task can be claimed: some worker must wake up."""
        ...

    async def happened(self, session: AsyncSession, task: Task) -> None:
        """The task's state changed: webhooks may be owed."""
        ...


class TaskStore:
    """What a facade may ask of the task rows."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    async def add(
        self,
        task: Task,
        idempotency: Idempotency | None = None,
        *,
        merge: bool = False,
        most: int | None = None,
        allowed: Callable[[AsyncSession], Awaitable[None]] | None = None,
    ) -> Task:
        """Stores the task and wakes a worker, in one transaction; or gives back the task that already answers the request.

        With `idempotency` that is the task created under the same key; with `merge` an identical one (same key_id and request_hash)
        that is not finished yet. Compare `id`s to know. An idempotency key used for another request raises IdempotencyClash.
        Where `most` tasks of its engine are pending already, a new one raises QueueFull, however many come at once.
        `allowed` looks, inside the same transaction, whether the account may have one more, and raises where not: of requests that come
        at the same moment each sees those before it.
        """
        async with self._database.writing() as session:
            if not self._database.sqlite:
                # Two identical requests at the same moment must meet: SQLite's writers queue up anyway.
                await session.execute(select(func.pg_advisory_xact_lock(func.hashtext(task.key_id or task.owner))))
            earlier = await self._earlier(session, task, idempotency, merge=merge)
            if earlier is not None:
                return earlier
            if allowed is not None:
                if not self._database.sqlite:
                    await session.execute(select(func.pg_advisory_xact_lock(func.hashtext(task.account_id))))
                await allowed(session)
            if most is not None:
                await self._admit(session, task.engine, most)
            session.add(task)
            await session.flush()
            await self._outbox.happened(session, task)
            if task.state is TaskState.PENDING:
                await self._outbox.ready(session, task)
                tell(session, QUEUE)
        return task

    async def _admit(self, session: AsyncSession, engine: str, most: int) -> None:
        pending = select(func.count()).where(col(Task.state) == TaskState.PENDING, col(Task.engine) == engine)
        waiting = (await session.execute(pending)).scalar_one()
        if not self._database.sqlite and most - _CLOSE <= waiting < most:
            # Near the limit creates come one after the other, or many at once would all see the same free place.
            await session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"admit {engine}"))))
            waiting = (await session.execute(pending)).scalar_one()
        if waiting >= most:
            raise QueueFull

    async def answered(self, idempotency: Idempotency) -> Task | None:
        """The task that was created under this idempotency key already. Raises IdempotencyClash."""
        async with self._database.reading() as session:
            return await answer_of(session, idempotency, Task)

    async def _earlier(
        self, session: AsyncSession, task: Task, idempotency: Idempotency | None, *, merge: bool
    ) -> Task | None:
        if idempotency is not None:
            known = await answered(session, idempotency, Task)
            if known is not None:
                return known
        if not merge:
            return None
        wanted = select(Task).where(
            col(Task.key_id) == task.key_id,
            col(Task.request_hash) == task.request_hash,
            col(Task.state).in_(OPEN),
        )
        same = (await session.execute(wanted.limit(1))).scalar_one_or_none()
        if same is not None and idempotency is not None:
            idempotency.subject = same.id  # it answers this key's request from now on, also once it has ended
        return same

    async def get(self, task_id: str, owner: str | None = None) -> Task | None:
        """The task, if the owner (None: anybody) has it."""
        async with self._database.reading() as session:
            task = await session.get(Task, task_id)
        return task if task is not None and owner in (None, task.owner) else None

    async def by_share(self, share_token: str) -> Task | None:
        """The task that was shared under this token."""
        async with self._database.reading() as session:
            return (
                await session.execute(select(Task).where(col(Task.share_token) == share_token))
            ).scalar_one_or_none()

    async def list(
        self, owner: str | None, filters: TaskFilter, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[Task], int]:
        """One page, newest first, and how many match in all. `owner` None: everybody's."""
        async with self._database.reading() as session:
            # Ids first: an index alone answers a page far down, and only the page's own rows are read.
            ids = (await session.execute(page_of(owner, filters, limit, offset))).scalars().all()
            total = await self._total(session, owner, filters)
            wanted = select(Task).where(col(Task.id).in_(ids)).order_by(*NEWEST)
            return (await session.execute(wanted)).scalars().all(), total

    @staticmethod
    async def _total(session: AsyncSession, owner: str | None, filters: TaskFilter) -> int:
        """How many tasks match: added up from the tallies where they can tell, so that it costs the same however many there are."""
        told = filters.tallied()
        if told is None:
            counted = select(func.count()).select_from(Task).where(*matching(owner, filters))
        else:
            mine = [col(Tally.owner) == owner] if owner is not None else []
            counted = select(func.coalesce(func.sum(col(Tally.tasks)), 0)).where(*mine, *told)
        return int((await session.execute(counted)).scalar_one())

    async def address(self, worker_id: str) -> str | None:
        """Where that worker's live views can be reached, if it says so."""
        async with self._database.reading() as session:
            worker = await session.get(Worker, worker_id)
        return worker.address if worker is not None else None

    async def steps(self, task_id: str, after: int = 0) -> Sequence[Step]:
        """The task's steps in order, from the one after `after` on."""
        wanted = (
            select(Step).where(col(Step.task_id) == task_id, col(Step.sequence) > after).order_by(col(Step.sequence))
        )
        async with self._database.reading() as session:
            return (await session.execute(wanted)).scalars().all()

    async def note(self, step: Step) -> None:
        """Records what a person did in a task that is under way, under the next number."""
        async with self._database.writing() as session:
            task = await locked(session, step.task_id)
            if task is None or task.state.final:
                return
            task.step_count += 1
            step.sequence = task.step_count
            session.add(step)
            tell(session, task.id)

    async def position(self, task: Task) -> int:
        """Where a pending task stands in its engine's queue: 1 is next."""
        place = tuple_(col(Task.priority), col(Task.created_at), col(Task.id))
        before = select(func.count()).where(
            col(Task.state) == TaskState.PENDING,
            col(Task.engine) == task.engine,
            place < (task.priority, task.created_at, task.id),
        )
        async with self._database.reading() as session:
            return (await session.execute(before)).scalar_one() + 1

    async def waiting(self) -> dict[str, int]:
        """How many tasks are pending, by engine."""
        counts = (
            select(col(Task.engine), func.count())
            .where(col(Task.state) == TaskState.PENDING)
            .group_by(col(Task.engine))
        )
        async with self._database.reading() as session:
            return {row[0]: row[1] for row in (await session.execute(counts)).all()}

    async def cancel(self, task_id: str) -> Task | None:
        """Ends a task that no worker holds, or asks its worker to. None: it had already ended."""
        async with self._database.writing() as session:
            task = await locked(session, task_id)
            if task is None or task.state.final:
                return None
            if task.worker_id is None:
                end(task, TaskState.CANCELLED)
                await self._outbox.happened(session, task)
            else:
                task.cancel_wanted = True
            self._tell(session, task)
        return task

    async def ask_pause(
        self, task_id: str, reason: str = "requested", message: str = "Paused on request."
    ) -> Task | None:
        """Asks the worker to pause between two steps; a task that nobody holds pauses at once. None: it cannot be paused now.

        Reason and message stand in the row from now on, and say something once the pause has landed.
        """
        async with self._database.writing() as session:
            task = await locked(session, task_id)
            if task is None or task.state.final or task.state is TaskState.PAUSED:
                return None
            task.pause_reason, task.pause_message = reason, message
            if task.worker_id is None:
                task.state, task.paused_at = TaskState.PAUSED, now()
                await self._outbox.happened(session, task)
            else:
                task.pause_wanted = True
            self._tell(session, task)
        return task

    async def ask_resume(self, task_id: str) -> Task | None:
        """Lets a paused task go on; one that was never claimed (approval) goes to the queue. None: it is not paused."""
        async with self._database.writing() as session:
            task = await locked(session, task_id)
            if task is None or not (task.state is TaskState.PAUSED or task.pause_wanted) or task.state.final:
                return None
            if task.pause_wanted:
                task.pause_wanted, task.pause_reason, task.pause_message = False, None, None
            if task.worker_id is None:
                unpause(task, TaskState.PENDING)
                await self._outbox.happened(session, task)
                await self._outbox.ready(session, task)
                tell(session, QUEUE)
            elif task.state is TaskState.PAUSED:
                unpause(task, TaskState.PROCESSING)
                await self._outbox.happened(session, task)
            self._tell(session, task)
        return task

    async def share(self, task_id: str, share_token: str | None) -> None:
        """Publishes the task under a token, or (None) no longer."""
        async with self._database.writing() as session:
            await session.execute(update(Task).where(col(Task.id) == task_id).values(share_token=share_token))

    @staticmethod
    async def acts(session: AsyncSession, account_id: str, effects: Sequence[str], since: datetime) -> list[datetime]:
        """When the account's tasks of these effects acted, oldest first. One that is still open and may act yet counts as now,
        however long it has waited: so those that wait for approval cannot all act in one hour.
        """
        wanted = select(col(Task.armed_at)).where(
            col(Task.account_id) == account_id,
            col(Task.effect).in_(effects),
            or_(col(Task.armed_at) >= since, col(Task.state).in_(OPEN)),
            _IN_EARNEST,
        )
        found = (await session.execute(wanted)).scalars().all()
        moment = now()
        return sorted(armed_at or moment for armed_at in found)

    @staticmethod
    async def same_content(
        session: AsyncSession, account_id: str, tool: str, content_hash: str, since: datetime
    ) -> Task | None:
        """A task of the account that published (or may have, or will) the very same content since then."""
        wanted = select(Task).where(
            col(Task.account_id) == account_id,
            col(Task.tool) == tool,
            col(Task.content_hash) == content_hash,
            col(Task.created_at) >= since,
            or_(col(Task.state).in_(OPEN | {TaskState.COMPLETED}), col(Task.armed_at).is_not(None)),
            _IN_EARNEST,
        )
        return (await session.execute(wanted.limit(1))).scalars().first()

    @staticmethod
    def _tell(session: AsyncSession, task: Task) -> None:
        tell(session, task.id)
        if task.worker_id is not None:
            tell(session, task.worker_id)


_IN_EARNEST = SQLModel.metadata.tables["task"].c.options["dry_run"].as_boolean().is_not(true())
"""What is no dry run."""


_CLOSE = 100
"""So many creates may be under way at once without one of them looking before another has stored its task."""


class QueueFull(Exception):
    """As many tasks are pending as may be."""
