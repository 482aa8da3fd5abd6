"""The shapes of the Tasks API's answers (contract part 1), for the documents: `wire` makes them, and a test holds the two together.

A member that does not apply is absent, never null; so every one that is not always there is `NotRequired`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from server.rest.browserman.views import failed
from tools.errors import Failure

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2024-01-15T10:30:00Z"])]
State = Literal["pending", "processing", "completed", "failed", "timeout", "cancelled"]
Engine = Literal["lite", "full"]


class Progress(TypedDict):
    """Where a running task truly stands; `waiting_for_human`: it waits, and says for what."""

    step: str
    percentage: Annotated[int, Field(ge=0, le=100)]
    reason: NotRequired[str]
    message: NotRequired[str]


class Error(TypedDict):
    """What went wrong. `retryAfter` (seconds) where the code is RATE_LIMITED."""

    code: str
    message: str
    retryAfter: NotRequired[int]
    details: NotRequired[dict[str, Any]]


class CommonResult(TypedDict):
    """What every result has; each action adds its own members (GET /api/platforms/schema)."""

    success: Literal[True]
    output: str


Result = Annotated[dict[str, Any], Field(description="`success`, `output`, and the action's own members.")]


class TaskDetail(TypedDict):
    """One task (1.4). The list's names stand beside the documented ones, as aliases (1.10)."""

    taskId: str
    state: State
    platform: str
    tool: str
    accountName: NotRequired[str]
    createdAt: Moment
    queuePosition: NotRequired[int]
    startedAt: NotRequired[Moment]
    progress: NotRequired[Progress]
    completedAt: NotRequired[Moment]
    failedAt: NotRequired[Moment]
    cancelledAt: NotRequired[Moment]
    duration: NotRequired[Annotated[int, Field(description="Milliseconds.")]]
    result: NotRequired[Result]
    error: NotRequired[Error]
    timeout: Annotated[int, Field(description="Milliseconds.")]
    liveUrl: NotRequired[Annotated[str, Field(description="A page that shows, and steers, the task's browser.")]]
    id: str
    status: State
    action: str
    execution_engine: Engine
    params: dict[str, Any]
    data: NotRequired[dict[str, Any]]
    created_at: Moment
    started_at: NotRequired[Moment]
    completed_at: NotRequired[Annotated[Moment, Field(description="However it ended.")]]
    duration_ms: NotRequired[int]
    platform_account_id: NotRequired[str]


class TaskItem(TypedDict):
    """One task in a list (1.5). The single view's names stand beside the documented ones, as aliases (1.10)."""

    id: str
    status: State
    platform: str
    action: str
    execution_engine: Engine
    params: dict[str, Any]
    data: NotRequired[dict[str, Any]]
    created_at: Moment
    started_at: NotRequired[Moment]
    completed_at: NotRequired[Moment]
    duration_ms: NotRequired[int]
    platform_account_id: NotRequired[str]
    error: NotRequired[Error]
    accountName: NotRequired[str]
    taskId: str
    state: State
    tool: str
    createdAt: Moment
    startedAt: NotRequired[Moment]
    completedAt: NotRequired[Moment]
    duration: NotRequired[int]
    result: NotRequired[Result]


class Filters(TypedDict):
    """The documented filters as they were given, null where they were not (1.5)."""

    platform: str | None
    action: str | None
    status: str | None
    success: bool | None
    execution_engine: str | None
    accountId: str | None
    accountName: str | None
    startDate: str | None
    endDate: str | None


class TaskList(TypedDict):
    """One page of tasks, newest first (1.5); `total`: how many match in all."""

    tasks: list[TaskItem]
    total: int
    limit: int
    offset: int
    filters: Filters


class Cancelled(TypedDict):
    """A cancelled task (1.6); `error` where its publishing act may have gone out before."""

    taskId: str
    state: Literal["cancelled"]
    cancelledAt: Moment
    error: NotRequired[Error]


class Platform(TypedDict):
    """A platform and its actions (1.9)."""

    id: str
    name: str
    actions: list[str]


class PlatformList(TypedDict):
    """Every platform (1.9)."""

    platforms: list[Platform]


class Action(TypedDict):
    """What one action needs, as JSON Schema, and which engines can do it."""

    name: str
    description: str
    effect: Literal["read", "engage", "publish", "delete"]
    engines: list[Engine]
    requiresAccount: bool
    parameters: dict[str, Any]
    example: dict[str, Any]


class PlatformDetail(Platform):
    """One platform."""

    aliases: list[str]
    home: str
    verified: Literal["practice", "replica", "live"]
    policy: str
    tools: list[Action]


class SignIn(TypedDict):
    """The present or last attempt to sign the account in on a page."""

    state: Literal["waiting", "open", "connected", "failed", "cancelled", "expired"]
    expiresAt: NotRequired[Moment]
    message: NotRequired[str]


class Account(TypedDict):
    """An account: nothing secret (1.9)."""

    id: str
    name: str
    platform: str
    status: Literal["active", "error", "pending"]
    authMethod: Literal["oauth", "credentials", "cookies"]
    createdAt: Moment
    lastUsedAt: NotRequired[Moment]
    identity: NotRequired[str]
    error: NotRequired[Error]
    signInUrl: NotRequired[str]
    authorizationUrl: NotRequired[Annotated[str, Field(description="The same as `signInUrl`.")]]
    signIn: NotRequired[SignIn]


class AccountList(TypedDict):
    """The owner's accounts (1.9)."""

    accounts: list[Account]
    total: int


class Deleted(TypedDict):
    """It is gone, for good."""

    id: str
    deleted: Literal[True]


class RefusedError(Error):
    """What went wrong with a request: `details` is always there."""


class Refused(TypedDict):
    """The envelope of every error (1.1)."""

    success: Literal[False]
    error: RefusedError


def refused(kind: type[Failure]) -> dict[str, Any]:
    """An example of that failure's envelope."""
    example = failed(kind())
    if kind.code == "RATE_LIMITED":
        example["error"]["retryAfter"] = 900
    return example
