"""`webhand mcp`: hands messages through between a client on stdin and stdout and the one server of this data folder.

The server answers on a Unix socket; when none does, one is started in this process, on the same socket, so that the next client finds
it. When the server goes away while a client is connected, the next one takes its place: the client is introduced to it again, and
calls that were under way are answered with an error that says where to look. No message is understood here beyond its id and method; a
client that introduces itself while a server of its own is still starting is answered from what the server always says.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from server.mcp_facade.introduction import answer
from server.mcp_facade.lines import Lines, Message, parsed
from server.mcp_facade.reach import Own, Refused, connected

__all__ = ["Refused", "serve_stdio"]
_LOST = "The Webhand server went away during this call. Its task may have gone on: task_list shows it. Do not simply repeat the call."
_UNANSWERED = -32000


class Front:
    """One client's connection to whichever server there is."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._introduction: str | None = None
        """The client's `initialize`, for the next server. Clients of 2026 and later do not need any."""
        self._greeted = False
        """Whether we answered it ourselves: the first server has to hear it too."""
        self._introduced = False
        self._open: dict[str, Message] = {}
        """Requests that await their answer, by id."""
        self._unsent: str | None = None
        self.silent = True
        """Whether the client has said nothing yet."""
        self.over = False

    async def greet(self) -> None:
        """Answers a client that introduces itself before there is a server. May be cancelled while the client is silent."""
        line = await self._lines.line()
        self.silent, self.over, self._unsent = False, line is None, line
        answered = answer(parsed(line)) if line is not None else None
        if line is None or answered is None:
            return
        await self._lines.write(json.dumps(answered))
        self._unsent = None
        if parsed(line).get("method") == "initialize":
            self._introduction, self._greeted = line, True

    async def serve(self, socket: ClientConnection) -> None:
        """Hands messages through until the client or the server goes."""
        if self._introduction is not None and (self._introduced or self._greeted):
            await self._introduce(socket, self._introduction)
        to_server = asyncio.create_task(self._to_server(socket))
        to_client = asyncio.create_task(self._to_client(socket))
        await asyncio.wait({to_server, to_client}, return_when=asyncio.FIRST_COMPLETED)
        for task in (to_server, to_client):
            task.cancel()
        await asyncio.gather(to_server, to_client, return_exceptions=True)
        if not self.over:
            await self._apologise()

    async def _to_server(self, socket: ClientConnection) -> None:
        while True:
            line = self._unsent or await self._lines.line()
            if line is None:
                self.over = True
                return
            self._unsent = line
            message = parsed(line)
            try:
                await socket.send(line)
            except ConnectionClosed:
                return  # the next server gets it
            self._unsent = None
            self._note_request(line, message)

    def _note_request(self, line: str, message: Message) -> None:
        match message.get("method"):
            case "initialize":
                self._introduction = line
            case "notifications/initialized":
                self._introduced = True
            case _:
                pass
        if "method" in message and "id" in message:
            self._open[str(message["id"])] = message

    async def _to_client(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                text = await socket.recv(decode=True)
                message = parsed(text)
                if "method" not in message:
                    self._open.pop(str(message.get("id")), None)
                await self._lines.write(text)

    async def _introduce(self, socket: ClientConnection, introduction: str) -> None:
        """Says again what the client said first; the client has its answer already."""
        wanted = parsed(introduction).get("id")
        with contextlib.suppress(ConnectionClosed):
            await socket.send(introduction)
            while parsed(await socket.recv(decode=True)).get("id") != wanted:
                pass
            if self._introduced:
                await socket.send('{"jsonrpc":"2.0","method":"notifications/initialized"}')

    async def _apologise(self) -> None:
        """Answers what the server that went away can answer no more."""
        for request in list(self._open.values()):
            error = {"code": _UNANSWERED, "message": _LOST}
            await self._lines.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}))
        self._open.clear()


async def serve_stdio(
    address: Path, key: Callable[[], str], own: Own, headers: Mapping[str, str] | None = None
) -> None:
    """Serves the client on stdin and stdout until it goes.

    `address`: the Unix socket. `key`: reads this machine's API key, when it is needed. `own`: a server that answers on `address`
    while the context lasts. `headers`: X-MCP-Toolsets, X-MCP-Readonly, X-MCP-Wait. Raises Refused, and whatever `own` raises.
    """
    front = Front(Lines())
    greeting = asyncio.create_task(front.greet(), name="greeting")
    while not front.over:
        async with AsyncExitStack() as stack:
            try:
                socket = await connected(stack, address, key, own, headers or {})
            finally:
                if front.silent:
                    greeting.cancel()
                await asyncio.gather(greeting, return_exceptions=True)
            await front.serve(socket)
