"""The rows. Plain data: the verbs that change them are in the stores."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import ConfigDict
from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Enum,
    Index,
    LargeBinary,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from storage.states import TaskState


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


class Utc(TypeDecorator[datetime]):
    """A moment in UTC. SQLite forgets time zones; this does not."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses naive moments, which would be read as UTC later."""
        if value is not None and value.tzinfo is None:
            message = "a naive datetime cannot be stored"
            raise ValueError(message)
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Gives the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_UTC: Any = Utc


def moment(*, index: bool = False, nullable: bool = True) -> Any:
    """A column for a moment."""
    if nullable:
        return Field(default=None, sa_type=_UTC, index=index, nullable=True)
    return Field(default_factory=now, sa_type=_UTC, index=index, nullable=False)


_JSON: Any = JSON(none_as_null=True)  # the JSON value null is never meant: an unset member is SQL NULL


def document() -> Any:
    """A column for a JSON object or array, or nothing."""
    return Field(default=None, sa_type=_JSON)


def _words(states: type[TaskState]) -> list[str]:
    return [state.value for state in states]


_STATE: Any = Enum(TaskState, native_enum=False, length=16, values_callable=_words)


class Row(SQLModel):
    """A row. Rows are not validated, so pydantic's validators are built for none of them: a start has no time for that."""

    model_config: ClassVar[Any] = ConfigDict(defer_build=True)


class Task(Row, table=True):
    """One thing that was asked. The truth about it: the queue is only its wake-up."""

    __table_args__ = (
        Index("task_newest", "owner", "created_at", "id"),
        # A list's page by one of its filters, in the list's own order: the rows beyond the page are not looked at.
        Index("task_by_state", "owner", "state", "created_at", "id"),
        Index("task_by_account", "owner", "account_id", "created_at", "id"),
        Index(
            "task_by_account_name",
            "owner",
            "account_name",
            "created_at",
            "id",
            sqlite_where=text("account_name IS NOT NULL"),
            postgresql_where=text("account_name IS NOT NULL"),
        ),
        Index("task_by_platform", "owner", "platform", "created_at", "id"),
        Index(
            "task_waiting",
            "engine",
            "priority",
            "created_at",
            "id",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "task_held",
            "worker_id",
            sqlite_where=text("state IN ('processing', 'paused')"),
            postgresql_where=text("state IN ('processing', 'paused')"),
        ),
        # One write at a time per account is a rule of the data, not of whoever claims.
        Index(
            "one_write_per_account",
            "account_id",
            unique=True,
            sqlite_where=text(
                "writes AND account_id IS NOT NULL AND worker_id IS NOT NULL AND state IN ('processing', 'paused')"
            ),
            postgresql_where=text(
                "writes AND account_id IS NOT NULL AND worker_id IS NOT NULL AND state IN ('processing', 'paused')"
            ),
        ),
        Index("task_acts", "account_id", "effect", "armed_at"),
    )

    id: str = Field(primary_key=True, max_length=64)
    owner: str = Field(max_length=64)
    key_id: str | None = Field(default=None, max_length=64)
    dialect: str = Field(max_length=16)
    """Through which facade it came: browserman, cloud, mcp, command or schedule."""
    platform: str = Field(max_length=64)
    tool: str = Field(max_length=64)
    effect: str = Field(max_length=16)
    writes: bool
    account_id: str | None = Field(default=None, max_length=64)
    account_name: str | None = Field(default=None, max_length=200)
    parameters: dict[str, Any] = Field(default_factory=dict, sa_type=_JSON, nullable=False)
    options: dict[str, Any] = Field(default_factory=dict, sa_type=_JSON, nullable=False)
    secrets: bytes | None = Field(default=None, sa_type=LargeBinary)
    """Sealed by the vault; removed when the task ends."""
    engine: str = Field(max_length=8)
    """Which engine it is to run on; after a fall-back, which one it did run on."""
    priority: int = Field(default=100)
    """1 is first; 100 is usual."""
    timeout_ms: int
    state: TaskState = Field(default=TaskState.PENDING, sa_type=_STATE)
    pause_reason: str | None = Field(default=None, max_length=32)
    pause_message: str | None = None
    pause_wanted: bool = False
    cancel_wanted: bool = False
    progress_word: str = Field(default="queued", max_length=64)
    progress_percentage: int = 0
    step_count: int = 0
    tokens: int = 0
    cost: float = 0.0
    worker_id: str | None = Field(default=None, max_length=100)
    token: str | None = Field(default=None, max_length=64)
    """Fences the run: only who holds it may change the task."""
    armed_at: datetime | None = moment()
    """When the publishing act was about to go out."""
    not_before: datetime | None = moment()
    """Of a task that acted: the account's next act may not come sooner (the site's spacing)."""
    created_at: datetime = moment(nullable=False)
    started_at: datetime | None = moment()
    finished_at: datetime | None = moment()
    paused_at: datetime | None = moment()
    paused_ms: int = 0
    result: dict[str, Any] | None = document()
    error: dict[str, Any] | None = document()
    labels: dict[str, Any] | None = document()
    """The caller's metadata (contract 3.2): `metadata` is a name that SQLModel keeps for itself."""
    browser_data: bytes | None = Field(default=None, sa_type=LargeBinary)
    """Sealed cookies, where the caller asked for them."""
    request_hash: str | None = Field(default=None, max_length=64, index=True)
    content_hash: str | None = Field(default=None, max_length=64, index=True)
    share_token: str | None = Field(default=None, max_length=64, unique=True)
    schedule_id: str | None = Field(default=None, max_length=64, index=True)
    profile_id: str | None = Field(default=None, max_length=64)
    trace: str | None = Field(default=None, max_length=128)
    """The caller's W3C traceparent."""


class Tally(Row, table=True):
    """How many tasks there are of a kind. Kept by the database itself, with triggers, in the transaction that adds or removes them."""

    owner: str = Field(primary_key=True, max_length=64)
    platform: str = Field(primary_key=True, max_length=64)
    tool: str = Field(primary_key=True, max_length=64)
    account_id: str = Field(primary_key=True, max_length=64)
    """Empty: none."""
    account_name: str = Field(primary_key=True, max_length=200)
    tasks: int = Field(default=0, sa_type=BigInteger)


class Step(Row, table=True):
    """One finished round of an agent, stage of a playbook, or act of a person."""

    __table_args__ = (UniqueConstraint("task_id", "sequence"),)

    id: str = Field(primary_key=True, max_length=64)
    task_id: str = Field(max_length=64, foreign_key="task.id", ondelete="CASCADE")
    sequence: int
    """From 1, without gaps."""
    kind: str = Field(max_length=16)
    evaluation_previous_goal: str = ""
    next_goal: str = ""
    memory: str = ""
    url: str = ""
    title: str = ""
    actions: list[dict[str, Any]] = Field(default_factory=list, sa_type=_JSON, nullable=False)
    results: list[dict[str, Any]] = Field(default_factory=list, sa_type=_JSON, nullable=False)
    duration_ms: int = 0
    tokens: int = 0
    cost: float = 0.0
    screenshot_id: str | None = Field(default=None, max_length=64)
    created_at: datetime = moment(nullable=False)


class Artifact(Row, table=True):
    """A stored file: a screenshot, a recording, a download, an upload."""

    __table_args__ = (Index("artifact_by_task", "task_id", "kind"), Index("artifact_by_name", "owner", "kind", "name"))

    id: str = Field(primary_key=True, max_length=64)
    owner: str = Field(max_length=64)
    task_id: str | None = Field(default=None, max_length=64, foreign_key="task.id", ondelete="CASCADE")
    kind: str = Field(max_length=16)
    """screenshot, recording, gif, output or upload."""
    name: str = Field(max_length=255)
    media_type: str = Field(max_length=127)
    size: int = Field(default=0, sa_type=BigInteger)
    step: int | None = None
    stored: bool = True
    """False: an upload that was announced and has not come yet."""
    created_at: datetime = moment(index=True, nullable=False)


class Account(Row, table=True):
    """A login at a platform."""

    __table_args__ = (UniqueConstraint("owner", "platform", "name"),)

    id: str = Field(primary_key=True, max_length=64)
    owner: str = Field(max_length=64)
    platform: str = Field(max_length=64)
    name: str = Field(max_length=200)
    status: str = Field(default="pending", max_length=16)
    """active, error or pending (contract 1.9)."""
    auth_method: str = Field(max_length=16)
    """cookies, credentials or oauth (signed in through a page)."""
    identity: str | None = Field(default=None, max_length=200)
    login_state: bytes | None = Field(default=None, sa_type=LargeBinary)
    credentials: bytes | None = Field(default=None, sa_type=LargeBinary)
    approval: bool = False
    """Whether each publishing task of it waits for approval."""
    error_code: str | None = Field(default=None, max_length=64)
    error_message: str | None = None
    created_at: datetime = moment(nullable=False)
    last_used_at: datetime | None = moment()


class ApiKey(Row, table=True):
    """A key. Only its hash is kept: the key itself is 32 random bytes, so a plain SHA-256 cannot be searched backwards."""

    id: str = Field(primary_key=True, max_length=64)
    owner: str = Field(max_length=64, index=True)
    name: str = Field(max_length=200)
    digest: str = Field(max_length=64, unique=True)
    masked: str = Field(max_length=40)
    scopes: list[str] = Field(default_factory=list, sa_type=_JSON, nullable=False)
    """Of read, write and admin."""
    settings: dict[str, Any] = Field(default_factory=dict, sa_type=_JSON, nullable=False)
    """What the key changes for its callers: platforms, wait_seconds, hourly, daily, approval."""
    created_at: datetime = moment(nullable=False)
    last_used_at: datetime | None = moment()
    revoked_at: datetime | None = moment()


class Webhook(Row, table=True):
    """Somebody who wants to be told."""

    id: str = Field(primary_key=True, max_length=64)
    owner: str = Field(max_length=64, index=True)
    dialect: str = Field(max_length=16)
    url: str
    events: list[str] = Field(default_factory=list, sa_type=_JSON, nullable=False)
    secret: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = moment(nullable=False)
    failing_since: datetime | None = moment()
    disabled_at: datetime | None = moment()
    disabled_reason: str | None = None


class Delivery(Row, table=True):
    """One call that a webhook is owed."""

    __table_args__ = (Index("delivery_by_webhook", "webhook_id", "created_at"),)

    id: str = Field(primary_key=True, max_length=64)
    webhook_id: str = Field(max_length=64, foreign_key="webhook.id", ondelete="CASCADE")
    task_id: str | None = Field(default=None, max_length=64, index=True)
    event: str = Field(max_length=64)
    body: str
    """The exact JSON text that is signed and sent."""
    state: str = Field(default="owed", max_length=16)
    """owed, delivered or given_up."""
    attempts: int = 0
    next_at: datetime | None = moment(index=True)
    status_code: int | None = None
    error: str | None = None
    tries: list[dict[str, Any]] | None = document()
    """The newest attempts, oldest first: at (ISO 8601), ms, status_code and error where there was one."""
    created_at: datetime = moment(nullable=False)
    delivered_at: datetime | None = moment()


class Profile(Row, table=True):
    """A browser's kept login and settings (contract 3.10)."""

    id: str = Field(primary_key=True, max_length=64)
    owner: str = Field(max_length=64, index=True)
    name: str = Field(max_length=200)
    description: str = ""
    persist: bool = True
    ad_blocker: bool = True
    proxy: bool = True
    proxy_country_code: str = Field(default="US", max_length=8)
    viewport_width: int = 1280
    viewport_height: int = 960
    default: bool = False
    login_state: bytes | None = Field(default=None, sa_type=LargeBinary)
    created_at: datetime = moment(nullable=False)


class Schedule(Row, table=True):
    """A task that comes again (contract 3.9)."""

    id: str = Field(primary_key=True, max_length=64)
    owner: str = Field(max_length=64, index=True)
    key_id: str | None = Field(default=None, max_length=64)
    task: str
    kind: str = Field(max_length=16)
    """interval or cron."""
    interval_minutes: int | None = None
    cron: str | None = Field(default=None, max_length=100)
    options: dict[str, Any] = Field(default_factory=dict, sa_type=_JSON, nullable=False)
    secrets: bytes | None = Field(default=None, sa_type=LargeBinary)
    labels: dict[str, Any] | None = document()
    start_at: datetime = moment(nullable=False)
    end_at: datetime = moment(nullable=False)
    next_run_at: datetime | None = moment(index=True)
    active: bool = True
    created_at: datetime = moment(nullable=False)
    updated_at: datetime = moment(nullable=False)


class Worker(Row, table=True):
    """A process that carries tasks out, and when it last showed that it lives."""

    id: str = Field(primary_key=True, max_length=100)
    beat_at: datetime = moment(nullable=False)
    started_at: datetime = moment(nullable=False)
    version: str = Field(default="", max_length=32)
    address: str | None = Field(default=None, max_length=200)
    """Where its live views can be reached by a front on another machine."""
    draining: bool = False


class Idempotency(Row, table=True):
    """A request that was answered under an Idempotency-Key."""

    key_id: str = Field(primary_key=True, max_length=64)
    idempotency_key: str = Field(primary_key=True, max_length=255)
    request_hash: str = Field(max_length=64)
    subject: str = Field(max_length=64)
    """The id of what was created."""
    created_at: datetime = moment(index=True, nullable=False)


class Usage(Row, table=True):
    """How often a key was used in a window of time: the rate limits survive a restart."""

    key_id: str = Field(primary_key=True, max_length=64)
    window: str = Field(primary_key=True, max_length=8)
    """hour or day."""
    began_at: datetime = moment(nullable=False)
    count: int = 0


class Fact(Row, table=True):
    """Small truths about this installation, for example the vault's check value."""

    name: str = Field(primary_key=True, max_length=64)
    value: str
