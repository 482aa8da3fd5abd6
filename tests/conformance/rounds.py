"""The suite's tools that ask by being called again, as the protocol does since 2026."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import mcp_types as types

from server.mcp_facade.visit import Context
from tests.conformance.answers import Call
from tests.conformance.content import text
from tests.conformance.schemas import NAME_SCHEMA


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


async def streams(ctx: Context, params: types.CallToolRequestParams) -> Any:
    """Something on the stream before it asks."""
    await ctx.session.report_progress(1, 2, "asking")
    return await rounds(always(user_name=NAME))(ctx, params)
