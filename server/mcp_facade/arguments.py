"""The arguments of a tool call: the tool's own parameters and the caller's wishes, side by side in one flat object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from agent.domains import parse_domains
from agent.engine import EngineName
from server.mcp_facade.schema import cleaned
from server.mcp_facade.visit import LONGEST_WAIT
from server.new_task import NewTask, invalid
from server.storable import unstorable
from server.structured import schema_of
from tools.errors import InvalidParameters
from tools.tool import AnyTool


def _either(camel: str, snake: str) -> Any:
    """Both spellings are understood; the first one is shown."""
    return Field(default=None, alias=camel, validation_alias=AliasChoices(camel, snake))


def _domains(given: list[str] | None) -> list[str] | None:
    """Domain patterns in one spelling; none at all means every domain. Raises ValueError."""
    try:
        return list(parse_domains(given)) if given else None
    except InvalidParameters as failure:
        raise ValueError(failure.message) from None


class Wishes(BaseModel):
    """How a tool's call is to be carried out. Every acting tool takes these; none may have a parameter of such a name."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    account_name: str | None = _either("accountName", "account_name")
    engine: EngineName | None = _either("preferredEngine", "preferred_engine")
    timeout: int | None = None
    idempotency_key: str | None = _either("idempotency_key", "idempotencyKey")
    dry_run: bool | None = _either("dryRun", "dry_run")
    allow_duplicate: bool | None = _either("allowDuplicate", "allow_duplicate")


class BrowsingWishes(Wishes):
    """What can be wished besides of a task in plain words."""

    max_steps: Annotated[int, Field(ge=1, le=500)] | None = _either("maxSteps", "max_steps")
    allowed_domains: Annotated[list[str] | None, AfterValidator(_domains)] = _either(
        "allowedDomains", "allowed_domains"
    )
    structured_output: Annotated[Any, AfterValidator(schema_of)] = _either("structuredOutput", "structured_output")


_ACCOUNT = {"accountName": {"type": "string"}}
_ENGINE = {"preferredEngine": {"enum": ["lite", "full"]}}
_COMMON: dict[str, Any] = {"timeout": {"type": "integer"}, "idempotency_key": {"type": "string"}}
_PUBLISHING: dict[str, Any] = {"dryRun": {"type": "boolean"}, "allowDuplicate": {"type": "boolean"}}
_BROWSING: dict[str, Any] = {
    "maxSteps": {"type": "integer"},
    "allowedDomains": {"type": "array", "items": {"type": "string"}},
    "structuredOutput": {"type": "object", "description": "JSON Schema of the output"},
}


def input_schema(tool: AnyTool) -> dict[str, Any]:
    """What the tool takes. Wishes that it cannot fulfil are not offered, and what `instructions` explain is not explained again."""
    own = cleaned(tool.parameters)
    wishes = _COMMON | (_PUBLISHING if tool.effect == "publish" and tool.account else {})
    if tool.playbook is not None:
        wishes = _ENGINE | wishes
    if not tool.account:
        wishes = wishes | _BROWSING
    account, needed = (_ACCOUNT, ["accountName"]) if tool.account else ({}, [])
    return {
        "type": "object",
        "properties": {**account, **own.get("properties", {}), **wishes},
        "required": [*needed, *own.get("required", [])],
        "additionalProperties": False,
    }


def new_task(tool: AnyTool, arguments: Mapping[str, Any], trace: str | None) -> NewTask:
    """What the call asks for. Raises InvalidParameters that says which arguments there are."""
    model = Wishes if tool.account else BrowsingWishes
    wished = {name: value for name, value in arguments.items() if name in _names(model)}
    parameters = {name: value for name, value in arguments.items() if name not in wished}
    nested = parameters.get("parameters")
    if isinstance(nested, Mapping) and "parameters" not in tool.parameters.model_fields:
        message = "Arguments are flat: give the members of 'parameters' beside the others."
        raise InvalidParameters(message)
    wishes = parsed(model, wished)
    options: dict[str, Any] = {}
    if isinstance(wishes, BrowsingWishes):
        given = wishes.model_dump(include={"max_steps", "allowed_domains", "structured_output"}, by_alias=False)
        options = {name: value for name, value in given.items() if value is not None}
    return NewTask(
        dialect="mcp",
        platform=tool.platform,
        tool=tool.action,
        parameters=parameters,
        account_name=wishes.account_name,
        engine=wishes.engine,
        timeout_ms=wishes.timeout,
        options=options,
        dry_run=bool(wishes.dry_run),
        allow_duplicate=bool(wishes.allow_duplicate),
        idempotency_key=wishes.idempotency_key,
        merge=True,
        trace=trace,
    )


def need_storable(params: Mapping[str, Any]) -> None:
    """Raises InvalidParameters where a request holds what no row and no answer can."""
    for loc in unstorable(params):
        name = ".".join(map(str, loc[1:] if loc[:1] == ("arguments",) else loc)) or "params"
        message = f"{name}: holds characters or numbers that cannot be kept"
        raise InvalidParameters(message, details={"fields": {name: message}})


M = TypeVar("M", bound=BaseModel)


def parsed(model: type[M], arguments: Mapping[str, Any]) -> M:
    """The arguments as their model. Raises InvalidParameters that names each fault."""
    try:
        return model.model_validate(dict(arguments))
    except ValidationError as error:
        raise invalid(error, "arguments") from None


class TaskGet(BaseModel):
    """Arguments of task_get."""

    model_config = ConfigDict(extra="forbid")

    task_id: str
    wait_seconds: float = Field(default=0, json_schema_extra={"minimum": 0, "maximum": LONGEST_WAIT})
    """Brought into its bounds, not refused: what is meant by 60 is clear."""
    screenshot: bool = False


class TaskList(BaseModel):
    """Arguments of task_list."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["open", "pending", "processing", "paused", "completed", "failed", "timeout", "cancelled"] | None = (
        None
    )
    platform: str | None = None
    limit: int = Field(default=10, ge=1, le=50)
    cursor: str | None = None


class TaskNamed(BaseModel):
    """Arguments of task_cancel, task_pause and task_resume."""

    model_config = ConfigDict(extra="forbid")

    task_id: str


class AccountList(BaseModel):
    """Arguments of account_list."""

    model_config = ConfigDict(extra="forbid")

    platform: str | None = None
    status: Literal["active", "error", "pending"] | None = None


def _names(model: type[Wishes]) -> set[str]:
    """Every spelling of every wish."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        choices = field.validation_alias
        names |= {name, *map(str, choices.choices)} if isinstance(choices, AliasChoices) else {name}
    return names
