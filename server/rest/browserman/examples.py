"""The examples that the documents show of the Tasks API's answers, without the envelope."""

from __future__ import annotations

from typing import Any

CREATED: dict[str, Any] = {
    "taskId": "task_abc123",
    "state": "pending",
    "platform": "twitter",
    "tool": "createTweet",
    "accountName": "my-twitter",
    "createdAt": "2024-01-15T10:30:00Z",
    "timeout": 120000,
    "id": "task_abc123",
    "status": "pending",
    "action": "createTweet",
    "execution_engine": "lite",
    "params": {"text": "Hello World!"},
    "created_at": "2024-01-15T10:30:00Z",
    "platform_account_id": "acc_abc123",
}
_STARTED = {
    **CREATED,
    "startedAt": "2024-01-15T10:30:02Z",
    "started_at": "2024-01-15T10:30:02Z",
}
_ENDED = {"completed_at": "2024-01-15T10:30:15Z", "duration_ms": 13000}
RESULT: dict[str, Any] = {
    "success": True,
    "output": "Tweet posted",
    "tweetUrl": "https://twitter.com/username/status/1234567890",
}
ERROR: dict[str, Any] = {"code": "RATE_LIMITED", "message": "The site asks for a pause.", "retryAfter": 900}

TASKS: dict[str, dict[str, Any]] = {
    "Pending": {**CREATED, "queuePosition": 3},
    "Processing": {
        **_STARTED,
        "state": "processing",
        "status": "processing",
        "progress": {"step": "authenticating", "percentage": 30},
    },
    "Completed": {
        **_STARTED,
        "state": "completed",
        "status": "completed",
        "completedAt": "2024-01-15T10:30:15Z",
        "duration": 13000,
        "result": RESULT,
        **_ENDED,
        "data": {name: value for name, value in RESULT.items() if name != "success"},
    },
    "Failed": {
        **_STARTED,
        **_ENDED,
        "state": "failed",
        "status": "failed",
        "failedAt": "2024-01-15T10:30:15Z",
        "error": ERROR,
    },
    "Timeout": {
        **_STARTED,
        "state": "timeout",
        "status": "timeout",
        "failedAt": "2024-01-15T10:32:02Z",
        "completed_at": "2024-01-15T10:32:02Z",
        "duration_ms": 120000,
        "error": {"code": "TIMEOUT", "message": "The task did not finish within 120000 ms."},
    },
    "Cancelled": {**CREATED, "state": "cancelled", "status": "cancelled", "cancelledAt": "2024-01-15T10:30:05Z"},
}
CANCELLED: dict[str, Any] = {"taskId": "task_abc123", "state": "cancelled", "cancelledAt": "2024-01-15T10:30:05Z"}
LISTED: dict[str, Any] = {
    "tasks": [
        {
            "id": "task_abc123",
            "status": "completed",
            "platform": "twitter",
            "action": "createTweet",
            "execution_engine": "lite",
            "params": {"text": "Hello World!"},
            "data": {"output": "Tweet posted", "tweetId": "1234567890"},
            "created_at": "2024-01-15T10:30:00Z",
            "started_at": "2024-01-15T10:30:02Z",
            "completed_at": "2024-01-15T10:30:15Z",
            "duration_ms": 13000,
            "platform_account_id": "acc_abc123",
            "accountName": "my-twitter",
            "taskId": "task_abc123",
            "state": "completed",
            "tool": "createTweet",
            "createdAt": "2024-01-15T10:30:00Z",
            "startedAt": "2024-01-15T10:30:02Z",
            "completedAt": "2024-01-15T10:30:15Z",
            "duration": 13000,
            "result": {"success": True, "output": "Tweet posted", "tweetId": "1234567890"},
        }
    ],
    "total": 1,
    "limit": 50,
    "offset": 0,
    "filters": {
        "platform": "twitter",
        "action": None,
        "status": None,
        "success": True,
        "execution_engine": None,
        "accountId": None,
        "accountName": None,
        "startDate": "2024-01-01",
        "endDate": None,
    },
}
ACCOUNT: dict[str, Any] = {
    "id": "acc_abc123",
    "name": "my-twitter",
    "platform": "twitter",
    "status": "active",
    "authMethod": "cookies",
    "createdAt": "2024-01-15T10:30:00Z",
    "lastUsedAt": "2024-01-20T14:22:00Z",
}
BROKEN_ACCOUNT: dict[str, Any] = {
    **ACCOUNT,
    "status": "error",
    "error": {"code": "AUTHENTICATION_FAILED", "message": "The account is not logged in any more: reconnect it."},
}
PENDING_ACCOUNT: dict[str, Any] = {
    "id": "acc_abc123",
    "name": "my-twitter",
    "platform": "twitter",
    "status": "pending",
    "authMethod": "oauth",
    "createdAt": "2024-01-15T10:30:00Z",
    "signInUrl": "https://webhand.example/sign-in/...",
    "authorizationUrl": "https://webhand.example/sign-in/...",
    "signIn": {"state": "waiting", "expiresAt": "2024-01-15T10:40:00Z"},
}
SIGN_IN: dict[str, Any] = {"platform": "twitter", "name": "my-twitter"}
CONNECT: dict[str, Any] = {
    "platform": "twitter",
    "name": "my-twitter",
    "cookies": [{"name": "auth_token", "value": "...", "domain": ".x.com", "path": "/", "secure": True}],
}


def _event(name: str, **told: Any) -> dict[str, Any]:
    about = {"platform": "twitter", "tool": "createTweet", "accountName": "my-twitter"}
    return {
        "event": name,
        "taskId": "task_abc123",
        "timestamp": "2024-01-15T10:30:15Z",
        "data": {"state": told.pop("state"), **about, **told},
    }


EVENTS: dict[str, dict[str, Any]] = {
    "task.completed": _event("task.completed", state="completed", result=RESULT),
    "task.failed": _event("task.failed", state="failed", error=ERROR),
    "task.timeout": _event("task.timeout", state="timeout", error=TASKS["Timeout"]["error"]),
    "task.cancelled": _event("task.cancelled", state="cancelled"),
    "task.queued": _event("task.queued", state="pending"),
    "task.started": _event("task.started", state="processing"),
    "task.paused": _event(
        "task.paused",
        state="processing",
        progress={
            "step": "waiting_for_human",
            "percentage": 30,
            "reason": "challenge",
            "message": "Solve the captcha.",
        },
    ),
}
PLATFORMS: dict[str, Any] = {
    "platforms": [
        {
            "id": "twitter",
            "name": "Twitter/X",
            "actions": ["createTweet", "likeTweet", "reTweet", "replyTweet", "quoteTweet"],
        },
        {"id": "xueqiu", "name": "Xueqiu", "actions": ["post"]},
        {"id": "eastmoney", "name": "Eastmoney", "actions": ["postWithCode"]},
        {"id": "tonghuashun", "name": "Tonghuashun", "actions": ["post"]},
    ]
}
