"""What an HTTP request to MCP must be before the protocol's library sees it, in words that say what to do.

The library answers the same requests with its validator's text, with none, or by beginning a session that nobody will use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.streamable_http import check_accept_headers
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.door import read_body
from server.mcp_facade.messages import Fault, Json, message_of, too_large
from tools.errors import BodyTooLarge

_METHODS = {"POST", "GET", "DELETE"}
_VERSION, _SESSION = "mcp-protocol-version", "mcp-session-id"
_META_VERSION = "io.modelcontextprotocol/protocolVersion"
_KNOWN = frozenset({*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS})
_NO_SESSION = (
    "There is no session: send initialize first, then its answer's Mcp-Session-Id header with every request. "
    f"Clients of {min(MODERN_PROTOCOL_VERSIONS)} and later send the MCP-Protocol-Version header instead."
)
_SESSION_GONE = "There is no such session (any more): send initialize, without Mcp-Session-Id, to begin a new one."


class Intake:
    """ASGI middleware: hands the protocol's library only what it can serve. `largest`: bytes that a body may have."""

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        request = Request(scope, receive)
        read = await self._read(request)
        if isinstance(read, Response):
            await read(scope, receive, send)
            return
        again = receive if read is None else _again(read, receive)
        await self._app(scope, again, _in_words(send) if _in_session(request.headers) else send)

    async def _read(self, request: Request) -> bytes | Response | None:
        """The body, if there is one, or what is answered instead."""
        methods = {"POST"} if request.headers.get(_VERSION) in MODERN_PROTOCOL_VERSIONS else _METHODS
        if request.method not in methods:
            fault = Fault(
                "Send each message in a POST request. Before 2026, GET listens to a session and DELETE ends it."
            )
            return _refusal(fault, 405, {"Allow": ", ".join(sorted(methods))})
        if request.method == "POST":
            return await self._posted(request)
        return None if _SESSION in request.headers else _refusal(Fault(_NO_SESSION), 400)

    async def _posted(self, request: Request) -> bytes | Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _refusal(Fault("Send the message as JSON, with Content-Type: application/json."), 415)
        if not all(check_accept_headers(request)):
            return _refusal(Fault("Take either answer, with Accept: application/json, text/event-stream."), 406)
        try:
            body = await read_body(request, self._largest)
        except BodyTooLarge:
            return _refusal(too_large(self._largest), 413)
        message = message_of(body)
        if isinstance(message, Fault):
            return _refusal(message, 400)
        wrong = _out_of_place(request.headers, message)
        return body if wrong is None else _refusal(Fault(wrong, id=message.get("id")), 400)


def _out_of_place(headers: Mapping[str, str], message: Json) -> str | None:
    """Why a message cannot be served over HTTP as it comes."""
    version = headers.get(_VERSION)
    if version is not None and version not in _KNOWN:
        params: Json = message.get("params") or {}
        meta: Any = params.get("_meta")
        told = isinstance(meta, dict) and _META_VERSION in meta  # the library answers that with the versions it knows
        return None if told else f"MCP-Protocol-Version must be one of {', '.join(sorted(_KNOWN))}."
    modern = version in MODERN_PROTOCOL_VERSIONS
    return None if modern or _SESSION in headers or message.get("method") == "initialize" else _NO_SESSION


def _in_session(headers: Mapping[str, str]) -> bool:
    return _SESSION in headers and headers.get(_VERSION) not in MODERN_PROTOCOL_VERSIONS


def _again(body: bytes, receive: Receive) -> Receive:
    """What the app receives: the body that was read already, then whatever follows."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def following() -> Message:
        return left.pop() if left else await receive()

    return following


def _in_words(send: Send) -> Send:
    """Sends on, but says what to do where a session is not found."""
    gone = _refusal(Fault(_SESSION_GONE), 404)
    lost = False

    async def sending(message: Message) -> None:
        nonlocal lost
        if message["type"] == "http.response.start" and message["status"] == gone.status_code:
            lost = True
            await send({"type": "http.response.start", "status": gone.status_code, "headers": gone.raw_headers})
        elif not lost:
            await send(message)
        elif not message.get("more_body"):
            await send({"type": "http.response.body", "body": gone.body})

    return sending


def _refusal(fault: Fault, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(fault.answer(), status, headers)
