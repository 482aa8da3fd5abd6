"""The page that creates a task: a form made of the tool's own parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agent.engine import EngineName
from server.auth import Caller
from server.dashboard.accounts import text
from server.dashboard.page import shown
from server.dashboard.sessions import Handler
from server.errors import status_of
from server.new_task import NewTask
from server.state import reach
from server.words import in_words, platform_name
from tools.errors import Failure, InvalidParameters
from tools.tool import AnyTool

Kind = Literal["line", "text", "number", "yes", "choice", "lines", "json"]
_LINE = 200
"""A text that may be longer gets a field of several lines."""


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter as a field of the form."""

    name: str
    label: str
    kind: Kind
    required: bool
    help: str
    choices: Sequence[str] = ()
    longest: int | None = None


async def tools(request: Request, caller: Caller) -> Response:
    """GET /new: every tool, by platform."""
    catalog = reach(request)["catalog"]
    platforms = [
        {
            "name": site.name,
            "tools": [
                {"name": tool.name, "action": in_words(tool.action), "summary": tool.summary}
                for tool in catalog.of(site.id)
            ],
        }
        for site in catalog.sites.values()
    ]
    return shown(request, caller, "new.html", platforms=[one for one in platforms if one["tools"]])


async def form(request: Request, caller: Caller) -> Response:
    """GET /new/{platform}/{tool}: the form."""
    return await _form(request, caller, _tool(request), {}, "")


async def create(request: Request, caller: Caller) -> Response:
    """POST /new/{platform}/{tool}: creates the task, or shows the form again with what is wrong."""
    tool, sent = _tool(request), await request.form()
    try:
        asked = NewTask(
            dialect="browserman",
            platform=tool.platform,
            tool=tool.action,
            parameters=parameters_of(sent, fields_of(tool)),
            account_name=text(sent, "-account") or None,
            engine=cast("EngineName | None", text(sent, "-engine") or None),
            dry_run="-dry-run" in sent,
            approval="-approval" in sent or None,
            allow_duplicate="-duplicate" in sent,
        )
        created = await reach(request)["tasks"].create(caller, asked)
    except Failure as failure:
        given = {name: str(value) for name, value in sent.items()}
        return await _form(request, caller, tool, given, failure.message, status_of(failure))
    return RedirectResponse(f"/tasks/{created.task.id}", 303)


async def _form(
    request: Request, caller: Caller, tool: AnyTool, given: Mapping[str, str], wrong: str, status: int = 200
) -> Response:
    state = reach(request)
    accounts = await state["accounts"].list(caller, platform=tool.platform if tool.account else None)
    return shown(
        request,
        caller,
        "tool.html",
        status=status,
        tool=tool,
        action=in_words(tool.action),
        platform=platform_name(tool.platform, state["catalog"]),
        fields=fields_of(tool),
        accounts=[account.name for account in accounts if tool.account],
        engines=["lite", "full"] if tool.playbook is not None else ["full"],
        given=given,
        wrong=wrong,
    )


def _tool(request: Request) -> AnyTool:
    return reach(request)["catalog"].tool(request.path_params["platform"], request.path_params["tool"])


def fields_of(tool: AnyTool) -> list[Field]:
    """The tool's parameters as fields, in their order."""
    schema: dict[str, Any] = tool.parameters.model_json_schema(by_alias=True)
    required = set(schema.get("required", ()))
    return [field_of(name, part, schema, name in required) for name, part in schema.get("properties", {}).items()]


def field_of(name: str, part: Mapping[str, Any], schema: Mapping[str, Any], required: bool) -> Field:
    """One parameter, by its JSON Schema."""
    kind, choices, longest = kind_of(part, schema)
    if kind == "text" and name.lower().endswith("url"):
        kind = "line"
    return Field(name, in_words(name), kind, required, str(part.get("description", "")), choices, longest)


def kind_of(part: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[Kind, Sequence[str], int | None]:
    """What kind of field fits, its choices, and how long its text may be."""
    part = next((one for one in part.get("anyOf", ()) if one.get("type") != "null"), part)
    if "$ref" in part:
        part = schema.get("$defs", {}).get(str(part["$ref"]).rpartition("/")[2], {})
    if "enum" in part:
        return "choice", [str(one) for one in part["enum"]], None
    longest = part.get("maxLength")
    match part.get("type"):
        case "string":
            return ("line" if longest is not None and longest <= _LINE else "text"), (), longest
        case "boolean":
            return "yes", (), None
        case "integer" | "number":
            return "number", (), None
        case "array" if part.get("items", {}).get("type") == "string":
            return "lines", (), None
        case _:
            return "json", (), None


def parameters_of(sent: FormData, fields: Sequence[Field]) -> dict[str, Any]:
    """What was filled in, without what was left empty. Raises InvalidParameters."""
    values = {field.name: value_of(sent, field) for field in fields}
    return {name: value for name, value in values.items() if value is not None}


def value_of(sent: FormData, field: Field) -> Any:
    """One field's value; None: it was left empty."""
    # Browsers send line breaks as CR LF; a text's author means LF.
    given = str(sent.get(field.name) or "").replace("\r\n", "\n")
    if field.kind == "yes":
        return True if field.name in sent else None
    if not given.strip():
        return None
    match field.kind:
        case "number" | "json":
            try:
                return json.loads(given)
            except (ValueError, RecursionError):
                message = f"'{field.label}' is not {'a number' if field.kind == 'number' else 'JSON'}."
                raise InvalidParameters(message) from None
        case "lines":
            return [line.strip() for line in given.splitlines() if line.strip()]
        case "text":
            return given
        case _:
            return given.strip()


PAGES: tuple[tuple[str, Handler, tuple[str, ...]], ...] = (
    ("/new", tools, ("GET",)),
    ("/new/{platform}/{tool}", form, ("GET",)),
    ("/new/{platform}/{tool}", create, ("POST",)),
)
