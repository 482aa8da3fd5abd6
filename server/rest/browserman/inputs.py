"""What callers send in the Tasks API dialect: bodies and queries as models (contract part 1). Knows no web framework."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from server.new_task import USUAL_PRIORITY
from server.rest.browserman.views import STATES
from server.rest.message import Message
from server.storable import unstorable
from storage.filters import TaskFilter
from storage.states import TaskState
from tools.catalog import Catalog
from tools.errors import Failure, InvalidParameters

Model = TypeVar("Model", bound=BaseModel)

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


class CreateTask(Message):
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


class ListTasks(Message):
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


class CreateAccount(Message):
    """POST /api/accounts: with cookies, a browser's storage state, or credentials; with none of them a person signs in."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    platform: str = Field(min_length=1)
    name: str = Field(min_length=1, validation_alias=AliasChoices("name", "accountName"))
    cookies: list[dict[str, Any]] | None = None
    storage_state: dict[str, Any] | None = Field(None, alias="storageState")
    credentials: dict[str, str] | None = Field(None, description="username, password and maybe totpSecret.")
    identity: str | None = Field(None, max_length=200, description="Who must be logged in, as the site spells it.")
    approval: bool = Field(default=False, description="Whether each publishing task of it waits for approval.")


class AuthorizeAccount(Message):
    """POST /api/accounts/oauth/authorize, whose members no document shows: which account is to be signed in."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    platform: str = Field(min_length=1)
    name: str | None = Field(
        None,
        min_length=1,
        validation_alias=AliasChoices("name", "accountName"),
        description="Left out: `my-` and the platform.",
    )


class ConnectAccount(Message):
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
