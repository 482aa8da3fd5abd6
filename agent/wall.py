"""The wall around a task's browser, enforced at the network: an egress proxy on loopback, one per task.

A browser that can only speak to its gate reaches nothing else: redirects, frames, fetch, WebSockets and service workers
all come by here. The gate resolves names itself and connects to the very address it has checked, so that a name which
changes its address between two looks (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import h11

from agent.domains import Wall, narrow, parse_domains
from agent.lite.visit import (
    HEAD_BYTES,
    RefusedError,
    Streams,
    UnreachableError,
    Upstream,
    Visit,
    connect,
    ending,
    resolve,
)

__all__ = ["FLAGS", "Gate", "Upstream", "Wall", "narrow", "parse_domains"]

BLOCKED_KEPT = 50
NOWHERE = ".invalid"
"""Names that never exist (RFC 6761): Chromium is sent there with what it wants of its maker, and no resolver hears of it."""
FLAGS = (
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--dns-prefetch-disable",
    "--disable-quic",
)
"""What Chromium itself must be told: loopback is no exception, no name is resolved and no UDP is sent past the proxy."""


class Gate:
    """An open gate: `url` is the proxy to give to the browser, `args` the flags that its Chromium needs.

    `blocked`: the hosts that were refused, each once, the first fifty; `ads`: those of advertisers and trackers. `wall`
    and `upstream` may be changed while it is open; connections that are made already stay.
    """

    args = FLAGS

    def __init__(self, wall: Wall, upstream: Upstream | None) -> None:
        self.wall = wall
        self.upstream = upstream
        self.url = ""
        self.blocked: list[str] = []
        self.ads: list[str] = []
        self._visits: set[asyncio.Task[None]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, wall: Wall, upstream: str | None = None) -> AsyncGenerator[Gate]:
        """Opens a gate on a free port of 127.0.0.1; leaving it closes every connection.

        `upstream`: http(s)://[user:password@]host:port, a proxy through which everything allowed goes. Raises ValueError.
        """
        gate = cls(wall, Upstream.parse(upstream) if upstream else None)
        server = await asyncio.start_server(gate._welcome, "127.0.0.1", 0, limit=HEAD_BYTES)
        gate.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield gate
        finally:
            server.close()
            visits = list(gate._visits)
            for visit in visits:
                visit.cancel()
            await asyncio.gather(*visits, return_exceptions=True)

    def refused(self, url: str) -> bool:
        """Whether that URL's host was refused."""
        return (urlsplit(url).hostname or "") in self.blocked

    async def reach(self, host: str, port: int) -> Streams:
        """Streams to a host inside the wall, at an address that was checked. Raises RefusedError or UnreachableError."""
        if host.endswith(NOWHERE):
            raise UnreachableError(host)
        if not self.wall.covers(host, port):
            raise self._refusal(host)
        if self.wall.hides(host, port):
            note(self.ads, host)
            raise RefusedError(f"{host} serves advertisements or trackers, which this task blocks.")
        found = await resolve(host, port)
        allowed = [address for address in found if self.wall.admits(host, port, address)]
        if found and not allowed:
            raise self._refusal(host)
        if self.upstream:  # it resolves names itself: one that only it can resolve is its own affair
            return await connect(self.upstream.host, self.upstream.port, tls=self.upstream.tls)
        for address in allowed:
            with contextlib.suppress(UnreachableError):
                return await connect(str(address), port)
        raise UnreachableError(host)

    def _refusal(self, host: str) -> RefusedError:
        """Notes a refused host."""
        note(self.blocked, host)
        return RefusedError(f"{host} is outside the hosts that this task may reach.")

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection of the browser's to its end."""
        if visit := asyncio.current_task():
            self._visits.add(visit)
            visit.add_done_callback(self._visits.discard)
        with (
            contextlib.suppress(OSError, TimeoutError, h11.ProtocolError, asyncio.CancelledError),
            ending((reader, writer)),
        ):
            await Visit((reader, writer), self.reach, self.upstream).serve()


def note(hosts: list[str], host: str) -> None:
    """Keeps a host that was refused."""
    if host not in hosts and len(hosts) < BLOCKED_KEPT:
        hosts.append(host)
