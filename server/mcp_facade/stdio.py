"""`webhand mcp`: hands messages through between a client on stdin and stdout and the one server of this data folder.

The server answers on a Unix socket; when none does, one is started in this process, on the same socket, so that the next client finds
it. When the server goes away while a client is connected, the next one takes its place: the client is introduced to it again, and
calls that were under way are answered with an error that says where to look. No message is understood here beyond its id and method; a
client that introduces itself while a server of its own is still starting is answered from what the server always says.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from server.mcp_facade.introduction import answer

_URI = "ws://localhost/mcp/pipe"
_PATIENCE_S = 60.0
"""How long a server that somebody else is starting may take to answer."""
_STARTING_S = 3.0
_LOOK_S = 0.05
_LARGEST = 32 * 1024 * 1024
_LOST = "The Webhand server went away during this call. Its task may have gone on: task_list shows it. Do not simply repeat the call."
_UNANSWERED = -32000
Message = dict[str, Any]
Own = Callable[[], AbstractAsyncContextManager[object]]


class Refused(Exception):
    """The server does not let this client in."""


class Stdio:
    """stdin and stdout as lines. Nothing but what is written here reaches the real stdout: prints of anybody land on stderr."""

    def __init__(self) -> None:
        self._input, self._output = os.dup(0), os.dup(1)
        os.dup2(2, 1)
        with Path(os.devnull).open() as nothing:
            os.dup2(nothing.fileno(), 0)
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        # A thread of our own, that nobody waits for: a read of stdin cannot be interrupted.
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    async def line(self) -> str | None:
        """The next line; None at the end."""
        return await self._lines.get()

    async def write(self, line: str) -> None:
        """Writes one line."""
        await asyncio.to_thread(_write_all, self._output, line.encode() + b"\n")

    def _read(self) -> None:
        rest = b""
        while chunk := _read_some(self._input):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._hand_over(line.decode(errors="replace"))
        self._hand_over(None)

    def _hand_over(self, line: str | None) -> None:
        if line is None or line.strip():
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                self._loop.call_soon_threadsafe(self._lines.put_nowait, line)


class Front:
    """One client's connection to whichever server there is."""

    def __init__(self, stdio: Stdio) -> None:
        self._stdio = stdio
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
        line = await self._stdio.line()
        self.silent, self.over, self._unsent = False, line is None, line
        answered = answer(_parsed(line)) if line is not None else None
        if line is None or answered is None:
            return
        await self._stdio.write(json.dumps(answered))
        self._unsent = None
        if _parsed(line).get("method") == "initialize":
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
            line = self._unsent or await self._stdio.line()
            if line is None:
                self.over = True
                return
            self._unsent = line
            message = _parsed(line)
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
                message = _parsed(text)
                if "method" not in message:
                    self._open.pop(str(message.get("id")), None)
                await self._stdio.write(text)

    async def _introduce(self, socket: ClientConnection, introduction: str) -> None:
        """Says again what the client said first; the client has its answer already."""
        wanted = _parsed(introduction).get("id")
        with contextlib.suppress(ConnectionClosed):
            await socket.send(introduction)
            while _parsed(await socket.recv(decode=True)).get("id") != wanted:
                pass
            if self._introduced:
                await socket.send('{"jsonrpc":"2.0","method":"notifications/initialized"}')

    async def _apologise(self) -> None:
        """Answers what the server that went away can answer no more."""
        for request in list(self._open.values()):
            error = {"code": _UNANSWERED, "message": _LOST}
            await self._stdio.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}))
        self._open.clear()


async def serve_stdio(
    address: Path, key: Callable[[], str], own: Own, headers: Mapping[str, str] | None = None
) -> None:
    """Serves the client on stdin and stdout until it goes.

    `address`: the Unix socket. `key`: reads this machine's API key, when it is needed. `own`: a server that answers on `address`
    while the context lasts. `headers`: X-MCP-Toolsets, X-MCP-Readonly, X-MCP-Wait. Raises Refused, and whatever `own` raises.
    """
    front = Front(Stdio())
    greeting = asyncio.create_task(front.greet(), name="greeting")
    while not front.over:
        async with AsyncExitStack() as stack:
            try:
                socket = await _connected(stack, address, key, own, headers or {})
            finally:
                if front.silent:
                    greeting.cancel()
                await asyncio.gather(greeting, return_exceptions=True)
            await front.serve(socket)


async def _connected(
    stack: AsyncExitStack, address: Path, key: Callable[[], str], own: Own, headers: Mapping[str, str]
) -> ClientConnection:
    """A connection to the running server, or to one of our own when there is none."""
    clock = asyncio.get_running_loop().time
    ends, trouble = clock() + _PATIENCE_S, None
    while True:
        socket = await _try(stack, address, key, headers)
        if socket is not None:
            return socket
        with _first(address) as first:
            if first:
                try:
                    await stack.enter_async_context(own())
                    continue
                except Exception as error:  # noqa: BLE001  # it is raised below, unless a server answers soon
                    # Somebody may be starting one by hand: that one answers in a moment.
                    ends, trouble = min(ends, clock() + _STARTING_S), error
        if clock() > ends:
            raise trouble or Refused(f"No Webhand answers at {address}.")
        await asyncio.sleep(_LOOK_S if trouble is None else _LOOK_S * 5)


async def _try(
    stack: AsyncExitStack, address: Path, key: Callable[[], str], headers: Mapping[str, str]
) -> ClientConnection | None:
    try:
        authorization = {"Authorization": f"Bearer {key()}"}
        with _short(address) as path:
            connecting = unix_connect(
                path, _URI, additional_headers={**authorization, **headers}, max_size=_LARGEST, compression=None
            )
            return await stack.enter_async_context(connecting)
    except InvalidStatus as error:
        body = error.response.body or b""
        message = _parsed(body.decode(errors="replace")).get("error_description", f"HTTP {error.response.status_code}")
        raise Refused(str(message)) from None
    except (OSError, InvalidHandshake, EOFError):
        return None  # nobody there, or not any more


@contextlib.contextmanager
def _first(address: Path) -> Generator[bool]:
    """Whether this process is the one that may start a server now: of several clients that begin at once only one does."""
    address.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(address.with_name("starting"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(handle)


@contextlib.contextmanager
def _short(address: Path) -> Generator[str]:
    """The address in a form that fits into a socket's name, whose length is limited."""
    if len(str(address)) < 100:  # sun_path
        yield str(address)
        return
    folder = os.open(address.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{address.name}"
    finally:
        os.close(folder)


def _parsed(text: str) -> Message:
    """The message as far as it can be read."""
    try:
        message: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # any JSON object


def _read_some(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError:
        return b""


def _write_all(handle: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(handle, data) :]
    except BrokenPipeError:
        sys.stderr.write("webhand mcp: the client does not read any more\n")
