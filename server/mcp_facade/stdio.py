"""`webhand mcp`: hands messages through between a client on stdin and stdout and the one server of this data folder.

The server answers on a Unix socket; when none does, one is started in this process, on the same socket, so that the next client finds
it. When the server goes away while a client is connected, the next one takes its place: the client is introduced to it again, and
calls that were under way are answered with an error that says where to look. No message is understood here beyond its id and method; a
client that introduces itself, or asks which tools there are, while a server of its own is still starting is answered from what the server
always says.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from server.mcp_facade.introduction import answer, listed
from server.mcp_facade.lines import Lines, Message, parsed
from server.mcp_facade.reach import Own, Refused, connected
from server.settings import SettingWrong

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
        self.idle = True
        """Whether nothing that the client said is being answered here."""
        self.unnarrowed = False
        """Whether the server will show the client every tool: one of our own that is starting, and nothing narrows it."""
        self.over = False

    async def greet(self) -> None:
        """Answers a client before there is a server, until it wants one. May be cancelled while it is idle."""
        while self._unsent is None and not self.over:
            line = await self._lines.line()
            self.idle, self.over = False, line is None
            if line is not None and not await self._answered(line):
                self._unsent = line
            self.idle = True

    async def _answered(self, line: str) -> bool:
        """Whether the line needs no server."""
        message = parsed(line)
        if message.get("method") == "notifications/initialized" and self._greeted:
            self._introduced = True  # the server hears it after the introduction
            return True
        introduction = parsed(self._introduction) if self._introduction is not None else None
        told = answer(message) or (listed(message, introduction) if self.unnarrowed else None)
        if told is None:
            return False
        await self._lines.write(json.dumps(told))
        if message.get("method") == "initialize":
            self._introduction, self._greeted = line, True
        return True

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

    async def refuse(self, error: Exception) -> None:
        """Tells a client that is waiting for its first answer why there is no server for it."""
        request = parsed(self._unsent or "")
        if "method" not in request or "id" not in request:
            return
        why = str(error) if isinstance(error, Refused | SettingWrong) else f"Webhand broke ({type(error).__name__})."
        told = {"code": _UNANSWERED, "message": f"Webhand could not start. {why}"}
        await self._lines.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": told}))

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
    greeting: asyncio.Task[None] | None = None

    def greet() -> None:
        """Nobody answers yet: whoever runs already is as fast as we could be."""
        nonlocal greeting
        greeting = greeting or asyncio.create_task(front.greet(), name="greeting")

    @asynccontextmanager
    async def starting() -> AsyncGenerator[None]:
        front.unnarrowed = not {"X-MCP-Toolsets", "X-MCP-Readonly"} & set(headers or {})
        async with own():
            yield

    async def reached(stack: AsyncExitStack) -> ClientConnection:
        try:
            return await connected(stack, address, key, starting, headers or {}, greet)
        finally:
            if greeting is not None:
                if front.idle:
                    greeting.cancel()
                await asyncio.gather(greeting, return_exceptions=True)

    while not front.over:
        async with AsyncExitStack() as stack:
            try:
                socket = await reached(stack)
            except Exception as error:
                await front.refuse(error)
                raise
            if not front.over:
                await front.serve(socket)
