"""An endpoint as a value: what routes it and what documents it are made from the same lines.

Both dialects list theirs as `ENDPOINTS: tuple[Endpoint, ...]`; `routes` makes Starlette's routes of them and `openapi` the documents.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from server.auth import Caller
from server.door import enter
from server.storable import storable
from tools.errors import Failure

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Handler = Callable[[Request], Awaitable[Response]]
_CALLER = "webhand.caller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method at one path, in the order a reader wants to know about it."""

    method: Method
    path: str
    """Below the dialect's mount, in Starlette's words: `/tasks/{task_id}`."""
    handler: Handler
    scope: str | None
    """What the caller's key must allow (read, write, admin); None: no key is looked at. Enforced by the route."""
    summary: str
    description: str = ""
    tag: str = ""
    """The chapter of the documents it stands in."""
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_examples: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Title to JSON body."""
    media: str = "application/json"
    """Of the answer; anything but JSON is documented as bytes."""
    answer: Any = None
    """The type of the answer, whatever pydantic can describe (model, TypedDict, bool, ...), without the dialect's envelope."""
    bare: bool = False
    """Whether the answer comes without the envelope."""
    status: int = 200
    """Of success."""
    examples: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Title to answer, without the envelope."""
    errors: tuple[type[Failure], ...] = ()
    """What it can fail with besides what the scope and the models imply."""
    idempotent: bool = False
    """Whether it takes an Idempotency-Key."""
    documented: bool = True
    """False for further spellings that are routed and not shown."""


def caller_of(request: Request) -> Caller:
    """Who is calling: the route has verified the key and counted the call."""
    return cast("Caller", request.scope[_CALLER])


_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def trace_of(request: Request) -> str | None:
    """The caller's W3C traceparent, if it is one."""
    given = request.headers.get("traceparent", "")
    return given if _TRACEPARENT.fullmatch(given) else None


class Slashless:
    """ASGI middleware: a slash at the end of a path changes nothing. A redirect would lose what a caller sends, or its key."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        scope["path"] = scope["path"].rstrip("/")
        await self._app(scope, receive, send)


def routes(endpoints: Iterable[Endpoint]) -> list[Route]:
    """One route a path, so that 405 names every method that the path has; fixed paths come before those with a parameter."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        if endpoint.method in paths.setdefault(endpoint.path, {}):
            message = f"{endpoint.method} {endpoint.path} is listed twice"
            raise ValueError(message)
        paths[endpoint.path][endpoint.method] = endpoint
    fixed_first = sorted(paths.items(), key=lambda item: "{" in item[0])
    return [Route(path, _dispatch(methods), methods=list(methods)) for path, methods in fixed_first]


def _dispatch(methods: Mapping[str, Endpoint]) -> Handler:
    async def handle(request: Request) -> Response:
        endpoint = methods.get("GET" if request.method == "HEAD" else request.method)
        if endpoint is None:  # the route itself lets only its methods by
            raise HTTPException(405)
        # An id that no row can have finds none: what a database cannot take is replaced.
        request.scope["path_params"] = {
            name: value if storable(value) else "-" for name, value in request.path_params.items()
        }
        if endpoint.scope is not None:
            request.scope[_CALLER] = await enter(request, endpoint.scope)
        return await endpoint.handler(request)

    return handle
