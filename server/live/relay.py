"""Passes a live view on to the worker that runs its task, when that is not this process.

A front has checked the person's token and origin; the worker is shown a token of another purpose, signed with the key that all
processes share, good for a moment. The worker decides everything else: the room, and who is in control, are where the browser is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Protocol
from urllib.parse import urlencode

import httpx
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from server.signing import Signed, Signer

RELAYED = "relayed"
"""The purpose of a front's token, and the path under which a worker takes it."""
_GOOD_FOR_S = 30
_CONNECT_S = 5.0
_ANSWER_S = 45.0
"""Longer than a worker waits for a browser before it says that there is none."""
_LARGEST = 16 * 2**20
_UNTIL = "until="
_PASSED_ON = range(4000, 5000)


class Whereabouts(Protocol):
    """Knows which process runs a task."""

    async def elsewhere(self, task_id: str) -> str | None:
        """`host:port` of the other process that runs it; None: this one does, or none."""
        ...

    def moves(self, task_id: str) -> AsyncGenerator[str | None]:
        """`elsewhere`, now and after every change of the task."""
        ...


class Moved(Exception):
    """Another process has begun to run the task."""


class Unreachable(Exception):
    """The worker did not take the connection: its HTTP status, or 503."""

    def __init__(self, status: int = 503, message: str = "The task's worker does not answer.") -> None:
        self.status = status
        super().__init__(message)


def relayed_token(signer: Signer, signed: Signed) -> str:
    """What a front shows a worker. It carries the rights of the person's token and when that ends."""
    rights = [*signed.rights, f"{_UNTIL}{signed.expires}"]
    return signer.sign(RELAYED, signed.subject, expires=int(time.time()) + _GOOD_FOR_S, rights=rights)


def person_of(signed: Signed) -> Signed:
    """The person's rights and the end of them, out of a front's token."""
    ends = [int(right.removeprefix(_UNTIL)) for right in signed.rights if right.startswith(_UNTIL)]
    rights = frozenset(right for right in signed.rights if not right.startswith(_UNTIL))
    return Signed(signed.subject, min([*ends, signed.expires + 86_400]), rights)


class Relay:
    """The way to the workers."""

    def __init__(self, whereabouts: Whereabouts, signer: Signer) -> None:
        self._whereabouts = whereabouts
        self._signer = signer
        # One for all: each client that is made reads every authority's certificate, which holds everybody up for 35 ms.
        self._client = httpx.AsyncClient(timeout=httpx.Timeout(_ANSWER_S, connect=_CONNECT_S), trust_env=False)

    async def close(self) -> None:
        """Gives the connections to workers back."""
        await self._client.aclose()

    async def address(self, task_id: str) -> str | None:
        """Where to pass it on to; None: it is ours."""
        return await self._whereabouts.elsewhere(task_id)

    @asynccontextmanager
    async def staying(self, task_id: str) -> AsyncGenerator[None]:
        """Raises Moved as soon as another process runs the task."""
        limit = asyncio.timeout(None)

        async def look() -> None:
            async for address in self._whereabouts.moves(task_id):
                if address is not None:
                    limit.reschedule(asyncio.get_running_loop().time())
                    return

        looking = asyncio.create_task(look())
        try:
            async with limit:
                yield
        except TimeoutError:
            if limit.expired():
                raise Moved from None
            raise
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def request(self, request: Request, signed: Signed, address: str, what: str) -> Response:
        """The worker's answer to an HTTP request. Raises Unreachable."""
        url = self._url("http", address, signed, what, request)
        try:
            answer = await self._client.request(request.method, url, content=request.stream())
        except httpx.TransportError:
            raise Unreachable from None
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))

    async def socket(self, socket: WebSocket, signed: Signed, address: str, what: str) -> int:
        """Passes a WebSocket on until one side ends it; the close code that the person is to get. Raises Unreachable."""
        try:
            inner = await connect(
                self._url("ws", address, signed, what, socket),
                subprotocols=[Subprotocol(name) for name in socket.scope["subprotocols"]] or None,
                compression=None,  # JPEG frames do not get smaller
                proxy=None,
                open_timeout=_ANSWER_S,
                max_size=_LARGEST,
                max_queue=2,  # a slow viewer slows its worker's pictures down, and fills nobody's memory
            )
        except InvalidStatus as refusal:
            body = (refusal.response.body or b"").decode(errors="replace").strip()
            raise Unreachable(refusal.response.status_code, body or "The task's worker refused.") from None
        except (OSError, TimeoutError, InvalidHandshake):
            raise Unreachable from None
        async with inner:
            await socket.accept(inner.subprotocol)
            await either(outwards(inner, socket), inwards(socket, inner))
        code = inner.close_code or 0
        return code if code in _PASSED_ON else 4503 if code != 1000 else 1000

    def _url(self, scheme: str, address: str, signed: Signed, what: str, connection: HTTPConnection) -> str:
        query = urlencode(connection.query_params.multi_items())
        return f"{scheme}://{address}/{RELAYED}/{relayed_token(self._signer, signed)}/{what}?{query}"


async def outwards(inner: ClientConnection, socket: WebSocket) -> None:
    """What the worker sends reaches the person as fast as they take it."""
    with suppress(ConnectionClosed, WebSocketDisconnect):
        async for message in inner:
            await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))


async def inwards(socket: WebSocket, inner: ClientConnection) -> None:
    """What the person sends reaches the worker."""
    with suppress(ConnectionClosed):
        while (message := await socket.receive())["type"] == "websocket.receive":
            sent = message.get("text")
            await inner.send(sent if sent is not None else message["bytes"])


async def either(*ways: Awaitable[None]) -> None:
    """Both ways, until one ends."""
    jobs = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
