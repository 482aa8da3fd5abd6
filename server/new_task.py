"""What a new task is asked for with, and what each part of it must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from agent.engine import EngineName
from tools.errors import InvalidParameters
from tools.tool import AnyTool, Parameters

Dialect = Literal["browserman", "cloud", "mcp", "command", "schedule"]
DEFAULT_TIMEOUT_MS: Mapping[EngineName, int] = {"lite": 120_000, "full": 300_000}
MAX_TIMEOUT_MS: Mapping[EngineName, int] = {"lite": 300_000, "full": 600_000}
_LEAST_TIMEOUT_MS = 1000
USUAL_PRIORITY = 100
"""1 is first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """What is asked for, whichever facade it came through."""

    dialect: Dialect
    platform: str
    tool: str
    parameters: Mapping[str, Any]
    account_name: str | None = None
    engine: EngineName | None = None
    timeout_ms: int | None = None
    most_timeout_ms: int | None = None
    """How long it may take at the most, where the dialect does not have the Tasks API's limits (contract 1.3)."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    secrets: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    profile_id: str | None = None
    schedule_id: str | None = None
    share: bool = False
    dry_run: bool = False
    approval: bool | None = None
    """None: as the account, the key and the settings say."""
    allow_duplicate: bool = False
    priority: int = USUAL_PRIORITY
    idempotency_key: str | None = None
    request: Any = None
    """The body as it was sent: what an idempotency key stands for. None: everything that is asked for here."""
    merge: bool | None = None
    """Whether an identical task of the same key that is still open is answered with; None: as the settings say."""
    trace: str | None = None

    def told(self) -> Any:
        """Everything that makes it this very request and no other."""
        if self.request is not None:
            return [self.dialect, self.platform, self.tool, self.request]
        asked = asdict(self)
        return [asked[name] for name in sorted(asked.keys() - _NOT_ASKED)]


_NOT_ASKED = frozenset({"request", "idempotency_key", "merge", "trace"})


def validated(tool: AnyTool, parameters: Mapping[str, Any]) -> Parameters:
    """The parameters as the tool's model. Raises InvalidParameters that names each field and what is wrong with it."""
    try:
        model: Parameters = tool.parameters.model_validate(dict(parameters))
    except ValidationError as error:
        raise invalid(error) from None
    if tool.check is not None:
        tool.check(model)
    return model


def invalid(error: ValidationError, where: str = "parameters") -> InvalidParameters:
    """A validation error as one sentence a field, without the values, which may be secret."""
    fields = {".".join(map(str, item["loc"])) or where: complaint(item) for item in error.errors(include_input=False)}
    message = "; ".join(f"{name}: {what}" for name, what in fields.items())
    return InvalidParameters(message, details={"fields": fields})


def complaint(item: Any) -> str:
    """Pydantic's words for one fault, without its prefix for our own."""
    if item["type"] == "extra_forbidden":
        return "is not known here: check the spelling"
    return str(item["msg"]).removeprefix("Value error, ")


def engine_for(tool: AnyTool, wished: EngineName | None) -> EngineName:
    """The engine: the wished one, else lite where there is a playbook. Raises InvalidParameters where lite cannot do it."""
    if wished == "lite" and tool.playbook is None:
        message = f"'{tool.name}' has no playbook: only the engine 'full' can do it."
        raise InvalidParameters(message, details={"field": "preferredEngine"})
    return wished or ("full" if tool.playbook is None else "lite")


def timeout_for(engine: EngineName, wished: int | None, most: int | None = None) -> int:
    """The time-out in ms (contract 1.3). More than the most is brought down to it: the documents name no error for it."""
    if wished is None:
        return DEFAULT_TIMEOUT_MS[engine]
    if wished < _LEAST_TIMEOUT_MS:
        message = f"'timeout' is in milliseconds and must be at least {_LEAST_TIMEOUT_MS}."
        raise InvalidParameters(message, details={"field": "timeout"})
    return min(wished, most or MAX_TIMEOUT_MS[engine])


def preview(tool: AnyTool, parameters: Parameters) -> str:
    """What a person sees who must approve."""
    content = tool.content(parameters) if tool.content is not None else tool.goal(parameters)
    return f"{tool.summary} {content}"
