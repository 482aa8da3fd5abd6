"""What every change of a task's row has in common."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from storage.states import TaskState
from storage.tables import Task, now


async def locked(session: AsyncSession, task_id: str) -> Task | None:
    """The row, held until the transaction ends (SQLite's writers hold the whole file anyway)."""
    return await session.get(Task, task_id, with_for_update=True)


def end(task: Task, state: TaskState) -> None:
    """The part that every ending has in common."""
    moment = max(now(), task.started_at or task.created_at)  # the clock may have been set back meanwhile
    if task.state is TaskState.PAUSED and task.paused_at is not None:
        task.paused_ms += round((moment - task.paused_at).total_seconds() * 1000)
    task.state, task.finished_at = state, moment
    task.secrets = None
    task.pause_wanted = task.cancel_wanted = False
    task.pause_reason = task.pause_message = None
    task.paused_at = None


def unpause(task: Task, state: TaskState) -> None:
    """Ends a pause: the time it took does not count against the deadline."""
    if task.paused_at is not None:
        task.paused_ms += round((now() - task.paused_at).total_seconds() * 1000)
    task.state, task.paused_at, task.pause_reason, task.pause_message = state, None, None, None


async def touched(session: AsyncSession, statement: Any) -> int:
    """How many rows an UPDATE or DELETE hit."""
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount
