"""The states of a task, and which may follow which.

Stored words are the Tasks API's (contract 1.4) plus `paused`; each dialect's own words are made from them in its wire module.
"""

from __future__ import annotations

from enum import StrEnum


class TaskState(StrEnum):
    """Where a task stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing can follow."""
        return not FOLLOWS[self]


_ENDS = frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.TIMEOUT, TaskState.CANCELLED})

FOLLOWS: dict[TaskState, frozenset[TaskState]] = {
    # A pending task fails or times out only by upkeep: its account vanished, or nobody could ever run it.
    TaskState.PENDING: frozenset({TaskState.PROCESSING, TaskState.PAUSED, TaskState.CANCELLED, TaskState.FAILED}),
    # A worker that lost its lease while it claimed gives the task back: nothing of it had begun.
    TaskState.PROCESSING: _ENDS | {TaskState.PAUSED, TaskState.PENDING},
    # A task that waits for approval was never claimed: approving makes it pending again.
    TaskState.PAUSED: _ENDS | {TaskState.PROCESSING, TaskState.PENDING},
    TaskState.COMPLETED: frozenset(),
    TaskState.FAILED: frozenset(),
    TaskState.TIMEOUT: frozenset(),
    TaskState.CANCELLED: frozenset(),
}

FINAL = frozenset(state for state in TaskState if state.final)
OPEN = frozenset(TaskState) - FINAL
HELD = frozenset({TaskState.PROCESSING, TaskState.PAUSED})
"""States in which a worker may hold the task."""
