"""The bytes between a viewer and its RFB server, whatever brings them: a WebSocket or a TCP connection."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from typing import Any

LARGEST_KEPT = 1 << 16
"""Bytes that a viewer may send while nobody reads."""


class Broken(ConnectionError):
    """The viewer left, or does not speak as it should."""


class Stream:
    """Exact reads over whatever brings bytes in pieces. `receive` gives b"" at the end."""

    def __init__(self, receive: Callable[[], Awaitable[bytes]], send: Callable[[bytes], Awaitable[None]]) -> None:
        self.send = send
        self._receive = receive
        self._kept = bytearray()

    async def read(self, count: int) -> bytes:
        """Exactly so many bytes. Raises Broken."""
        while len(self._kept) < count:
            more = await self._receive()
            if not more:
                raise Broken("the viewer left")
            self._kept += more
        taken = bytes(self._kept[:count])
        del self._kept[:count]
        return taken

    async def left(self) -> None:
        """Returns when the viewer has left; what it says until then is kept for `read`. Not beside a `read`. Raises Broken."""
        while more := await self._receive():
            self._kept += more
            if len(self._kept) > LARGEST_KEPT:
                raise Broken("a viewer that does not wait for its turn")

    async def unpack(self, layout: str) -> tuple[Any, ...]:
        """The fields of a struct. Raises Broken."""
        return struct.unpack(layout, await self.read(struct.calcsize(layout)))
