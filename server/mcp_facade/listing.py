"""tools/list. An answer is made once for each kind of visitor: since 2026 the library asks for the whole list before each call."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from server.mcp_facade.app import EXTENSION as APP_EXTENSION
from server.mcp_facade.tools import Toolbox
from server.mcp_facade.visit import Context, visit_of

_MOST = 64
Kind = tuple[frozenset[str] | None, bool, bool, str]
"""What a list depends on: the platforms, whether anything may be changed, whether apps are shown, the version."""


class Listing:
    """Lists the tools. `once` is middleware."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self._answers: dict[Kind, dict[str, Any]] = {}

    async def list(self, ctx: Context, _params: types.PaginatedRequestParams) -> types.ListToolsResult:
        """What the visit may use."""
        return types.ListToolsResult(tools=self._toolbox.seen(visit_of(ctx), app=_shows_apps(ctx)))

    async def once(self, ctx: Context, call_next: Any) -> Any:
        """The rest of the chain; a list that was checked and written out before is answered as it is."""
        if ctx.method != "tools/list" or ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return await call_next(ctx)
        visit = visit_of(ctx)
        kind = (visit.platforms, visit.writes, _shows_apps(ctx), ctx.protocol_version)
        if kind not in self._answers:
            if len(self._answers) >= _MOST:  # headers can make as many kinds as there are sets of platforms
                self._answers.clear()
            self._answers[kind] = await call_next(ctx)
        return dict(self._answers[kind])


def _shows_apps(ctx: Context) -> bool:
    capabilities = ctx.session.client_capabilities
    return APP_EXTENSION in ((capabilities.extensions if capabilities is not None else None) or {})
