"""A language model that follows a script: a server of the OpenAI protocol (chat completions) without a model behind it.

`webhand demo --engine full` and the tests run on it. It reads what an agent is shown (the task, the page's elements) and answers
what a script says, so a run is the same every time and costs nothing. It never pretends to think.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server.practice.site import Server
from server.rehearsal import DEMO_SCRIPTS, Fault, Script, Turn, is_structured, scene_of


class RehearsedModel:
    """The server. `scripts` maps model names to scripts; what follows an `@` in a name only tells conversations apart."""

    def __init__(self, scripts: Mapping[str, Script], *, api_key: str | None = None) -> None:
        self.scripts = scripts
        self.api_key = api_key
        """The key that is asked for; None: any."""
        self.requests: list[bytes] = []
        """Every body that was received, for tests that look for what must not be there."""
        self.keep_requests = False
        self._rounds: dict[str, itertools.count[int]] = {}
        self.app = Starlette(
            routes=[
                Route("/v1/models", self.models),
                Route("/v1/chat/completions", self.complete, methods=["POST"]),
            ]
        )

    async def models(self, request: Request) -> Response:
        """The scripts, as a list of models."""
        return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in self.scripts]})

    async def complete(self, request: Request) -> Response:
        """One chat completion."""
        body = await request.body()
        if self.keep_requests:
            self.requests.append(body)
        if self.api_key is not None and request.headers.get("authorization") != f"Bearer {self.api_key}":
            return refused(Fault(401, "Incorrect API key provided", "invalid_api_key"))
        asked: dict[str, Any] = json.loads(body)
        name = str(asked["model"])
        script = self.scripts.get(name.partition("@")[0])
        if script is None:
            return refused(Fault(404, f"The model '{name}' does not exist", "model_not_found"))
        try:
            said = script(scene_of(asked, next(self._rounds.setdefault(name, itertools.count()))))
            turn = said if isinstance(said, Turn | Fault) else await said
        except LookupError as lost:
            turn = Turn([{"done": {"success": False, "text": f"The rehearsed model lost its place: {lost.args[0]}."}}])
        if turn.delay:
            await asyncio.sleep(turn.delay)
        return refused(turn) if isinstance(turn, Fault) else JSONResponse(completion(asked, turn))


def refused(fault: Fault) -> Response:
    """The fault as an HTTP answer."""
    if fault.body is not None:
        return Response(fault.body, fault.status, dict(fault.headers))
    error = {"message": fault.message, "type": "error", "param": None, "code": fault.code}
    return JSONResponse({"error": error}, fault.status, dict(fault.headers))


def completion(asked: Mapping[str, Any], turn: Turn) -> dict[str, Any]:
    """The turn in the protocol's form: as a tool call where a tool was to be called, as JSON or text otherwise."""
    said = json.dumps(
        {
            "thinking": "",
            "evaluation_previous_goal": turn.evaluation,
            "memory": turn.memory,
            "next_goal": turn.next_goal,
            "action": list(turn.actions),
        }
    )
    message: dict[str, Any] = {"role": "assistant", "content": said if is_structured(asked) else turn.text}
    reason = turn.finish_reason
    if turn.refusal is not None:
        message |= {"content": None, "refusal": turn.refusal}
    elif asked.get("tools"):
        call = {"name": asked["tools"][0]["function"]["name"], "arguments": said}
        message |= {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": call}]}
        reason = "tool_calls" if reason == "stop" else reason
    used = turn.prompt_tokens, turn.completion_tokens
    return {
        "id": "chatcmpl-rehearsed",
        "object": "chat.completion",
        "created": 0,
        "model": asked["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {
            "prompt_tokens": used[0],
            "completion_tokens": used[1],
            "total_tokens": sum(used),
            "prompt_tokens_details": {"cached_tokens": turn.cached_tokens},
        },
    }


@contextlib.asynccontextmanager
async def serve_rehearsed_model(scripts: Mapping[str, Script] = DEMO_SCRIPTS) -> AsyncGenerator[str]:
    """Serves the scripts on a free port of 127.0.0.1 while the context lasts and gives the endpoint's base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        RehearsedModel(scripts).app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = Server(config)
    running = asyncio.create_task(server.serve([listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        await running
        listener.close()
