"""A Chrome DevTools Protocol client of our own, small and apart from the agent's.

The agent's clients cannot be shared: Playwright's is closed to others, cdp-use keeps one handler per event name and
awaits it inside its read loop. And both negotiate permessage-deflate, for which Chromium spends a fifth of a core on
a screencast at 20 frames a second; this one turns compression off.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection, connect

Answer = dict[str, Any]
"""What Chromium sends back: JSON by its own protocol description, read where it is used."""
Listener = Callable[[str, Answer, str | None], None]
"""Takes an event: its method, its parameters, and the session it came from (None: the browser itself)."""


class Refused(Exception):
    """Chromium answered a command with an error."""


class Gone(ConnectionError):
    """The browser, or the connection to it, has ended."""


class Cdp:
    """One connection to a browser's DevTools WebSocket. Open it with `Cdp.open`; several sessions share it."""

    def __init__(self, socket: ClientConnection, listener: Listener) -> None:
        self.gone = asyncio.Event()
        self._socket = socket
        self._listener = listener
        self._last = 0
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, url: str, listener: Listener) -> Cdp:
        """Connects; `listener` is called in order for every event and must not block. Raises Gone."""
        try:
            return cls(await connect(url, max_size=None, compression=None, ping_interval=None, proxy=None), listener)
        except (OSError, TimeoutError, websockets.WebSocketException) as error:
            raise Gone("the browser does not answer") from error

    async def post(
        self, method: str, parameters: Mapping[str, object] | None = None, session: str | None = None
    ) -> asyncio.Future[Answer]:
        """Sends a command and returns the future of its answer, which nobody needs to await. Raises Gone.

        Chromium keeps the order of what is posted to one session.
        """
        if self.gone.is_set():
            raise Gone("the browser is gone")
        self._last += 1
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_seen)
        self._waiting[self._last] = answer
        command: dict[str, object] = {"id": self._last, "method": method, "params": parameters or {}}
        if session:
            command["sessionId"] = session
        try:
            await self._socket.send(json.dumps(command))
        except websockets.ConnectionClosed:
            raise Gone("the browser is gone") from None
        return answer

    async def call(
        self,
        method: str,
        parameters: Mapping[str, object] | None = None,
        session: str | None = None,
        *,
        seconds: float = 10,
    ) -> Answer:
        """Sends a command and returns its answer. Raises Refused, Gone or TimeoutError."""
        async with asyncio.timeout(seconds):
            return await (await self.post(method, parameters, session))

    async def close(self) -> None:
        """Ends the connection; Chromium then forgets every session of it by itself."""
        self._reader.cancel()
        with suppress(asyncio.CancelledError):
            await self._reader
        await self._socket.close()

    async def _read(self) -> None:
        try:
            async for raw in self._socket:
                self._take(json.loads(raw))
        except websockets.ConnectionClosed:
            pass
        finally:
            self.gone.set()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(Gone("the browser is gone"))
            self._waiting.clear()

    def _take(self, message: Answer) -> None:
        if "id" not in message:
            self._listener(message["method"], message["params"], message.get("sessionId"))
            return
        answer = self._waiting.pop(message["id"], None)
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(Refused(message["error"].get("message", "refused")))
        else:
            answer.set_result(message["result"])


def _seen(answer: asyncio.Future[Answer]) -> None:
    """Keeps asyncio from complaining about a refused command that was only posted."""
    if not answer.cancelled():
        answer.exception()
