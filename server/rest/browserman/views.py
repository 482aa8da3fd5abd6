"""What callers get in the Tasks API dialect: views of rows, and the envelope (contract part 1). Knows no web framework."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from server.sign_in.attempt import SignIn
from storage.states import TaskState
from storage.tables import Account, Task
from tools.catalog import Catalog
from tools.errors import Failure, Internal, PlatformError

STATES: Mapping[TaskState, str] = {
    TaskState.PENDING: "pending",
    TaskState.PROCESSING: "processing",
    TaskState.PAUSED: "processing",
    TaskState.COMPLETED: "completed",
    TaskState.FAILED: "failed",
    TaskState.TIMEOUT: "timeout",
    TaskState.CANCELLED: "cancelled",
}
"""Every stored state in this dialect's word: it knows no pause, so `progress.step` says waiting_for_human (1.4, 1.10)."""

HUMAN = "waiting_for_human"
DOCUMENTED = (
    *("twitter", "xueqiu", "eastmoney", "tonghuashun"),
    *("createTweet", "likeTweet", "reTweet", "replyTweet", "quoteTweet"),
)
"""Platforms and actions in the order of the documents (1.9)."""


def iso(when: datetime | None) -> str | None:
    """ISO 8601 in UTC with milliseconds left out, as every documented example (1.1)."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if when is not None else None


def present(view: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not known: absent, not null (1.4)."""
    return {name: value for name, value in view.items() if value is not None}


def duration(task: Task) -> int | None:
    """Milliseconds from start (where it never started: from creation) to end."""
    if task.finished_at is None:
        return None
    return round((task.finished_at - (task.started_at or task.created_at)).total_seconds() * 1000)


def result_of(task: Task) -> dict[str, Any] | None:
    """The result of a completed task: `success` first (1.4)."""
    return {"success": True, **task.result} if task.result is not None else None


def progress_of(task: Task) -> dict[str, Any]:
    """Where a running task truly stands."""
    word = HUMAN if task.state is TaskState.PAUSED else task.progress_word
    shown = {"step": word, "percentage": task.progress_percentage}
    if task.state is TaskState.PAUSED:
        shown |= present({"reason": task.pause_reason, "message": task.pause_message})
    return shown


def task_view(task: Task, *, position: int | None = None, live_url: str | None = None) -> dict[str, Any]:
    """GET /api/tasks/:taskId (1.4), with the list's names as aliases (1.10)."""
    state = STATES[task.state]
    view: dict[str, Any] = {
        "taskId": task.id,
        "state": state,
        "platform": task.platform,
        "tool": task.tool,
        "accountName": task.account_name,
        "createdAt": iso(task.created_at),
        "startedAt": iso(task.started_at),
        "timeout": task.timeout_ms,
        "liveUrl": live_url,
    }
    match state:
        case "pending":
            view["queuePosition"] = position
        case "processing":
            view["progress"] = progress_of(task)
        case "completed":
            view |= {"completedAt": iso(task.finished_at), "duration": duration(task), "result": result_of(task)}
        case "cancelled":
            view |= {"cancelledAt": iso(task.finished_at), "error": task.error}
        case _:
            view |= {"failedAt": iso(task.finished_at), "error": task.error}
    return present(view | _aliases(task))


def _aliases(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "status": STATES[task.state],
        "action": task.tool,
        "execution_engine": task.engine,
        "params": task.parameters,
        "data": task.result,
        "created_at": iso(task.created_at),
        "started_at": iso(task.started_at),
        "completed_at": iso(task.finished_at),
        "duration_ms": duration(task),
        "platform_account_id": task.account_id,
    }


def list_item(task: Task) -> dict[str, Any]:
    """One entry of GET /api/tasks (1.5), with the single view's names as aliases (1.10)."""
    ended = iso(task.finished_at)
    item = {
        "id": task.id,
        "status": STATES[task.state],
        "platform": task.platform,
        "action": task.tool,
        "execution_engine": task.engine,
        "params": task.parameters,
        "data": task.result,
        "created_at": iso(task.created_at),
        "started_at": iso(task.started_at),
        "completed_at": ended,
        "duration_ms": duration(task),
        "platform_account_id": task.account_id,
        "error": task.error,
        "accountName": task.account_name,
        "taskId": task.id,
        "state": STATES[task.state],
        "tool": task.tool,
        "createdAt": iso(task.created_at),
        "startedAt": iso(task.started_at),
        "completedAt": ended if task.state is TaskState.COMPLETED else None,
        "duration": duration(task),
        "result": result_of(task),
    }
    return present(item)


def cancelled_view(task: Task) -> dict[str, Any]:
    """The answer to DELETE /api/tasks/:taskId (1.6)."""
    return present(
        {
            "taskId": task.id,
            "state": "cancelled",
            "cancelledAt": iso(task.finished_at or task.created_at),
            "error": task.error,
        }
    )


def account_view(account: Account, *, sign_in_url: str | None = None, sign_in: SignIn | None = None) -> dict[str, Any]:
    """One account (1.9): nothing secret."""
    error = None
    if account.status == "error":
        error = {"code": account.error_code, "message": account.error_message}
    return present(
        {
            "id": account.id,
            "name": account.name,
            "platform": account.platform,
            "status": account.status,
            "authMethod": account.auth_method,
            "createdAt": iso(account.created_at),
            "lastUsedAt": iso(account.last_used_at),
            "identity": account.identity,
            "error": error,
            "signInUrl": sign_in_url,
            "authorizationUrl": sign_in_url,
            "signIn": sign_in_view(sign_in) if sign_in is not None else None,
        }
    )


def sign_in_view(sign_in: SignIn) -> dict[str, Any]:
    """Where the account's sign-in page stands."""
    ends = None if sign_in.over else iso(datetime.fromtimestamp(sign_in.expires, UTC))
    return present({"state": sign_in.state, "expiresAt": ends, "message": sign_in.message or None})


def in_order(names: Iterable[str]) -> list[str]:
    """The names as the documents list them; what they do not know follows."""
    return sorted(names, key=lambda name: DOCUMENTED.index(name) if name in DOCUMENTED else len(DOCUMENTED))


def platform_view(catalog: Catalog, platform: str) -> dict[str, Any]:
    """One platform (1.9), with what its actions need."""
    site = catalog.site(platform)
    return {
        "id": site.id,
        "name": site.name,
        "actions": in_order(tool.action for tool in catalog.of(site.id)),
    }


def platform_detail(catalog: Catalog, platform: str) -> dict[str, Any]:
    """GET /api/platforms/:platformId: the list's entry, and each action's parameters as JSON Schema."""
    site = catalog.site(platform)
    return platform_view(catalog, platform) | {
        "aliases": list(site.aliases),
        "home": site.home,
        "verified": site.verified,
        "policy": site.policy,
        "tools": [
            {
                "name": tool.action,
                "description": tool.summary,
                "effect": tool.effect,
                "engines": ["lite", "full"] if tool.playbook is not None else ["full"],
                "requiresAccount": tool.account,
                "parameters": tool.parameters.model_json_schema(by_alias=True),
                "example": tool.example.model_dump(mode="json", by_alias=True, exclude_unset=True),
            }
            for tool in catalog.of(site.id)
        ],
    }


def succeeded(data: Any) -> dict[str, Any]:
    """The envelope of an answer (1.1)."""
    return {"success": True, "data": data}


def failed(failure: Failure) -> dict[str, Any]:
    """The envelope of an error (1.1): `details` is always there. A fault of our own goes by the documented code (1.9)."""
    error = failure.as_error()
    field = failure.details.get("field")
    if isinstance(field, str):  # said in one way, whoever finds the fault
        error["details"] = {"fields": {field: failure.message}}
    if isinstance(failure, Internal):
        error |= {"code": PlatformError.code, "details": {"cause": failure.code}}
    return {"success": False, "error": error | {"details": error.get("details", {})}}
