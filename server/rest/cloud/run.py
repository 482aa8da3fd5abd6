"""POST /run-task (3.2), and the options that it shares with schedules (3.9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agent.domains import parse_domains
from server.auth import Caller
from server.door import sent
from server.models import HOSTED
from server.new_task import NewTask
from server.rest.cloud.balance import check_balance
from server.rest.cloud.parsing import body_of, wrong
from server.rest.cloud.wire import Created, Text, cut_to_text
from server.rest.endpoint import caller_of, trace_of
from server.rest.message import Message
from server.state import State, reach
from server.structured import schema_of
from storage.tables import Artifact, Profile
from tools.errors import Conflict, InvalidParameters

DEFAULT_MODEL = "gpt-4.1"
COUNTRIES = ("us", "uk", "fr", "it", "jp", "au", "de", "fi", "ca", "in")
MAX_STEPS, DEFAULT_STEPS = 200, 75
MAX_TASK_FILES = 50 * 1024 * 1024
"""Bytes of all the files of one task (3.7)."""
_STEP_MS = 20_000
_LEAST_MS = 600_000
_ROOM = 100
"""How many files, domains or secrets a task may have: ours, the documents name no limit."""


def country(code: Any) -> str | None:
    """A country's code, whatever its case. Raises ValueError."""
    if code is None:
        return None
    known = code.strip().lower() if isinstance(code, str) else ""
    if known not in COUNTRIES:
        raise not_among(COUNTRIES)
    return known


def not_among(permitted: Sequence[str]) -> PydanticCustomError:
    """The error of a value that is none of those that are known."""
    expected = ", ".join(f"'{one}'" for one in permitted)
    return PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})


def domains(given: list[str] | None) -> list[str] | None:
    """Domain patterns in one spelling; none at all means every domain. Raises ValueError."""
    try:
        return list(parse_domains(given)) if given else None
    except InvalidParameters as failure:
        raise ValueError(failure.message) from None


def few(pairs: dict[str, str] | None) -> dict[str, str] | None:
    """At most ten pairs. Raises ValueError."""
    if pairs is not None and len(pairs) > 10:
        message = "ensure this value has at most 10 pairs"
        raise ValueError(message)
    return pairs


Country = Annotated[str | None, PlainValidator(country), WithJsonSchema({"enum": [*COUNTRIES, None], "default": "us"})]
Key = Annotated[str, Field(min_length=1, max_length=100), BeforeValidator(cut_to_text)]
Value = Annotated[str, Field(max_length=1000), BeforeValidator(cut_to_text)]
Metadata = Annotated[dict[Key, Value] | None, AfterValidator(few)]
Shape = Annotated[
    Any, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}, {"type": "null"}], "default": None})
]
Words = Annotated[str, Field(min_length=1, max_length=32_000, pattern=r"\S")]
Model = Annotated[str, Field(min_length=1, max_length=200)]


class RunOptions(Message):
    """How a task is to be run. Every member may be null, which means its default; unknown members are ignored."""

    model_config = ConfigDict(extra="ignore")

    secrets: dict[Text, Text] | None = Field(
        None,
        max_length=_ROOM,
        description="Names and values that the agent may type and never sees. Kept encrypted until the task ends, shown nowhere.",
        examples=[{"password": "correct horse"}],
    )
    allowed_domains: Annotated[list[str] | None, AfterValidator(domains)] = Field(
        None,
        max_length=_ROOM,
        description="The only domains that the browser may reach: `example.com` or `*.example.com`. Null or empty: all.",
        examples=[["example.com", "*.example.org"]],
    )
    save_browser_data: bool | None = Field(
        default=False, description="Whether cookies come back as `browser_data`, and the login is kept for later tasks."
    )
    structured_output_json: Shape = Field(
        None,
        description="What `output` must satisfy: a JSON Schema, or an example of the wished shape; as JSON text or as an object.",
        examples=['{"type": "object", "properties": {"title": {"type": "string"}}}'],
    )
    llm_model: Model | None = Field(
        DEFAULT_MODEL,
        description="The language model. One that this server's endpoint does not have is replaced by its own.",
    )
    use_adblock: bool | None = Field(default=True, description="Whether advertisements and trackers are blocked.")
    use_proxy: bool | None = Field(
        default=True,
        description="Whether the browser goes through the proxy of `proxy_country_code`, where there is one.",
    )
    proxy_country_code: Country = Field("us", description="In upper or lower case.")
    highlight_elements: bool | None = Field(
        default=True, description="Whether the agent's screenshots mark what can be clicked."
    )
    included_file_names: list[str] | None = Field(
        None, max_length=_ROOM, description="Names of uploaded files that the task may use."
    )
    browser_viewport_width: int | None = Field(1280, ge=200, le=4096)
    browser_viewport_height: int | None = Field(960, ge=200, le=4096)
    max_agent_steps: int | None = Field(DEFAULT_STEPS, ge=1, le=MAX_STEPS)
    enable_public_share: bool | None = Field(
        default=False, description="Whether everybody who has its link may read the task and its result."
    )
    metadata: Metadata = Field(
        None, description="At most ten pairs of your own; keys of 1-100, values of at most 1000 characters."
    )

    def wanted(self, name: str) -> Any:
        """A member's value, its default where it is null."""
        value = getattr(self, name)
        return type(self).model_fields[name].default if value is None else value

    def given(self, name: str) -> bool:
        """Whether the caller said something about it."""
        return name in self.model_fields_set and getattr(self, name) is not None


class RunTask(RunOptions):
    """POST /run-task (3.2)."""

    task: Words = Field(
        description="What to do in the browser, in plain words.", examples=["Report the title of example.com"]
    )
    browser_profile_id: str | None = Field(
        None, description="A browser profile; null: the default one, if there is one."
    )


@dataclass(frozen=True, slots=True)
class Ready:
    """Options as a task is stored with them."""

    options: dict[str, Any]
    timeout_ms: int
    profile_id: str | None = None


async def prepared(state: State, caller: Caller, asked: RunOptions, profile_id: str | None = None) -> Ready:
    """The options, checked against what there is. Raises InvalidParameters, Conflict or ProfileNotFound."""
    files = list(dict.fromkeys(asked.included_file_names or []))
    await check_files(state, caller, files)
    profile = await state["browser_profiles"].chosen(caller, profile_id, keeps=bool(asked.save_browser_data))
    options = {
        **browser_options(asked, profile),
        "max_steps": asked.wanted("max_agent_steps"),
        "highlight_elements": asked.wanted("highlight_elements"),
        "save_browser_data": asked.wanted("save_browser_data"),
        "record": state["settings"].record,
        "structured_output": shape_of(asked.structured_output_json),
        "model": await model_of(state, asked),
        "allowed_domains": asked.allowed_domains,
        "files": files or None,
    }
    return Ready(
        {name: value for name, value in options.items() if value is not None},
        timeout_ms=max(_LEAST_MS, asked.wanted("max_agent_steps") * _STEP_MS),
        profile_id=profile.id if profile is not None else None,
    )


def browser_options(asked: RunOptions, profile: Profile | None) -> dict[str, Any]:
    """What the request does not say, the profile does."""
    known: Mapping[str, Any] = {}
    if profile is not None:
        known = {
            "use_adblock": profile.ad_blocker,
            "use_proxy": profile.proxy,
            "proxy_country_code": profile.proxy_country_code.lower(),
            "browser_viewport_width": profile.viewport_width,
            "browser_viewport_height": profile.viewport_height,
        }

    def chosen(name: str) -> Any:
        return known[name] if name in known and not asked.given(name) else asked.wanted(name)

    return {
        "use_adblock": chosen("use_adblock"),
        "proxy": chosen("proxy_country_code") if chosen("use_proxy") else None,
        "viewport_width": chosen("browser_viewport_width"),
        "viewport_height": chosen("browser_viewport_height"),
    }


def shape_of(given: Any) -> dict[str, Any] | None:
    """The JSON Schema of the output. Raises InvalidParameters."""
    try:
        return schema_of(given)
    except ValueError as error:
        raise wrong(["body", "structured_output_json"], str(error)) from None


async def model_of(state: State, asked: RunOptions) -> str | None:
    """The language model; None: the configured one. Raises InvalidParameters."""
    if not asked.given("llm_model"):
        return None
    if state["settings"].strict_models and asked.llm_model not in HOSTED:
        permitted = ", ".join(f"'{name}'" for name in HOSTED)
        message = f"value is not a valid enumeration member; permitted: {permitted}"
        raise wrong(["body", "llm_model"], message, "type_error.enum")
    return await state["models"].resolve(asked.llm_model)


async def check_files(state: State, caller: Caller, names: Sequence[str]) -> None:
    """Raises Conflict when a file is not there, or all together are too large."""
    found = [await state["artifacts"].uploaded(caller.owner, name) for name in names]
    absent = [name for name, file in zip(names, found, strict=True) if file is None]
    if absent:
        shown = ", ".join(f"'{name}'" for name in absent)
        raise Conflict(
            f"These files were not uploaded, or are gone: {shown}. Ask for a presigned URL and upload them first."
        )
    if total(found) > MAX_TASK_FILES:
        raise Conflict(f"The files of one task may have {MAX_TASK_FILES // 1024**2} MB together.")


def total(files: Iterable[Artifact | None]) -> int:
    """The size of all files in bytes."""
    return sum(file.size for file in files if file is not None)


async def run_task(request: Request) -> Response:
    """POST /run-task (3.2)."""
    state, caller = reach(request), caller_of(request)
    body = await body_of(request, RunTask)
    new = NewTask(
        dialect="cloud",
        platform="browser",
        tool="runTask",
        parameters={"task": body.task},
        secrets=body.secrets,
        labels=body.metadata,
        share=body.wanted("enable_public_share"),
        idempotency_key=request.headers.get("idempotency-key"),
        request=sent(request),
        trace=trace_of(request),
    )

    async def complete(asked: NewTask) -> NewTask:
        await check_balance(state, caller)
        ready = await prepared(state, caller, body, body.browser_profile_id or None)
        return replace(
            asked,
            options=ready.options,
            timeout_ms=ready.timeout_ms,
            most_timeout_ms=ready.timeout_ms,
            profile_id=ready.profile_id,
        )

    created = await state["tasks"].create(caller, new, complete)
    return JSONResponse(Created(id=created.task.id).model_dump())
