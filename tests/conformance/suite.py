"""What the protocol's conformance suite calls, put into the product's wiring."""

from __future__ import annotations

import json
from typing import Any

import mcp_types as types
from pydantic import BaseModel

from server.mcp_facade.facade import Handler, McpFacade
from server.mcp_facade.tasks import declared, need_declared
from server.mcp_facade.visit import Context
from tests.conformance.content import embedded, png, prompted
from tests.conformance.fixtures import FIXTURES
from tests.conformance.rounds import NAME, form
from tests.conformance.schemas import NOTHING


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
