"""The suite's tools that answer at once, or ask on the stream, as the handshake era does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from server.mcp_facade.visit import Context
from tests.conformance.content import text

Call = Callable[[Context, types.CallToolRequestParams], Awaitable[Any]]


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


async def needs_sampling(ctx: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    del params
    capabilities = ctx.session.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        missing: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "Missing required client capability", missing)
    return text("Sampling was declared")
