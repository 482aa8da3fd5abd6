"""The Tasks API's webhooks (contract 1.8): their events, the exact text of each call, and its signature.

The documents name `task.completed` and `task.failed`. A task that ran out of time counts as failed (its `state` says timeout, its
error TIMEOUT), so that a receiver of the two documented events hears of every task that came to an end by itself. The other events are
ours, and are sent only to those who name them; who names `task.timeout` gets that instead of `task.failed`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from server.rest.browserman.javascript import javascript_json
from server.rest.browserman.views import STATES, iso, present, progress_of, result_of
from server.webhooks import Notices
from storage.states import TaskState
from storage.tables import Task

Event = Literal[
    "task.completed",
    "task.failed",
    "task.timeout",
    "task.cancelled",
    "task.queued",
    "task.started",
    "task.paused",
    "webhook.test",
]
EVENTS: Mapping[str, str] = {
    "task.completed": "The task was done.",
    "task.failed": "The task failed, or (unless task.timeout is named too) ran out of time.",
    "task.timeout": "The task ran out of time.",
    "task.cancelled": "The task was cancelled.",
    "task.queued": "The task was created or approved and waits for a worker.",
    "task.started": "The task runs: a worker took it, or it goes on after a pause.",
    "task.paused": "The task waits for a person; data.progress says why.",
}
"""What can be subscribed to."""

DOCUMENTED = ("task.completed", "task.failed")
TEST = "webhook.test"
SIGNATURE = "x-browserman-signature"

CANDIDATES: Mapping[TaskState, tuple[str, ...]] = {
    TaskState.PENDING: ("task.queued",),
    TaskState.PROCESSING: ("task.started",),
    TaskState.PAUSED: ("task.paused",),
    TaskState.COMPLETED: ("task.completed",),
    TaskState.FAILED: ("task.failed",),
    TaskState.TIMEOUT: ("task.timeout", "task.failed"),
    TaskState.CANCELLED: ("task.cancelled",),
}
"""Every stored state's events: the first one that is subscribed to is sent."""


class EventError(TypedDict):
    """Why a task failed."""

    code: str
    message: str
    retryAfter: NotRequired[int]
    details: NotRequired[dict[str, Any]]


class EventTask(TypedDict, total=False):
    """A call's `data`: what of the task the event is about."""

    state: str
    platform: str
    tool: str
    accountName: str
    result: dict[str, Any]
    error: EventError
    progress: dict[str, Any]


class EventBody(TypedDict):
    """A call's body. The signature is in the header only: a body that held its own could never be verified."""

    event: Event
    taskId: str
    timestamp: str
    data: EventTask


def event_body(event: str, task: Task, moment: datetime) -> dict[str, Any]:
    """The body of a call, members in the documented order."""
    shown = {
        "state": STATES[task.state],
        "platform": task.platform,
        "tool": task.tool,
        "accountName": task.account_name,
        "result": result_of(task),
        "error": task.error,
        "progress": progress_of(task) if task.state is TaskState.PAUSED else None,
    }
    return {
        "event": event,
        "taskId": task.id,
        "timestamp": iso(task.finished_at or moment),
        "data": present(shown),
    }


def notice(task: Task, subscribed: Sequence[str], moment: datetime) -> tuple[str, str] | None:
    """The event that tells of the task's present state, and its body's text; None where nobody asked for it."""
    event = next((event for event in CANDIDATES[task.state] if event in subscribed), None)
    return (event, javascript_json(event_body(event, task, moment))) if event is not None else None


def trial(moment: datetime) -> tuple[str, str]:
    """An event about no task, to try a receiver out."""
    body = {"event": TEST, "taskId": "test", "timestamp": iso(moment), "data": {"state": "completed"}}
    return TEST, javascript_json(body)


def headers(body: str, secret: str, _moment: datetime) -> dict[str, str]:
    """The signature: `sha256=` and 64 hex digits, always, since the documented receiver fails on any other length."""
    return {SIGNATURE: f"sha256={hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()}"}


NOTICES = Notices(events=EVENTS, usual=DOCUMENTED, notice=notice, test=trial, headers=headers)
