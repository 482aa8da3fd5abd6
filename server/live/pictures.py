"""Pictures for RFB viewers: what has changed between two frames as small JPEGs, or plain pixels in any true-colour format.

Blocks of a JPEG that the page did not change decode to the same values, so comparing decoded frames finds exactly what
changed. Patches stay on the block grid and keep the frame's quantization tables and colour space: encoding them again
costs no quality worth the name.
"""

from __future__ import annotations

import asyncio
import io
import struct
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageChops
from PIL.JpegImagePlugin import JpegImageFile, get_sampling

from agent.frame import Frame

BLOCK = 16
"""Pixels that a JPEG block with halved colour spans in each direction."""
MOST = 0.5
"""Above this share of the picture, the frame's own JPEG is as good."""
WORTH = 0.8
"""Patches that are not smaller than this share of the frame's own JPEG are not worth their loss."""
MOST_PATCHES = 24
PAUSES = 6
"""For so many frames nothing is compared once all of a picture keeps changing, as it does while scrolling."""
GAP = 2
"""Blocks between two changes that still go into one patch."""
_ANY_CHANGE = [0] + [255] * 255


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels: left, top, and the edges right and bottom of it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        """In pixels."""
        return (self.right - self.left) * (self.bottom - self.top)


@dataclass(frozen=True, slots=True)
class Patch:
    """A changed part of the picture."""

    box: Box
    jpeg: bytes


class Pictures:
    """The frames of one screen, compared once for all viewers who are at the same two frames."""

    def __init__(self) -> None:
        self._decoded: OrderedDict[int, Image.Image] = OrderedDict()
        self._compared: OrderedDict[tuple[int, int], asyncio.Task[list[Patch] | None]] = OrderedDict()
        self._pause = 0
        self._full_in_a_row = 0

    async def patches(self, old: Frame | None, new: Frame) -> list[Patch] | None:
        """What a viewer who has `old` must draw to see `new`; None: all of it."""
        if old is None or (old.width, old.height) != (new.width, new.height):
            return None
        key = old.number, new.number
        if key not in self._compared:
            if self._pause:
                self._pause -= 1
                return None
            self._compared[key] = asyncio.create_task(asyncio.to_thread(self._compare, old, new))
            while len(self._compared) > 4:
                self._compared.popitem(last=False)
        patches = await asyncio.shield(self._compared[key])
        self._full_in_a_row = self._full_in_a_row + 1 if patches is None else 0
        if self._full_in_a_row > 2:
            self._pause, self._full_in_a_row = PAUSES, 1
        return patches

    async def pixels(self, frame: Frame, pixel_format: PixelFormat, box: Box) -> bytes:
        """A part of the frame as bare pixels."""
        return await asyncio.to_thread(lambda: pixel_format.pack(self._decode(frame).crop(_corners(box))))

    async def boxes(self, old: Frame | None, new: Frame) -> list[Box]:
        """Which parts differ, for viewers that want pixels."""
        patches = await self.patches(old, new)
        return [Box(0, 0, new.width, new.height)] if patches is None else [patch.box for patch in patches]

    def _compare(self, old: Frame, new: Frame) -> list[Patch] | None:
        before, after = self._decode(old), self._decode(new)
        boxes = changed_boxes(before, after)
        if sum(box.area for box in boxes) > MOST * new.width * new.height:
            return None
        source = Image.open(io.BytesIO(new.jpeg))
        patches = [Patch(box, _encode(after.crop(_corners(box)), source)) for box in boxes]
        return patches if sum(len(patch.jpeg) for patch in patches) < WORTH * len(new.jpeg) else None

    def _decode(self, frame: Frame) -> Image.Image:
        """The frame in the JPEG's own colours (YCbCr), from the few that are kept."""
        known = self._decoded.get(frame.number)
        if known is not None:
            return known
        with Image.open(io.BytesIO(frame.jpeg)) as image:
            image.draft("YCbCr", None)  # pyright: ignore[reportArgumentType]  # no size: no scaling
            image.load()
            decoded = image.copy()
        self._decoded[frame.number] = decoded
        while len(self._decoded) > 3:
            self._decoded.popitem(last=False)
        return decoded


def changed_boxes(before: Image.Image, after: Image.Image) -> list[Box]:
    """Where two pictures of one size differ: boxes on the block grid, few rather than tight."""
    difference = ImageChops.difference(before, after)
    around = difference.getbbox()
    if around is None:
        return []
    left, top = around[0] // BLOCK * BLOCK, around[1] // BLOCK * BLOCK
    one, two, three = difference.crop((left, top, *around[2:])).split()
    most = ImageChops.lighter(ImageChops.lighter(one, two), three)
    blocks = most.point(_ANY_CHANGE).reduce(BLOCK)  # pyright: ignore[reportUnknownMemberType]  # Pillow's own stub
    width, height = after.size
    boxes = [
        Box(left + x * BLOCK, top + y * BLOCK, min(left + right * BLOCK, width), min(top + bottom * BLOCK, height))
        for x, y, right, bottom in _gathered(blocks)
    ]
    if len(boxes) > MOST_PATCHES:
        edges = [(box.left, box.top, box.right, box.bottom) for box in boxes]
        lefts, tops, rights, bottoms = zip(*edges, strict=True)
        return [Box(min(lefts), min(tops), max(rights), max(bottoms))]
    return boxes


def _gathered(blocks: Image.Image) -> list[list[int]]:
    """[left, top, right, bottom] in blocks: runs of changed blocks, joined with what is right above them."""
    width, height = blocks.size
    marks = blocks.tobytes()
    closed: list[list[int]] = []
    open_: list[list[int]] = []
    for y in range(height):
        row = marks[y * width : (y + 1) * width]
        for left, right in _runs(row) if any(row) else ():
            above = [box for box in open_ if box[0] <= right + GAP and left <= box[2] + GAP]
            joined = [left, y, right, y + 1]
            for box in above:
                open_.remove(box)
                joined = [min(joined[0], box[0]), min(joined[1], box[1]), max(joined[2], box[2]), y + 1]
            open_.append(joined)
        closed += [box for box in open_ if box[3] < y + 1 - GAP]
        open_ = [box for box in open_ if box[3] >= y + 1 - GAP]
    return closed + open_


def _runs(row: bytes) -> Iterator[tuple[int, int]]:
    start = end = -1
    for x, mark in enumerate(row):
        if not mark:
            continue
        if start >= 0 and x - end > GAP:
            yield start, end
            start = -1
        if start < 0:
            start = x
        end = x + 1
    if start >= 0:
        yield start, end


def _encode(image: Image.Image, like: Image.Image) -> bytes:
    out = io.BytesIO()
    tables = like.quantization if isinstance(like, JpegImageFile) else None
    sampling = get_sampling(like)
    image.save(out, "JPEG", qtables=tables, subsampling=max(sampling, 0))
    return out.getvalue()


def _corners(box: Box) -> tuple[int, int, int, int]:
    return box.left, box.top, box.right, box.bottom


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How a viewer wants a pixel: RFB's PIXEL_FORMAT. Only true colour."""

    bits: int = 32
    depth: int = 24
    big_endian: bool = False
    maxima: tuple[int, int, int] = (255, 255, 255)
    shifts: tuple[int, int, int] = (16, 8, 0)

    WIRE = struct.Struct(">BBBBHHHBBB3x")

    @classmethod
    def read(cls, wire: bytes) -> PixelFormat:
        """Reads the 16 bytes. Raises ValueError for what cannot be served."""
        bits, depth, big, true_colour, *rest = cls.WIRE.unpack(wire)
        if bits not in {8, 16, 32} or not true_colour:
            raise ValueError("only true colour with 8, 16 or 32 bits")
        maxima, shifts = tuple(rest[:3]), tuple(rest[3:])
        if not all(0 < top <= 0xFFFF and shift < bits for top, shift in zip(maxima, shifts, strict=True)):
            raise ValueError("no such pixels")
        return cls(bits, depth, bool(big), maxima, shifts)  # pyright: ignore[reportArgumentType]  # three each, by the struct

    @property
    def wire(self) -> bytes:
        """The 16 bytes."""
        return self.WIRE.pack(self.bits, self.depth, self.big_endian, 1, *self.maxima, *self.shifts)

    def pack(self, image: Image.Image) -> bytes:
        """The image's pixels in this format: each byte of a pixel is a sum of what its three colours put into it."""
        colours = image.convert("RGB").split()
        planes = [self._plane(colours, byte) for byte in range(self.bits // 8)]
        if self.big_endian:
            planes.reverse()
        mode = {1: "L", 2: "LA", 4: "RGBA"}[len(planes)]
        return planes[0].tobytes() if mode == "L" else Image.merge(mode, planes).tobytes()

    def _plane(self, colours: tuple[Image.Image, ...], byte: int) -> Image.Image:
        plane = Image.new("L", colours[0].size)
        for colour, top, shift in zip(colours, self.maxima, self.shifts, strict=True):
            table = [((value * top + 127) // 255 << shift) >> 8 * byte & 0xFF for value in range(256)]
            if any(table):
                part = colour.point(table)  # pyright: ignore[reportUnknownMemberType]  # Pillow's own stub
                plane = ImageChops.add(plane, part)
        return plane
