"""What the protocol's conformance suite calls: tools, resources and prompts of its own, added to the product's wiring.

Those that make tasks are tools of the catalogue, played by an engine of the tests': they go through the same calls, queue, worker and
tasks extension as every other.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from PIL import Image
from pydantic import BaseModel

from agent.engine import Assignment, Desk, EngineName, Outcome
from server.links import Links
from server.mcp_facade.facade import Handler, McpFacade
from server.mcp_facade.people import People, Question
from server.mcp_facade.tasks import declared, need_declared
from server.mcp_facade.visit import Context, Visit
from server.tasks import TaskService
from storage.tables import Task
from tools.catalog import Catalog
from tools.errors import AgentFailed
from tools.site import Signs, Site
from tools.tool import AnyTool, Parameters, Result, Tool

Call = Callable[[Context, types.CallToolRequestParams], Awaitable[Any]]
NOTHING: dict[str, Any] = {"type": "object", "properties": {}}
NAME_SCHEMA: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


# -- tools that become tasks ----------------------------------------------------------------------------------------------


class SlowCompute(Parameters):
    """How long it takes."""

    seconds: float = 0
    label: str = ""


class ConfirmDelete(Parameters):
    """What would go."""

    filename: str = ""


class NoParameters(Parameters):
    """Nothing."""


class Output(Result):
    """A text."""


def task_tools() -> Catalog:
    """The catalogue's tools whose MCP names the suite knows: `slow.compute` is slow_compute."""
    kinds: dict[str, type[Parameters]] = {
        "slow.compute": SlowCompute,
        "failing.job": NoParameters,
        "protocol.error_job": NoParameters,
        "confirm.delete": ConfirmDelete,
        "multi.input": NoParameters,
    }
    tools: dict[str, AnyTool] = {
        name: Tool(
            name=name,
            summary=f"Conformance: {name}.",
            parameters=parameters,
            result=Output,
            goal=lambda _parameters: "",
            effect="engage",
            example=parameters(),
            account=False,
        )
        for name, parameters in kinds.items()
    }
    sites = {
        tool.platform: Site(tool.platform, tool.platform, "about:blank", hosts=("*",), login_url="", logged_in=Signs())
        for tool in tools.values()
    }
    return Catalog(sites=sites, tools=tools)


class ConformanceEngine:
    """Does what the suite expects of each of these tools."""

    name: EngineName = "full"

    async def carry_out(self, assignment: Assignment, desk: Desk) -> Outcome:
        parameters = assignment.parameters
        match assignment.tool.name:
            case "slow.compute":
                assert isinstance(parameters, SlowCompute)
                await asyncio.sleep(parameters.seconds)
                return Outcome({"output": f"Computed {parameters.label}"})
            case "failing.job":
                raise AgentFailed("This job always fails.")
            case "protocol.error_job":
                raise RuntimeError("This job breaks.")
            case _:
                await desk.ask("budget", "May it go on?")
                return Outcome({"output": "Confirmed"})

    async def close(self) -> None: ...


class TwoQuestions(People):
    """Asks two questions at once of the task multi_input: the suite wants to answer them one by one."""

    def __init__(self, tasks: TaskService, links: Links) -> None:
        super().__init__(tasks, links)
        self._given: set[str] = set()

    def questions(self, task: Task) -> list[Question]:
        asked = super().questions(task)
        if task.platform != "multi":
            return asked
        both = [replace(question, key=f"{question.key}-{part}") for question in asked for part in ("a", "b")]
        return [question for question in both if question.key not in self._given]

    async def answer(self, visit: Visit, task: Task, question: Question, answered: types.ElicitResult) -> None:
        if task.platform == "multi":
            self._given.add(question.key)
            if self.questions(task):
                return
            question = replace(question, key=question.key.rpartition("-")[0])
        await super().answer(visit, task, question, answered)


# -- tools that answer at once --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fixture:
    """One tool of the suite."""

    call: Call
    schema: Mapping[str, Any] | None = None


def png() -> str:
    """One red pixel."""
    made = BytesIO()
    Image.new("RGB", (1, 1), (255, 0, 0)).save(made, "PNG")
    return base64.b64encode(made.getvalue()).decode()


def wav() -> str:
    """A sound of no length."""
    header = b"RIFF" + (36).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = (1).to_bytes(2, "little") * 2 + (8000).to_bytes(4, "little") * 2 + b"\x01\x00\x08\x00"
    return base64.b64encode(header + form + b"data" + (0).to_bytes(4, "little")).decode()


def text(words: str, *, error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=words)], is_error=error)


def embedded(uri: str, media: str, words: str) -> types.EmbeddedResource:
    return types.EmbeddedResource(resource=types.TextResourceContents(uri=uri, mime_type=media, text=words))


def says(*blocks: types.ContentBlock, error: bool = False) -> Call:
    """A tool that always answers the same."""

    async def call(ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        del ctx, params
        return types.CallToolResult(content=list(blocks), is_error=error)

    return call


async def greet(ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    del ctx
    return text(f"Hello, {(params.arguments or {}).get('name')}!")


async def with_logging(ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    del params
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.session.send_log_message("info", words, related_request_id=ctx.request_id)  # pyright: ignore[reportDeprecated]  # the suite asks for it
        await asyncio.sleep(0.05)
    return text("Logged")


async def with_progress(ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    del params
    for value in (0, 50, 100):
        await ctx.session.report_progress(value, 100)
        await asyncio.sleep(0.05)
    return text("Progressed")


async def sampling(ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    message = types.SamplingMessage(
        role="user", content=types.TextContent(text=str((params.arguments or {}).get("prompt")))
    )
    answer = await ctx.session.create_message([message], max_tokens=100, related_request_id=ctx.request_id)  # pyright: ignore[reportDeprecated]  # as above
    assert isinstance(answer.content, types.TextContent)
    return text(f"LLM response: {answer.content.text}")


def elicits(schema: Mapping[str, Any], template: str) -> Call:
    """A tool that asks with a form, in the handshake era."""

    async def call(ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        message = str((params.arguments or {}).get("message", "Please fill this in."))
        answer = await ctx.session.elicit_form(message, dict(schema), ctx.request_id)
        return text(template.format(action=answer.action, content=json.dumps(answer.content)))

    return call


USER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    },
    "required": ["username", "email"],
}
DEFAULTS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    },
}
_TITLED = [{"const": f"value{number}", "title": f"Option {number}"} for number in (1, 2, 3)]
ENUMS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {"type": "string", "oneOf": _TITLED},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
        "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
    },
}
DIALECT: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


# -- tools that ask by being called again ------------------------------------------------------------------------------------


def form(message: str, schema: Mapping[str, Any]) -> types.ElicitRequest:
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=dict(schema)))


def asks_model(words: str) -> types.CreateMessageRequest:
    message = types.SamplingMessage(role="user", content=types.TextContent(text=words))
    return types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[message], max_tokens=100))


Ask = Callable[[Context], types.InputRequests]


def rounds(*asked: Ask, state: bool = False, done: str = "Done: {}") -> Call:
    """A tool that asks in rounds, each of them until it is answered."""

    async def call(ctx: Context, params: types.CallToolRequestParams) -> Any:
        answers = params.input_responses or {}
        number = int(params.request_state or 0)
        wanted = asked[number](ctx)
        if all(well_answered(request, answers.get(key)) for key, request in wanted.items()):
            number += 1
            if number == len(asked):
                return text(done.format(json.dumps({key: told(answer) for key, answer in answers.items()})))
            wanted = asked[number](ctx)
        stated = str(number) if state else None
        return types.InputRequiredResult(input_requests=wanted, request_state=stated)

    return call


def well_answered(request: types.InputRequest, answer: object) -> bool:
    """Whether an answer is of the kind that was asked for, with what the form needs."""
    if isinstance(request, types.ElicitRequest):
        asked = request.params
        schema: Mapping[str, Any] = asked.requested_schema if isinstance(asked, types.ElicitRequestFormParams) else {}
        needed: list[str] = schema.get("required", [])
        return isinstance(answer, types.ElicitResult) and set(needed) <= (answer.content or {}).keys()
    kind = types.ListRootsResult if isinstance(request, types.ListRootsRequest) else types.CreateMessageResult
    return isinstance(answer, kind)


def told(answer: Any) -> Any:
    return answer.model_dump(by_alias=True, mode="json", exclude_none=True)


def always(**requests: types.InputRequest) -> Ask:
    return lambda _ctx: dict(requests)


def what_it_can(ctx: Context) -> types.InputRequests:
    """Only what the client declared."""
    capabilities = ctx.session.client_capabilities or types.ClientCapabilities()
    offered: types.InputRequests = {}
    if capabilities.elicitation is not None:
        offered["user_name"] = form("What is your name?", NAME_SCHEMA)
    if capabilities.sampling is not None:
        offered["greeting"] = asks_model("Generate a greeting")
    return offered


NAME = form("What is your name?", NAME_SCHEMA)
COLOUR = form(
    "Step 2: What is your favorite color?",
    {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]},
)
OK = form("Please confirm", {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]})


async def needs_sampling(ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    del params
    capabilities = ctx.session.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        missing: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "Missing required client capability", missing)
    return text("Sampling was declared")


async def streams(ctx: Context, params: types.CallToolRequestParams) -> Any:
    """Something on the stream before it asks."""
    await ctx.session.report_progress(1, 2, "asking")
    return await rounds(always(user_name=NAME))(ctx, params)


FIXTURES: Mapping[str, Fixture] = {
    "greet": Fixture(greet, NAME_SCHEMA),
    "json_schema_2020_12_tool": Fixture(says(types.TextContent(text="Fine")), DIALECT),
    "test_audio_content": Fixture(says(types.AudioContent(data=wav(), mime_type="audio/wav"))),
    "test_custom_header": Fixture(
        says(types.TextContent(text="Fine")),
        {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
    ),
    "test_elicitation": Fixture(
        elicits(USER, "User response: action={action}, content={content}"),
        {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]},
    ),
    "test_elicitation_sep1034_defaults": Fixture(
        elicits(DEFAULTS, "Elicitation completed: action={action}, content={content}")
    ),
    "test_elicitation_sep1330_enums": Fixture(
        elicits(ENUMS, "Elicitation completed: action={action}, content={content}")
    ),
    "test_embedded_resource": Fixture(
        says(embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."))
    ),
    "test_error_handling": Fixture(
        says(types.TextContent(text="This tool intentionally returns an error for testing"), error=True)
    ),
    "test_image_content": Fixture(says(types.ImageContent(data=png(), mime_type="image/png"))),
    "test_input_required_result_capabilities": Fixture(rounds(what_it_can)),
    "test_input_required_result_elicitation": Fixture(rounds(always(user_name=NAME), done="Hello, Alice! {}")),
    "test_input_required_result_list_roots": Fixture(rounds(always(client_roots=types.ListRootsRequest()))),
    "test_input_required_result_multi_round": Fixture(rounds(always(step1=NAME), always(step2=COLOUR), state=True)),
    "test_input_required_result_multiple_inputs": Fixture(
        rounds(
            always(user_name=NAME, greeting=asks_model("Generate a greeting"), client_roots=types.ListRootsRequest()),
            state=True,
        )
    ),
    "test_input_required_result_request_state": Fixture(rounds(always(confirm=OK), state=True, done="state-ok {}")),
    "test_input_required_result_sampling": Fixture(
        rounds(always(capital_question=asks_model("What is the capital of France?")))
    ),
    "test_input_required_result_tampered_state": Fixture(rounds(always(confirm=OK), state=True)),
    "test_logging_tool": Fixture(with_logging),
    "test_missing_capability": Fixture(needs_sampling),
    "test_multiple_content_types": Fixture(
        says(
            types.TextContent(text="Multiple content types test:"),
            types.ImageContent(data=png(), mime_type="image/png"),
            embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
        )
    ),
    "test_sampling": Fixture(
        sampling, {"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]}
    ),
    "test_simple_text": Fixture(says(types.TextContent(text="This is a simple text response for testing."))),
    "test_streaming_elicitation": Fixture(streams),
    "test_tool_with_logging": Fixture(with_logging),
    "test_tool_with_progress": Fixture(with_progress),
}


# -- put in -----------------------------------------------------------------------------------------------------------------


class Suite:
    """Wraps the handlers of a facade's server: what the suite knows is answered here, everything else where it always is."""

    def __init__(self, facade: McpFacade) -> None:
        self._server = facade.server
        self._kept: dict[str, Handler] = {}
        wrapped: list[tuple[str, type[BaseModel], Handler]] = [
            ("tools/list", types.PaginatedRequestParams, self.list_tools),
            ("tools/call", types.CallToolRequestParams, self.call),
            ("resources/list", types.PaginatedRequestParams, self.list_resources),
            ("resources/templates/list", types.PaginatedRequestParams, self.list_templates),
            ("resources/read", types.ReadResourceRequestParams, self.read),
            ("resources/subscribe", types.SubscribeRequestParams, self.subscribe),
            ("prompts/list", types.PaginatedRequestParams, self.list_prompts),
            ("prompts/get", types.GetPromptRequestParams, self.get_prompt),
            ("logging/setLevel", types.SetLevelRequestParams, self.set_level),
        ]
        for method, kind, handler in wrapped:
            entry = self._server.get_request_handler(method)
            if entry is not None:
                self._kept[method] = entry.handler
            self._server.add_request_handler(method, kind, handler)

    async def list_tools(self, ctx: Context, params: Any) -> types.ListToolsResult:
        listed: Any = await self._kept["tools/list"](ctx, params)
        extra = [
            types.Tool(name=name, description=f"Conformance: {name}.", input_schema=dict(fixture.schema or NOTHING))
            for name, fixture in FIXTURES.items()
        ]
        extra.append(types.Tool(name="test_tool_with_task", description="Asks, then works.", input_schema=NOTHING))
        return types.ListToolsResult(tools=sorted([*listed.tools, *extra], key=lambda tool: tool.name))

    async def call(self, ctx: Context, params: types.CallToolRequestParams) -> Any:
        if params.name == "failing_job":
            need_declared(ctx)  # the suite wants a tool that cannot do without the extension
        if params.name == "test_tool_with_task":
            return await self._ask_then_work(ctx, params)
        if params.name in FIXTURES:
            return await FIXTURES[params.name].call(ctx, params)
        return await self._kept["tools/call"](ctx, params)

    async def _ask_then_work(self, ctx: Context, params: types.CallToolRequestParams) -> Any:
        answer = (params.input_responses or {}).get("user_name")
        if not isinstance(answer, types.ElicitResult) or not declared(ctx):
            return types.InputRequiredResult(input_requests={"user_name": NAME})
        named = {"seconds": 0.1, "label": str((answer.content or {}).get("name"))}
        return await self._kept["tools/call"](ctx, types.CallToolRequestParams(name="slow_compute", arguments=named))

    async def list_resources(self, ctx: Context, params: Any) -> types.ListResourcesResult:
        listed: Any = await self._kept["resources/list"](ctx, params)
        extra = [
            types.Resource(uri=uri, name=uri, description="Conformance.", mime_type=media)
            for uri, media in (("test://static-text", "text/plain"), ("test://static-binary", "image/png"))
        ]
        return types.ListResourcesResult(resources=[*listed.resources, *extra])

    async def list_templates(self, ctx: Context, params: Any) -> types.ListResourceTemplatesResult:
        listed: Any = await self._kept["resources/templates/list"](ctx, params)
        extra = types.ResourceTemplate(uri_template="test://template/{id}/data", name="template")
        return types.ListResourceTemplatesResult(resource_templates=[*listed.resource_templates, extra])

    async def read(self, ctx: Context, params: types.ReadResourceRequestParams) -> Any:
        uri = params.uri
        if uri == "test://static-text":
            words = "This is the content of the static text resource."
            return types.ReadResourceResult(
                contents=[types.TextResourceContents(uri=uri, mime_type="text/plain", text=words)]
            )
        if uri == "test://static-binary":
            return types.ReadResourceResult(
                contents=[types.BlobResourceContents(uri=uri, mime_type="image/png", blob=png())]
            )
        if uri.startswith("test://template/"):
            named = uri.split("/")[3]
            words = json.dumps({"id": named, "templateTest": True, "data": f"Data for ID: {named}"})
            return types.ReadResourceResult(
                contents=[types.TextResourceContents(uri=uri, mime_type="application/json", text=words)]
            )
        return await self._kept["resources/read"](ctx, params)

    async def subscribe(self, ctx: Context, params: types.SubscribeRequestParams) -> Any:
        if params.uri.startswith("test://"):
            return types.EmptyResult()
        return await self._kept["resources/subscribe"](ctx, params)

    async def list_prompts(self, ctx: Context, params: Any) -> types.ListPromptsResult:
        listed: Any = await self._kept["prompts/list"](ctx, params)
        arguments = {
            "test_simple_prompt": (),
            "test_prompt_with_arguments": ("arg1", "arg2"),
            "test_prompt_with_embedded_resource": ("resourceUri",),
            "test_prompt_with_image": (),
            "test_input_required_result_prompt": (),
        }
        extra = [
            types.Prompt(
                name=name,
                description=f"Conformance: {name}.",
                arguments=[types.PromptArgument(name=one, description=one, required=True) for one in names],
            )
            for name, names in arguments.items()
        ]
        return types.ListPromptsResult(prompts=[*listed.prompts, *extra])

    async def get_prompt(self, ctx: Context, params: types.GetPromptRequestParams) -> Any:
        given = params.arguments or {}
        match params.name:
            case "test_simple_prompt":
                return prompted(types.TextContent(text="This is a simple prompt for testing."))
            case "test_prompt_with_arguments":
                words = f"Prompt with arguments: arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'"
                return prompted(types.TextContent(text=words))
            case "test_prompt_with_embedded_resource":
                block = embedded(given.get("resourceUri", ""), "text/plain", "Embedded resource content for testing.")
                return prompted(block, types.TextContent(text="Please process the embedded resource above."))
            case "test_prompt_with_image":
                block = types.ImageContent(data=png(), mime_type="image/png")
                return prompted(block, types.TextContent(text="Please analyze the image above."))
            case "test_input_required_result_prompt":
                answer = (params.input_responses or {}).get("user_context")
                if isinstance(answer, types.ElicitResult):
                    return prompted(types.TextContent(text=json.dumps(answer.content)))
                schema = {"type": "object", "properties": {"context": {"type": "string"}}, "required": ["context"]}
                asked = form("What context should the prompt use?", schema)
                return types.InputRequiredResult(input_requests={"user_context": asked})
            case _:
                return await self._kept["prompts/get"](ctx, params)

    async def set_level(self, ctx: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
        del ctx, params
        return types.EmptyResult()


def prompted(*blocks: types.ContentBlock) -> types.GetPromptResult:
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=block) for block in blocks])
