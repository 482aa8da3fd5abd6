"""What every request passes: a request id, a bounded body, a verified key, a counted use."""

from __future__ import annotations

import json
import re
from typing import Any

import structlog
import uuid_utils
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.auth import Caller, bearer
from server.errors import Refusing, unforeseen
from server.state import reach
from tools.errors import BodyTooLarge, InvalidParameters, RateLimited, UnsupportedType

_SAFE_ID = re.compile(r"[\w.:-]{1,128}")
_BODY = "webhand.body"
_log = structlog.get_logger("server.requests")


async def enter(connection: HTTPConnection, scope: str) -> Caller:
    """The verified caller, counted against its key's limits. Raises Unauthorized, Forbidden or RateLimited."""
    state = reach(connection)
    caller = await state["verifier"].verify(bearer(connection.headers))
    settings = state["settings"]
    hourly = int(caller.settings.get("hourly", settings.hourly_limit))
    daily = int(caller.settings.get("daily", settings.daily_limit))
    try:
        standing = await state["meter"].count(caller.key_id, hourly, daily)
    except RateLimited as failure:
        connection.scope["webhand.headers"] = dict(failure.details)
        raise
    connection.scope["webhand.headers"] = standing.headers()
    caller.need(scope)
    return caller


async def json_body(request: Request, limit: int | None = None) -> Any:
    """The body as JSON. Raises BodyTooLarge, UnsupportedType or InvalidParameters."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise UnsupportedType
    raw = await read_body(request, limit or reach(request)["settings"].max_body)
    try:
        found: Any = json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError):
        message = "The body is not valid JSON."
        raise InvalidParameters(message) from None
    request.scope[_BODY] = found
    return found


def sent(request: Request) -> Any:
    """The JSON body as it was sent, once `json_body` has read it."""
    return request.scope.get(_BODY)


async def read_body(request: Request, limit: int) -> bytes:
    """The body's bytes. Raises BodyTooLarge as soon as there are more than `limit`."""
    too_large = BodyTooLarge(f"The body is larger than {limit} bytes.")
    if int(request.headers.get("content-length", "0") or 0) > limit:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


class Door:
    """ASGI middleware: gives each request an id, adds the headers that `enter` found, and logs one line about it.

    Nothing that breaks inside gets past it, unless an answer was begun and not ended: `refuse` answers, where nobody has yet.
    The path is logged without its query, and live and file tokens never: they are credentials.
    """

    def __init__(self, app: ASGIApp, refuse: Refusing) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _SAFE_ID.fullmatch(given) else uuid_utils.uuid7().hex
        status, ended = 0, False

        async def answer(message: Message) -> None:
            nonlocal status, ended
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in scope.get("webhand.headers", {}).items():
                    headers[name] = value
            await send(message)

        with structlog.contextvars.bound_contextvars(request=request_id):
            try:
                await self._app(scope, receive, answer)
            except Exception as error:
                failure = unforeseen(error)
                if status and not ended:
                    raise
                if not status:
                    response = await self._refuse(Request(scope, receive), failure)
                    await response(scope, receive, answer)
            _log.info("request", method=scope["method"], path=shown(scope["path"]), status=status)


def shown(path: str) -> str:
    """The path as it may be logged."""
    return re.sub(r"^/(live|relayed|share|sign-in)/[^/]+", r"/\1/…", path)
