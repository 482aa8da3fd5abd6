"""Cloud v1's webhooks (contract 3.13): one event with a status of its own words, the exact text of each call, and its signature."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from server.webhooks import Notices
from storage.states import TaskState
from storage.tables import Task

STATUS_UPDATE = "agent.task.status_update"
TEST = "test"
EVENTS: Mapping[str, str] = {STATUS_UPDATE: "The status of a task changed."}
FailedWord = Literal["stopped", "failed"]


class StatusUpdate(TypedDict):
    """Which task, and where it stands. `metadata` is left out when the task has none: a null would break known verifiers."""

    session_id: str
    """The task's id, too (3.3)."""
    task_id: str
    status: Literal["initializing", "started", "paused", "stopped", "finished", "failed"]
    metadata: NotRequired[dict[str, str]]


class StatusUpdateCall(TypedDict):
    """A call's whole body. There is never another member, here or in the payload: known verifiers refuse them."""

    type: Literal["agent.task.status_update"]
    timestamp: str
    payload: StatusUpdate


def words(failed: FailedWord) -> Mapping[TaskState, str]:
    """Every stored state in the webhooks' words, which are not the task's. They have none for failure: `failed` is the setting's."""
    return {
        TaskState.PENDING: "initializing",
        TaskState.PROCESSING: "started",
        TaskState.PAUSED: "paused",
        TaskState.COMPLETED: "finished",
        TaskState.FAILED: failed,
        TaskState.TIMEOUT: failed,
        TaskState.CANCELLED: "stopped",
    }


def status_update(task: Task, moment: datetime, failed: FailedWord) -> dict[str, Any]:
    """The body that tells of the task's present state."""
    payload: dict[str, Any] = {"session_id": task.id, "task_id": task.id, "status": words(failed)[task.state]}
    if task.labels is not None:
        payload["metadata"] = task.labels
    return {"type": STATUS_UPDATE, "timestamp": timestamp(task.finished_at or moment), "payload": payload}


def timestamp(moment: datetime) -> str:
    """ISO 8601 with microseconds, always, and +00:00."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def canonical(body: Mapping[str, Any]) -> str:
    """The text that is signed, and sent as it is: keys sorted, no blanks, everything beyond ASCII escaped."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def notice(
    task: Task, subscribed: Sequence[str], moment: datetime, *, failed: FailedWord = "stopped"
) -> tuple[str, str] | None:
    """The event that tells of the task's present state, and its body's text."""
    if STATUS_UPDATE not in subscribed:
        return None
    return STATUS_UPDATE, canonical(status_update(task, moment, failed))


def trial(moment: datetime) -> tuple[str, str]:
    """The test event, which a webhook must take before it is created."""
    return TEST, canonical({"type": TEST, "timestamp": timestamp(moment), "payload": {"test": "ok"}})


def headers(body: str, secret: str, moment: datetime) -> dict[str, str]:
    """Unix seconds, and HMAC-SHA256 over them, a dot and the body in bare hex. Made at each attempt: verifiers refuse old ones."""
    seconds = str(int(moment.timestamp()))
    signature = hmac.new(secret.encode(), f"{seconds}.{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Browser-Use-Timestamp": seconds, "X-Browser-Use-Signature": signature}


def notices(failed: FailedWord) -> Notices:
    """How this dialect tells. `failed`: what is said of a failed task (3.13)."""
    return Notices(
        events=EVENTS,
        usual=(STATUS_UPDATE,),
        notice=partial(notice, failed=failed),
        test=trial,
        headers=headers,
        test_first=True,
    )
