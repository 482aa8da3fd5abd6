"""An RFB 3.8 (VNC) server for one viewer of a screen, over any stream of bytes (RFC 6143 and its registered extensions).

The viewer sets the pace: one update for each request, always of the newest frame. Nothing is ever queued, so neither
ContinuousUpdates nor Fence is offered.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Callable, Coroutine
from enum import IntEnum
from typing import Any

from agent.frame import Frame
from agent.inputs import Inputs
from agent.screencast import Screen
from server.live.clipboard import LARGEST_CLIPBOARD, Clip, pack_text, unpack_text
from server.live.handshake import in_time
from server.live.pictures import Box, Patch, Pictures, PixelFormat
from server.live.stream import Broken, Stream

LARGEST_TIGHT = (1 << 22) - 1
QUALITY_LEVELS = range(-32, -22)
"""Who names one of these takes JPEG inside Tight."""


class Encoding(IntEnum):
    """What a viewer says that it can take."""

    RAW = 0
    ZLIB = 6
    TIGHT = 7
    JPEG = 21
    DESKTOP_SIZE = -223
    DESKTOP_NAME = -307
    EXTENDED_DESKTOP_SIZE = -308
    EXTENDED_BUTTONS = -316
    EXTENDED_CLIPBOARD = -1063131698


class Viewer:
    """One viewer, after the handshake. Without `inputs` it may only watch, whatever it sends."""

    def __init__(self, stream: Stream, screen: Screen, pictures: Pictures, inputs: Inputs | None = None) -> None:
        self._stream = stream
        self._screen = screen
        self._pictures = pictures
        self._inputs = inputs
        self._encodings: frozenset[int] = frozenset()
        self._format = PixelFormat()
        self._size = (0, 0)
        self._seen: Frame | None = None
        self._copied = ""
        self._zlib = zlib.compressobj(1)
        self._requested = asyncio.Event()
        self._stirred = asyncio.Event()
        """Something besides a new frame is to be said."""
        self._all_wanted = False
        self._notices: dict[int, bytes] = {}
        """Encoding -> a rectangle without pixels that is to be said next; a newer one replaces an older one."""
        self._readers = {
            0: self._set_format,
            2: self._set_encodings,
            3: self._request,
            4: self._key,
            5: self._pointer,
            6: self._cut_text,
            251: self._set_size,
        }

    async def run(self) -> None:
        """Serves until the viewer leaves (Broken), the browser is gone (Gone), or it is cancelled."""
        await self._begin()
        if self._inputs:
            self._inputs.clipboard.copied = self._offer
        self._screen.listeners.append(self._renamed)
        jobs = [asyncio.create_task(work) for work in (self._read(), self._write())]
        if self._inputs:
            jobs.append(asyncio.create_task(self._inputs.run()))
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
        finally:
            self._screen.listeners.remove(self._renamed)
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            if self._inputs:
                await self._inputs.release()

    async def _begin(self) -> None:
        """ClientInit and ServerInit."""
        async with in_time():
            await self._stream.read(1)  # shared or not: always shared
        # A page may take its time to show itself, and the viewer its leave meanwhile.
        frame = await self._frame(-1, unless=self._stream.left())
        if frame is None:
            raise Broken("the viewer left")
        self._size = frame.width, frame.height
        name = self._screen.name.encode()[:4096]
        await self._stream.send(
            struct.pack(">HH", *self._size) + self._format.wire + struct.pack(">I", len(name)) + name
        )

    def _renamed(self) -> None:
        if Encoding.DESKTOP_NAME in self._encodings:
            name = self._screen.name.encode()[:4096]
            notice = _rectangle(Box(0, 0, 0, 0), Encoding.DESKTOP_NAME) + struct.pack(">I", len(name)) + name
            self._notify(Encoding.DESKTOP_NAME, notice)

    def _notify(self, encoding: Encoding, rectangle: bytes) -> None:
        self._notices[encoding] = rectangle
        self._stirred.set()

    # -- what the viewer says

    async def _read(self) -> None:
        while True:
            kind = (await self._stream.read(1))[0]
            reader = self._readers.get(kind)
            if reader is None:
                raise Broken(f"an unknown message: {kind}")
            await reader()
            # What has arrived in one piece is read without ever waiting: a flood must not hold up everybody else.
            await asyncio.sleep(0)
            if self._inputs:
                await self._inputs.caught_up()

    async def _set_format(self) -> None:
        await self._stream.read(3)
        try:
            self._format = PixelFormat.read(await self._stream.read(16))
        except ValueError as error:
            raise Broken(str(error)) from error
        self._all_wanted = True

    async def _set_encodings(self) -> None:
        (count,) = await self._stream.unpack(">xH")
        self._encodings = frozenset(await self._stream.unpack(f">{count}i"))
        if Encoding.EXTENDED_CLIPBOARD in self._encodings:
            abilities = Clip.CAPABILITIES | Clip.REQUEST | Clip.NOTIFY | Clip.PROVIDE | Clip.TEXT
            await self._clip(abilities, struct.pack(">I", 0))
        if Encoding.EXTENDED_BUTTONS in self._encodings:
            self._notify(Encoding.EXTENDED_BUTTONS, _rectangle(Box(0, 0, 0, 0), Encoding.EXTENDED_BUTTONS))
        self._renamed()

    async def _request(self) -> None:
        incremental, *_ = await self._stream.unpack(">BHHHH")
        if not incremental:
            self._all_wanted = True
            if Encoding.EXTENDED_DESKTOP_SIZE in self._encodings:
                self._notify(Encoding.EXTENDED_DESKTOP_SIZE, self._extended_size(0, 0))
        self._requested.set()

    async def _key(self) -> None:
        down, keysym = await self._stream.unpack(">BxxI")
        if self._inputs:
            self._inputs.stroke(keysym, down=bool(down))

    async def _pointer(self) -> None:
        mask, x, y = await self._stream.unpack(">BHH")
        if mask & 0x80 and Encoding.EXTENDED_BUTTONS in self._encodings:
            mask = mask & 0x7F | (await self._stream.read(1))[0] << 7
        if self._inputs:
            self._inputs.point(x, y, mask, self._size)

    async def _set_size(self) -> None:
        """Asks for another size of the page, which is the agent's business: administratively prohibited."""
        *_, screens = await self._stream.unpack(">xHHBx")
        await self._stream.read(16 * screens)
        self._notify(Encoding.EXTENDED_DESKTOP_SIZE, self._extended_size(1, 1))

    async def _cut_text(self) -> None:
        (length,) = await self._stream.unpack(">3xi")
        if abs(length) > LARGEST_CLIPBOARD:
            raise Broken("too much text for a clipboard")
        text = await self._stream.read(abs(length))
        if self._inputs is None:
            return
        if length >= 0:
            self._inputs.clipboard.set(text.decode("latin-1"))
        elif length <= -4:
            await self._extended_clipboard(self._inputs, Clip(int.from_bytes(text[:4])), text[4:])

    async def _extended_clipboard(self, inputs: Inputs, flags: Clip, body: bytes) -> None:
        if Clip.TEXT not in flags:
            return
        if Clip.NOTIFY in flags:
            inputs.clipboard.expect()
            await self._clip(Clip.REQUEST | Clip.TEXT)
        elif Clip.PROVIDE in flags:
            inputs.clipboard.set(unpack_text(body))
        elif Clip.REQUEST in flags:
            await self._clip(Clip.PROVIDE | Clip.TEXT, pack_text(self._copied))

    async def _offer(self, text: str) -> None:
        """The person copied this in the page."""
        self._copied = text
        if Encoding.EXTENDED_CLIPBOARD in self._encodings:
            await self._clip(Clip.NOTIFY | Clip.TEXT)
        else:
            plain = text.encode("latin-1", "replace")
            await self._stream.send(struct.pack(">B3xi", 3, len(plain)) + plain)

    async def _clip(self, flags: Clip, body: bytes = b"") -> None:
        await self._stream.send(struct.pack(">B3xiI", 3, -4 - len(body), flags) + body)

    # -- what the viewer is told

    async def _write(self) -> None:
        while True:
            await self._requested.wait()
            if self._notices:
                _, notice = self._notices.popitem()
                await self._update(notice)
                continue
            self._stirred.clear()
            frame = await self._next_frame()
            if frame is None:
                continue
            if (frame.width, frame.height) != self._size:
                self._resize(frame)
                continue
            rectangles = await self._picture(frame)
            if rectangles:
                await self._update(*rectangles)

    async def _next_frame(self) -> Frame | None:
        """The next frame to draw, or None when something else is to be said first. Raises Gone."""
        seen = -1 if self._all_wanted or self._seen is None else self._seen.number
        return await self._frame(seen, unless=self._stirred.wait())

    async def _frame(self, after: int, *, unless: Coroutine[Any, Any, object]) -> Frame | None:
        """The frame after that one, or None when the other thing happens first. Raises Gone, and what the other thing raises."""
        coming = asyncio.create_task(self._screen.next(after))
        other = asyncio.create_task(unless)
        try:
            await asyncio.wait((coming, other), return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                return coming.result()
            other.result()
            return None
        finally:
            for job in (coming, other):
                job.cancel()
            await asyncio.gather(coming, other, return_exceptions=True)

    def _resize(self, frame: Frame) -> None:
        self._size = frame.width, frame.height
        self._all_wanted = True
        if Encoding.EXTENDED_DESKTOP_SIZE in self._encodings:
            self._notify(Encoding.EXTENDED_DESKTOP_SIZE, self._extended_size(0, 0))
        elif Encoding.DESKTOP_SIZE in self._encodings:
            self._notify(Encoding.DESKTOP_SIZE, _rectangle(Box(0, 0, *self._size), Encoding.DESKTOP_SIZE))
        else:
            raise Broken("the page has another size now, which this viewer cannot follow")

    async def _picture(self, frame: Frame) -> list[bytes]:
        """The rectangles that bring the viewer from what it has seen to this frame."""
        seen = None if self._all_wanted else self._seen
        self._seen, self._all_wanted = frame, False
        whole = Box(0, 0, frame.width, frame.height)
        pack = self._jpeg_packer()
        if pack is None:
            return [await self._plain(frame, box) for box in await self._pictures.boxes(seen, frame)]
        patches = await self._pictures.patches(seen, frame)
        if patches is None:
            patches = [Patch(whole, frame.jpeg)]
        return [pack(patch) for patch in patches]

    def _jpeg_packer(self) -> Callable[[Patch], bytes] | None:
        takes_jpeg = self._format.bits != 8 and any(level in self._encodings for level in QUALITY_LEVELS)
        if Encoding.TIGHT in self._encodings and takes_jpeg:
            return _tight
        return _bare_jpeg if Encoding.JPEG in self._encodings else None

    async def _plain(self, frame: Frame, box: Box) -> bytes:
        pixels = await self._pictures.pixels(frame, self._format, box)
        if Encoding.ZLIB not in self._encodings:
            return _rectangle(box, Encoding.RAW) + pixels
        packed = self._zlib.compress(pixels) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
        return _rectangle(box, Encoding.ZLIB) + struct.pack(">I", len(packed)) + packed

    async def _update(self, *rectangles: bytes) -> None:
        self._requested.clear()
        await self._stream.send(struct.pack(">BxH", 0, len(rectangles)) + b"".join(rectangles))

    def _extended_size(self, reason: int, status: int) -> bytes:
        width, height = self._size
        head = struct.pack(">HHHHi", reason, status, width, height, Encoding.EXTENDED_DESKTOP_SIZE)
        return head + struct.pack(">B3xIHHHHI", 1, 1, 0, 0, width, height, 0)


def _rectangle(box: Box, encoding: Encoding) -> bytes:
    return struct.pack(">HHHHi", box.left, box.top, box.right - box.left, box.bottom - box.top, encoding)


def _tight(patch: Patch) -> bytes:
    """Tight encoding's JPEG kind: the length is written in groups of 7 bits, the third one holds 8."""
    length = len(patch.jpeg)
    if length > LARGEST_TIGHT:
        raise Broken("too large a picture")
    compact = bytes([length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14])
    return _rectangle(patch.box, Encoding.TIGHT) + b"\x90" + compact + patch.jpeg


def _bare_jpeg(patch: Patch) -> bytes:
    return _rectangle(patch.box, Encoding.JPEG) + patch.jpeg
