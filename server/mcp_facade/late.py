"""The MCP server, built beside everything else that starts: its library's types alone take half a second to import.

The server answers meanwhile; who comes for MCP first waits for the rest of that half second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, Route, Router, WebSocketRoute
from starlette.types import Receive, Scope, Send

if TYPE_CHECKING:
    from server.mcp_facade.facade import McpFacade


class LateMcp:
    """Stands where the facade's endpoints will be. Put `routes` into the app and `running` around its life."""

    def __init__(self, build: Callable[[], McpFacade]) -> None:
        self._build = build
        self._opened: asyncio.Future[Router] | None = None

    def routes(self, path: str = "/mcp") -> list[BaseRoute]:
        """The facade's own paths, each of which leads to it."""
        paths = (path, f"{path}/", f"{path}/readonly")
        return [*(Route(one, self) for one in paths), WebSocketRoute(f"{path}/pipe", self)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands one connection to the facade, once there is one."""
        router = await self.opened()
        await router(scope, receive, send)

    async def opened(self) -> Router:
        """The facade's paths, once it is built."""
        if self._opened is None:
            message = "MCP is served inside `running` only."
            raise RuntimeError(message)
        return await asyncio.shield(self._opened)

    @asynccontextmanager
    async def running(self, after: Awaitable[None] | None = None) -> AsyncGenerator[None]:
        """Builds the facade, when something else that starts is done, and keeps its sessions alive, in a task of its own.

        Can be entered once.
        """
        self._opened = asyncio.get_running_loop().create_future()
        closing = asyncio.Event()
        living = asyncio.create_task(self._live(self._opened, closing, after), name="mcp")
        living.add_done_callback(self._leave_nobody_waiting)
        try:
            yield
        finally:
            closing.set()
            await living

    async def _live(
        self, opened: asyncio.Future[Router], closing: asyncio.Event, after: Awaitable[None] | None
    ) -> None:
        if after is not None:
            await after
        await asyncio.to_thread(import_module, "server.mcp_facade.facade")  # in a thread: the loop goes on meanwhile
        facade = self._build()
        async with facade.running():
            opened.set_result(Router(facade.routes()))
            await closing.wait()

    def _leave_nobody_waiting(self, _living: asyncio.Task[None]) -> None:
        if self._opened is not None and not self._opened.done():
            self._opened.cancel()
