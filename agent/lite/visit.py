"""One connection of a browser to its gate: the HTTP proxy protocol (CONNECT, and absolute-form requests), spoken with h11."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from base64 import b64encode
from collections.abc import Awaitable, Callable, Generator, Iterable
from dataclasses import dataclass
from typing import cast
from urllib.parse import unquote, urlsplit

import h11

from agent.domains import Address, join, literal

HEAD_BYTES = 64 * 1024
CHUNK_BYTES = 64 * 1024
IDLE_SECONDS = 300.0
CONNECT_SECONDS = 15.0
DROPPED = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"upgrade",
        b"expect",
    )
)
"""Headers that are between two neighbours only, and what we do not offer."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Headers = Iterable[tuple[bytes, bytes]]


class RefusedError(Exception):
    """The host is outside the wall; the message says so to whoever asked."""


class UnreachableError(Exception):
    """The host is inside the wall but does not answer."""


@dataclass(frozen=True)
class Upstream:
    """A proxy of the operator's that lies between us and the internet."""

    host: str
    port: int
    tls: bool
    authorization: bytes | None

    @classmethod
    def parse(cls, url: str) -> Upstream:
        """From `http://[user:password@]host:port`, or https. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("a proxy is written http://host:port")
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
        return cls(
            host=parts.hostname,
            port=parts.port or (443 if parts.scheme == "https" else 80),
            tls=parts.scheme == "https",
            authorization=b"Basic " + b64encode(user.encode()) if user else None,
        )

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What it wants to be told with each request."""
        return [(b"Proxy-Authorization", self.authorization)] if self.authorization else []


class Visit:
    """One connection of the browser's. `reach` answers connected streams for a host and port, or raises RefusedError or
    UnreachableError; they lead to the upstream proxy where there is one.
    """

    def __init__(
        self, streams: Streams, reach: Callable[[str, int], Awaitable[Streams]], upstream: Upstream | None
    ) -> None:
        self._browser = Wire(streams, h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES))
        self._reach = reach
        self._upstream = upstream

    async def serve(self) -> None:
        """Serves requests until the browser goes, or has its tunnel."""
        while isinstance(request := await self._browser.receive(), h11.Request):
            try:
                if request.method == b"CONNECT":
                    return await self._tunnel(request)
                await self._forward(request)
            except RefusedError as refused:
                await self._answer(403, str(refused))
            except (UnreachableError, OSError, TimeoutError, h11.RemoteProtocolError):
                await self._answer(502, "The site did not answer.")
            except ValueError:
                await self._answer(400, "This is no request to a proxy.")
            if self._browser.protocol.our_state is not h11.DONE or self._browser.protocol.their_state is not h11.DONE:
                return None
            self._browser.protocol.start_next_cycle()
        return None

    async def _answer(self, status: int, text: str) -> None:
        """A short page of our own, unless an answer is under way already; the connection ends with it."""
        if self._browser.protocol.our_state is not h11.SEND_RESPONSE:
            raise ConnectionAbortedError
        body = text.encode()
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            await self._browser.send(event)

    async def _tunnel(self, request: h11.Request) -> None:
        """Joins the browser and the host, byte by byte, until both are done or nothing moves any more."""
        host, port = host_and_port(f"//{request.target.decode()}")
        with ending(await self._reach(host, port)) as site:
            if self._upstream:
                await ask_tunnel(site, join(host, port), self._upstream.headers)
            await self._browser.send(h11.Response(status_code=200, headers=[]))
            site[1].write(self._browser.protocol.trailing_data[0])
            await splice(self._browser.streams, site)

    async def _forward(self, request: h11.Request) -> None:
        """Passes one plain request on and its answer back."""
        url = request.target.decode()
        parts = urlsplit(url)
        if parts.scheme != "http":
            raise ValueError(url)
        host, port = host_and_port(url, default=80)
        path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        own = [(b"Host", parts.netloc.rpartition("@")[2].encode()), (b"Connection", b"close")]
        if self._upstream:
            path, own = url, [*own, *self._upstream.headers]
        with ending(await self._reach(host, port)) as streams:
            site = Wire(streams, h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES))
            headers = [*own, *kept(request.headers, b"host")]
            await site.send(h11.Request(method=request.method, target=path, headers=headers))
            while not isinstance(event := await self._browser.receive(), h11.EndOfMessage):
                await site.send(event)
            await site.send(event)
            await self._return(site)

    async def _return(self, site: Wire) -> None:
        """Passes an answer back to the browser as it comes."""
        while not isinstance(event := await site.receive(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                event = h11.Response(status_code=event.status_code, headers=kept(event.headers), reason=event.reason)
            elif not isinstance(event, h11.Data):
                if isinstance(event, h11.InformationalResponse):
                    continue
                raise UnreachableError
            await self._browser.send(event)
        await self._browser.send(h11.EndOfMessage())


class Wire:
    """A pair of streams that speaks HTTP/1.1."""

    def __init__(self, streams: Streams, protocol: h11.Connection) -> None:
        self.streams = streams
        self.protocol = protocol

    async def receive(self) -> h11.Event:
        """The next event. Raises TimeoutError after five minutes of silence, h11.RemoteProtocolError on nonsense."""
        while (event := self.protocol.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(IDLE_SECONDS):
                self.protocol.receive_data(await self.streams[0].read(CHUNK_BYTES))
        return cast("h11.Event", event)  # never PAUSED: what follows is only asked for when a cycle is over

    async def send(self, event: h11.Event) -> None:
        """Sends an event and waits until the other side can take more."""
        if bytes_ := self.protocol.send(event):
            self.streams[1].write(bytes_)
            await self.streams[1].drain()


@contextlib.contextmanager
def ending(streams: Streams) -> Generator[Streams]:
    """Closes a connection afterwards: in good order, or at once when something went wrong."""
    try:
        yield streams
    except BaseException:
        streams[1].transport.abort()
        raise
    streams[1].close()


def host_and_port(url: str, default: int | None = None) -> tuple[str, int]:
    """Where a request wants to go. Raises ValueError."""
    parts = urlsplit(url)
    port = parts.port or default
    if not parts.hostname or not port:
        raise ValueError(url)
    return parts.hostname.rstrip("."), port


def kept(headers: Headers, *dropped: bytes) -> list[tuple[bytes, bytes]]:
    """The headers that go from one end to the other."""
    return [(name, value) for name, value in headers if name not in DROPPED and name not in dropped]


async def ask_tunnel(proxy: Streams, target: str, headers: Headers) -> None:
    """Asks an upstream proxy for a tunnel. Raises UnreachableError when it says no."""
    wire = Wire(proxy, h11.Connection(h11.CLIENT))
    await wire.send(h11.Request(method="CONNECT", target=target, headers=[(b"Host", target.encode()), *headers]))
    answer = await wire.receive()
    if not isinstance(answer, h11.Response) or answer.status_code != 200:
        raise UnreachableError(target)


async def splice(one: Streams, other: Streams) -> None:
    """Copies both ways until both sides are done; ends it when nothing has moved for five minutes."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(IDLE_SECONDS) as patience, asyncio.TaskGroup() as both:

        async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while chunk := await reader.read(CHUNK_BYTES):
                    patience.reschedule(loop.time() + IDLE_SECONDS)
                    writer.write(chunk)
                    await writer.drain()
                if writer.can_write_eof():
                    writer.write_eof()
                else:
                    writer.close()  # TLS knows no half-closed connection

        both.create_task(copy(one[0], other[1]))
        both.create_task(copy(other[0], one[1]))


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a host; none when its name does not resolve."""
    if (address := literal(host)) is not None:
        return [address]
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        return []
    addresses = [literal(str(entry[4][0]).partition("%")[0]) for entry in found]
    return list(dict.fromkeys(address for address in addresses if address is not None))


async def connect(host: str, port: int, *, tls: bool = False) -> Streams:
    """An open connection. Raises UnreachableError."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await asyncio.open_connection(host, port, ssl=tls or None)
    except (OSError, TimeoutError) as error:
        raise UnreachableError(host) from error
