"""What every MCP request passes: a Host and an Origin that are ours, a verified key, and the visit that follows from both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from server.auth import Caller, Verifier, bearer
from server.errors import status_of
from server.mcp_facade.messages import Fault
from server.mcp_facade.visit import SCOPE_KEY, Welcome
from tools.errors import Failure, PlatformNotFound, Unauthorized

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Names:
    """Under which names the server may be called, and from which pages. Else any page could reach it through a name of its own."""

    public_url: Callable[[], str]
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    """Origins whose scripts may call; `*` for all."""

    def refusal(self, host: str, origin: str | None) -> Response | None:
        """What is answered to a request under another name; None when it is ours."""
        if not self._ours(f"//{host}"):
            message = f"This server does not answer to the name '{host}': add it to WEBHAND_ALLOWED_HOSTS."
            return _refusal(message, 421)
        if origin is None or origin in self.origins or "*" in self.origins or self._ours(origin):
            return None
        return _refusal(f"Pages of {origin} may not call this server: see WEBHAND_CORS_ORIGINS.", 403)

    def _ours(self, address: str) -> bool:
        name = _host(address)
        return name in _LOOPBACK or name in self.hosts or name == _host(self.public_url())


class McpDoor:
    """ASGI middleware in front of one MCP endpoint."""

    def __init__(
        self, app: ASGIApp, verifier: Verifier, welcome: Welcome, names: Names, *, read_only: bool = False
    ) -> None:
        self._app = app
        self._verifier = verifier
        self._welcome = welcome
        self._names = names
        self._read_only = read_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets one connection in, or answers why not."""
        refusal = await self._enter(HTTPConnection(scope))
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(refusal)
        else:
            await refusal(scope, receive, send)

    async def _enter(self, connection: HTTPConnection) -> Response | None:
        headers = connection.headers
        refusal = self._names.refusal(headers.get("host", ""), headers.get("origin"))
        if refusal is not None:
            return refusal
        try:
            caller = await self._verifier.verify(bearer(headers))
            connection.scope[SCOPE_KEY] = self._welcome.visit(caller, headers, read_only=self._read_only)
        except Failure as failure:
            return _turned_away(failure)
        connection.scope["user"] = AuthenticatedUser(access_token(caller))  # a session belongs to the key that began it
        return None


def access_token(caller: Caller) -> AccessToken:
    """The caller in the words of the protocol's library, which keeps sessions of different keys apart. Without the key itself."""
    return AccessToken(token="", client_id=caller.key_id, scopes=sorted(caller.scopes))


def lower(names: Iterable[str]) -> frozenset[str]:
    """Host names as they are compared."""
    return frozenset(name.strip().lower() for name in names)


def _refusal(message: str, status: int) -> Response:
    """As an error of the protocol: its clients show that one's message, and of any other body nothing."""
    return JSONResponse(Fault(message).answer(), status)


def _turned_away(failure: Failure) -> Response:
    if isinstance(failure, Unauthorized):  # clients show people the description (RFC 6750)
        body = {"error": "invalid_token", "error_description": failure.message}
        return JSONResponse(body, 401, {"WWW-Authenticate": 'Bearer realm="webhand", error="invalid_token"'})
    # Not 404 for a platform that a header names: clients would conclude that their session is gone.
    return _refusal(failure.message, 400 if isinstance(failure, PlatformNotFound) else status_of(failure))


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
