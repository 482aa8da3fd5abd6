"""A VNC viewer in a few lines, for the tests: speaks RFB over streams and keeps the picture."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageChops
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from server.live.handshake import vnc_response

TIGHT_JPEG = (7, -26)
EVERYTHING = (*TIGHT_JPEG, 21, 6, 0, -223, -308, -307, -316, -1063131698)


@dataclass
class VncClient:
    """One viewer. `updates` holds the encodings of each update's rectangles."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    picture: Image.Image = field(default_factory=lambda: Image.new("RGB", (1, 1)))
    name: str = ""
    updates: list[list[int]] = field(default_factory=list[list[int]])
    boxes: list[tuple[int, int, int, int]] = field(default_factory=list[tuple[int, int, int, int]])
    received: int = 0
    size_replies: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    clipboard: bytes = b""
    raw_mode: str = "BGRX"
    _inflate: Any = field(default_factory=zlib.decompressobj)

    async def read(self, count: int) -> bytes:
        data = await self.reader.readexactly(count)
        self.received += count
        return data

    async def unpack(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack(layout, await self.read(struct.calcsize(layout)))

    def send(self, layout: str, *values: Any, tail: bytes = b"") -> None:
        self.writer.write(struct.pack(layout, *values) + tail)

    async def greet(self, password: str | None = None, version: bytes = b"RFB 003.008\n") -> None:
        """The handshake up to and with ServerInit."""
        assert await self.read(12) == b"RFB 003.008\n"
        self.writer.write(version)
        (count,) = await self.unpack(">B")
        kinds = await self.read(count)
        if password is None:
            assert kinds == b"\x01"
            self.writer.write(b"\x01")
        else:
            assert kinds == b"\x02"
            self.writer.write(b"\x02")
            self.writer.write(vnc_response(password, await self.read(16)))
        (failed,) = await self.unpack(">I")
        if failed:
            (length,) = await self.unpack(">I")
            raise PermissionError((await self.read(length)).decode())
        self.writer.write(b"\x01")
        width, height = await self.unpack(">HH")
        await self.read(16)
        (length,) = await self.unpack(">I")
        self.name = (await self.read(length)).decode()
        self.picture = Image.new("RGB", (width, height))

    def take(self, *encodings: int) -> None:
        self.send(f">BxH{len(encodings)}i", 2, len(encodings), *encodings)

    def take_pixels(self, wire: bytes, raw_mode: str) -> None:
        self.raw_mode = raw_mode
        self.send(">B3x", 0, tail=wire)

    def ask(self, *, incremental: bool = True) -> None:
        self.send(">BBHHHH", 3, incremental, 0, 0, *self.picture.size)

    async def update(self, *, incremental: bool = True) -> None:
        """Asks and takes everything up to and with one update."""
        self.ask(incremental=incremental)
        while await self.message() != 0:
            pass

    async def pixels(self, *, incremental: bool = True) -> None:
        """Asks until an update brings pixels."""
        await self.update(incremental=incremental)
        while not any(encoding >= 0 for encoding in self.updates[-1]):
            await self.update()

    async def message(self) -> int:
        """Takes one message; its kind."""
        (kind,) = await self.unpack(">B")
        if kind == 0:
            (count,) = await self.unpack(">xH")
            self.updates.append([await self._rectangle() for _ in range(count)])
        elif kind == 3:
            (length,) = await self.unpack(">3xi")
            self.clipboard = await self.read(abs(length))
        else:
            raise AssertionError(f"message {kind}")
        return kind

    async def _rectangle(self) -> int:
        x, y, width, height, encoding = await self.unpack(">HHHHi")
        if encoding == 7:
            await self._tight(x, y, width, height)
        elif encoding == 0:
            self._paste(x, y, width, height, await self.read(width * height * len(self.raw_mode)))
        elif encoding == 6:
            (length,) = await self.unpack(">I")
            self._paste(x, y, width, height, self._inflate.decompress(await self.read(length)))
        elif encoding == -223:
            self.picture = Image.new("RGB", (width, height))
        elif encoding == -308:
            (screens,) = await self.unpack(">B3x")
            await self.read(16 * screens)
            self.size_replies.append((x, y))
            if (width, height) != self.picture.size:
                self.picture = Image.new("RGB", (width, height))
        elif encoding == -307:
            (length,) = await self.unpack(">I")
            self.name = (await self.read(length)).decode()
        else:
            assert encoding == -316, encoding
        return encoding

    async def _tight(self, x: int, y: int, width: int, height: int) -> None:
        (control,) = await self.unpack(">B")
        assert control == 0x90
        length = shift = 0
        for bits in (7, 7, 8):
            (byte,) = await self.unpack(">B")
            length |= (byte & (0x7F if bits == 7 else 0xFF)) << shift
            shift += bits
            if bits == 8 or not byte & 0x80:
                break
        patch = Image.open(io.BytesIO(await self.read(length))).convert("RGB")
        assert patch.size == (width, height)
        self.boxes.append((x, y, width, height))
        self.picture.paste(patch, (x, y))

    def _paste(self, x: int, y: int, width: int, height: int, pixels: bytes) -> None:
        self.boxes.append((x, y, width, height))
        self.picture.paste(Image.frombytes("RGB", (width, height), pixels, "raw", self.raw_mode), (x, y))

    async def until_closed(self) -> None:
        """Takes what comes until the server closes the connection."""
        try:
            while True:
                await self.message()
        except asyncio.IncompleteReadError:
            pass

    async def close(self) -> None:
        self.writer.close()


def differ(one: Image.Image, other: Image.Image) -> int:
    """The largest difference of any pixel's colour."""
    assert one.size == other.size
    return max(ImageChops.difference(one.convert("RGB"), other.convert("RGB")).tobytes())


@asynccontextmanager
async def vnc_over_websocket(url: str) -> AsyncGenerator[VncClient]:
    """Any VNC client that speaks WebSocket."""
    async with connect(url, subprotocols=[Subprotocol("binary")], max_size=None) as socket:
        assert socket.subprotocol == "binary"
        reader = asyncio.StreamReader()
        pumping = asyncio.create_task(_pump(socket, reader))
        client = VncClient(reader, _Writer(socket))  # pyright: ignore[reportArgumentType]  # all that it calls is write
        await client.greet()
        yield client
        pumping.cancel()


async def _pump(socket: ClientConnection, reader: asyncio.StreamReader) -> None:
    try:
        async for message in socket:
            reader.feed_data(bytes(message, "latin-1") if isinstance(message, str) else message)
    except ConnectionClosed:
        pass
    reader.feed_eof()


class _Writer:
    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._last: asyncio.Task[None] | None = None

    def write(self, data: bytes) -> None:
        self._last = asyncio.create_task(self._send(self._last, data))

    async def _send(self, earlier: asyncio.Task[None] | None, data: bytes) -> None:
        if earlier:
            await earlier
        await self._socket.send(data)
