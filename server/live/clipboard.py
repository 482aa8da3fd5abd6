"""The extended clipboard of RFB: text beyond Latin-1, offered by one side and fetched by the other when it is pasted."""

from __future__ import annotations

import struct
import zlib
from enum import IntFlag

from server.live.stream import Broken

LARGEST_CLIPBOARD = 1 << 20
"""Bytes of text."""


class Clip(IntFlag):
    """Formats and actions of the extended clipboard."""

    TEXT = 1
    CAPABILITIES = 1 << 24
    REQUEST = 1 << 25
    NOTIFY = 1 << 27
    PROVIDE = 1 << 28


def pack_text(text: str) -> bytes:
    """The text as it is provided."""
    wire = text.replace("\n", "\r\n").encode() + b"\0"
    return zlib.compress(struct.pack(">I", len(wire)) + wire)


def unpack_text(body: bytes) -> str:
    """The text of a provided clipboard: a zlib stream of a length, UTF-8 with CRLF, and a NUL. Raises Broken."""
    try:
        raw = zlib.decompressobj().decompress(body, LARGEST_CLIPBOARD)
    except zlib.error as error:
        raise Broken("a clipboard that cannot be read") from error
    length = int.from_bytes(raw[:4])
    return raw[4 : 4 + length].rstrip(b"\0").decode("utf-8", "replace").replace("\r\n", "\n")
