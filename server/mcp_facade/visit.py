"""Who is calling over MCP, and what they get to see: the key's own limits, narrowed by the request's headers and path."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, cast

from mcp.server.context import ServerRequestContext
from starlette.requests import HTTPConnection

from server.auth import Caller
from tools.catalog import Catalog
from tools.errors import Forbidden, InvalidParameters

Context = ServerRequestContext[Any, Any]

TOOLSETS, READONLY, WAIT = "x-mcp-toolsets", "x-mcp-readonly", "x-mcp-wait"
"""Headers that narrow what a client sees, and say how long its calls may wait (seconds)."""
LONGEST_WAIT = 50.0
"""Most clients give up on a silent call after a minute."""
SCOPE_KEY = "webhand.visit"


@dataclass(frozen=True, slots=True)
class Visit:
    """One caller as one request shows them."""

    caller: Caller
    platforms: frozenset[str] | None = None
    """None: every platform."""
    read_only: bool = False
    wait_seconds: float = 45.0
    """How long a call that creates a task waits for its end."""

    @property
    def writes(self) -> bool:
        """Whether tools that change anything can be seen."""
        return not self.read_only and bool({"write", "admin"} & self.caller.scopes)

    def sees(self, platform: str) -> bool:
        """Whether tools and tasks of the platform exist here."""
        return self.platforms is None or platform in self.platforms

    def need_write(self) -> None:
        """Raises Forbidden where nothing may be changed."""
        if self.read_only:
            message = "This connection is read-only."
            raise Forbidden(message)
        self.caller.need("write")


@dataclass(frozen=True, slots=True)
class Welcome:
    """What holds for every visitor of this server."""

    catalog: Catalog
    platforms: frozenset[str] | None = None
    read_only: bool = False
    wait_seconds: float = 45.0

    def visit(self, caller: Caller, headers: Mapping[str, str], *, read_only: bool = False) -> Visit:
        """The visit that a verified caller's request makes. Raises InvalidParameters or PlatformNotFound when a header makes no sense."""
        allowed = [self.platforms, self._named(caller.settings.get("platforms")), self._named(headers.get(TOOLSETS))]
        return Visit(
            caller=caller,
            platforms=_intersection(allowed),
            read_only=self.read_only or read_only or headers.get(READONLY, "").strip().lower() in {"1", "true", "yes"},
            wait_seconds=self._wait(caller, headers.get(WAIT)),
        )

    def _named(self, names: Any) -> frozenset[str] | None:
        """Canonical ids of platforms in a list, comma-separated or not; None for no list and for `all`."""
        if names is None:
            return None
        listed = names.split(",") if isinstance(names, str) else cast("list[Any]", names)
        wanted = [str(name).strip() for name in listed if str(name).strip()]
        if "all" in wanted or (isinstance(names, str) and not wanted):
            return None
        return frozenset(self.catalog.site(name).id for name in wanted)

    def _wait(self, caller: Caller, header: str | None) -> float:
        wished: Any = header if header is not None else caller.settings.get("wait_seconds", self.wait_seconds)
        try:
            seconds = float(wished)
        except (TypeError, ValueError):
            seconds = math.nan
        if math.isnan(seconds):
            message = f"X-MCP-Wait must be a number of seconds from 0 to {LONGEST_WAIT:g}."
            raise InvalidParameters(message)
        return min(max(seconds, 0.0), LONGEST_WAIT)


def visit_of(ctx: Context) -> Visit:
    """The visit that the request of a handler belongs to: the door has put it into the connection's scope."""
    connection = cast("HTTPConnection", ctx.request)
    return cast("Visit", connection.scope[SCOPE_KEY])


def _intersection(allowed: list[frozenset[str] | None]) -> frozenset[str] | None:
    limits = [names for names in allowed if names is not None]
    return reduce(lambda one, other: one & other, limits) if limits else None
