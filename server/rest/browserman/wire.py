"""What goes over the wire in the Tasks API dialect: requests in, views out. Pure functions and models; contract part 1."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from server.new_task import USUAL_PRIORITY
from server.sign_in.attempt import SignIn
from server.storable import unstorable
from storage.states import TaskState
from storage.tables import Account, Task
from storage.tasks import TaskFilter
from tools.catalog import Catalog
from tools.errors import Failure, Internal, InvalidParameters, PlatformError

Model = TypeVar("Model", bound=BaseModel)

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
_STATUS: Mapping[str, frozenset[TaskState]] = {
    word: frozenset(state for state, said in STATES.items() if said == word) for word in STATES.values()
}
DOCUMENTED_FILTERS = (
    "platform",
    "action",
    "status",
    "success",
    "execution_engine",
    "accountId",
    "accountName",
    "startDate",
    "endDate",
)


_LONGEST_NAME = 200
_MOST = 100


def at_most(limit: int) -> int:
    """The limit in force: more than the most is brought down to it, since the documents name no error for it."""
    return min(limit, _MOST)


Limit = Annotated[int, AfterValidator(at_most), Field(ge=1, description=f"At most {_MOST}; more means {_MOST}.")]


class CreateTask(BaseModel):
    """POST /api/tasks (1.3). `tool` and `action` are two spellings of one field; unknown members are ignored."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    platform: str = Field(min_length=1, description="A platform's id or alias.", examples=["twitter"])
    tool: str | None = Field(None, min_length=1, description="The action's name.", examples=["createTweet"])
    action: str | None = Field(None, min_length=1, description="Another spelling of `tool`.")
    account_name: str | None = Field(
        None,
        alias="accountName",
        max_length=_LONGEST_NAME,
        description="The account's name within the platform.",
        examples=["my-twitter"],
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="What the action needs; may hold `preferredEngine`.",
        examples=[{"text": "Hello World!"}],
    )
    timeout: int | None = Field(
        None, description="Milliseconds. lite: 120,000, at most 300,000; full: 300,000, at most 600,000."
    )
    preferred_engine: Literal["lite", "full"] | None = Field(None, alias="preferredEngine")
    dry_run: bool | None = Field(default=False, alias="dryRun", description="Everything but the publishing act.")
    approval: bool | None = Field(None, description="Whether the task waits for approval.")
    allow_duplicate: bool | None = Field(
        default=False, alias="allowDuplicate", description="Whether the same text may be published again."
    )
    priority: int | None = Field(USUAL_PRIORITY, ge=1, le=1000, description="1 is first.")

    def resolved(self) -> CreateTask:
        """Both spellings brought together: what stands in `parameters` by the older habit moves to its place."""
        if self.tool is not None and self.action is not None and self.tool != self.action:
            message = "'tool' and 'action' are two names of the same field and differ: send one of them."
            raise InvalidParameters(message, details={"tool": self.tool, "action": self.action})
        tool = self.tool or self.action
        if tool is None:
            message = "'tool' is needed: the name of the action, for example 'createTweet'."
            raise InvalidParameters(message, details={"fields": {"tool": "Field required"}})
        parameters = dict(self.parameters)
        inner_account = parameters.pop("accountName", None)
        engine = parameters.pop("preferredEngine", None)
        if engine not in (None, "lite", "full"):  # which may be anything, also what no set can hold
            message = "'preferredEngine' is 'lite' or 'full'."
            raise InvalidParameters(message, details={"fields": {"preferredEngine": message}})
        named = isinstance(inner_account, str) and len(inner_account) <= _LONGEST_NAME
        if self.account_name is None and inner_account is not None and not named:
            message = f"'accountName' is a text of at most {_LONGEST_NAME} characters."
            raise InvalidParameters(message, details={"fields": {"accountName": message}})
        return self.model_copy(
            update={
                "tool": tool,
                "parameters": parameters,
                "account_name": self.account_name or inner_account,
                "preferred_engine": engine or self.preferred_engine,
            }
        )


class ListTasks(BaseModel):
    """The query of GET /api/tasks (1.5)."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    limit: Limit = 50
    offset: int = Field(0, ge=0, le=2**31)
    platform: str | None = None
    action: str | None = Field(None, validation_alias=AliasChoices("action", "tool"))
    status: Literal["pending", "processing", "completed", "failed", "timeout", "cancelled"] | None = Field(
        None, validation_alias=AliasChoices("status", "state")
    )
    success: bool | None = None
    account_name: str | None = Field(None, alias="accountName")
    account_id: str | None = Field(None, alias="accountId")
    execution_engine: Literal["lite", "full"] | None = None
    start_date: str | None = Field(None, alias="startDate")
    end_date: str | None = Field(None, alias="endDate")

    def filter(self, catalog: Catalog) -> TaskFilter:
        """The query as a filter; every given one must hold."""
        states = _STATUS[self.status] if self.status is not None else frozenset(TaskState)
        if self.success is not None:
            done = frozenset({TaskState.COMPLETED})
            states &= done if self.success else frozenset(TaskState) - done
        return TaskFilter(
            platform=known_platform(catalog, self.platform),
            tool=self.action,
            states=None if states == frozenset(TaskState) else states,
            account_name=self.account_name,
            account_id=self.account_id,
            engine=self.execution_engine,
            since=moment(self.start_date, "startDate"),
            until=moment(self.end_date, "endDate", last=True),
        )

    def echo(self) -> dict[str, Any]:
        """The documented filters as they were given, null where they were not."""
        given = self.model_dump(by_alias=True)
        return {name: given[name] for name in DOCUMENTED_FILTERS}


class CreateAccount(BaseModel):
    """POST /api/accounts: with cookies, a browser's storage state, or credentials; with none of them a person signs in."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    platform: str = Field(min_length=1)
    name: str = Field(min_length=1, validation_alias=AliasChoices("name", "accountName"))
    cookies: list[dict[str, Any]] | None = None
    storage_state: dict[str, Any] | None = Field(None, alias="storageState")
    credentials: dict[str, str] | None = Field(None, description="username, password and maybe totpSecret.")
    identity: str | None = Field(None, max_length=200, description="Who must be logged in, as the site spells it.")
    approval: bool = Field(default=False, description="Whether each publishing task of it waits for approval.")


class AuthorizeAccount(BaseModel):
    """POST /api/accounts/oauth/authorize, whose members no document shows: which account is to be signed in."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    platform: str = Field(min_length=1)
    name: str | None = Field(
        None,
        min_length=1,
        validation_alias=AliasChoices("name", "accountName"),
        description="Left out: `my-` and the platform.",
    )


class ConnectAccount(BaseModel):
    """POST /api/accounts/:accountId/connect: the new login; with none a person signs in."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    cookies: list[dict[str, Any]] | None = None
    storage_state: dict[str, Any] | None = Field(None, alias="storageState")
    credentials: dict[str, str] | None = Field(None, description="username, password and maybe totpSecret.")


def parsed(model: type[Model], given: Any) -> Model:
    """What was sent, as a model. Raises InvalidParameters that names each field."""
    if not isinstance(given, Mapping):
        message = "The body is a JSON object."
        raise InvalidParameters(message, details={"fields": {"body": message}})
    for loc in unstorable(given):
        name = ".".join(map(str, loc)) or "body"
        message = f"'{name}' holds characters or numbers that cannot be kept."
        raise InvalidParameters(message, details={"fields": {name: message}})
    try:
        return model.model_validate(given)
    except ValidationError as error:
        fields = {
            ".".join(map(str, item["loc"])) or "body": str(item["msg"]) for item in error.errors(include_input=False)
        }
        message = "; ".join(f"{name}: {what}" for name, what in fields.items())
        raise InvalidParameters(message, details={"fields": fields}) from None


def moment(text: str | None, name: str, *, last: bool = False) -> datetime | None:
    """An ISO 8601 moment; a bare date means its first moment, or (`last`) all of that day."""
    if text is None:
        return None
    try:
        if len(text) == len("2024-01-01"):
            day = date.fromisoformat(text)
            return datetime.combine(day, time.max if last else time.min, UTC)
        # A '+' of a query that nobody encoded arrives as a blank.
        found = datetime.fromisoformat(text.replace(" ", "+"))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):  # the year 1 of the east lies before the year 1 of UTC
        message = f"'{name}' is an ISO 8601 date or time, for example 2024-01-01 or 2024-01-01T12:00:00Z."
        raise InvalidParameters(message, details={"fields": {name: message}}) from None


def known_platform(catalog: Catalog, name: str | None) -> str | None:
    """The platform's canonical id; a name that nothing has stays as it is, and matches nothing."""
    if name is None:
        return None
    try:
        return catalog.site(name).id
    except Failure:
        return name


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


def platform_view(catalog: Catalog, platform: str) -> dict[str, Any]:
    """One platform (1.9), with what its actions need."""
    site = catalog.site(platform)
    return {
        "id": site.id,
        "name": site.name,
        "actions": [tool.action for tool in catalog.of(site.id)],
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
