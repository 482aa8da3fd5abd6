"""How an RFB viewer introduces itself: the version, and what lets it in."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from server.live.stream import Broken, Stream

T = TypeVar("T")

VERSION = b"RFB 003.008\n"
HANDSHAKE_S = 10.0
"""Seconds after which a viewer that has not introduced itself is left."""


async def welcome(stream: Stream) -> None:
    """The handshake for a viewer whom something else has let in already. Raises Broken."""
    async with in_time():
        await _agree(stream, security=1)
        await stream.send(struct.pack(">I", 0))


async def challenge(stream: Stream, passwords: Mapping[str, T]) -> T:
    """The handshake for a viewer who must know one of the passwords; tells which. Raises Broken.

    VNC authentication is DES with a key of 8 characters: only for loopback or a tunnel.
    """
    await _agree(stream, security=2)
    nonce = os.urandom(16)
    await stream.send(nonce)
    response = await stream.read(16)
    found = [value for password, value in passwords.items() if vnc_response(password, nonce) == response]
    if not found:
        await asyncio.sleep(1)  # whoever guesses shall wait
        await stream.send(struct.pack(">II", 1, 14) + b"wrong password")
        raise Broken("wrong password")
    await stream.send(struct.pack(">I", 0))
    return found[0]


@asynccontextmanager
async def in_time() -> AsyncGenerator[None]:
    """Raises Broken when a part of the handshake takes too long."""
    try:
        async with asyncio.timeout(HANDSHAKE_S):
            yield
    except TimeoutError:
        raise Broken("a viewer that says nothing") from None


async def _agree(stream: Stream, *, security: int) -> None:
    await stream.send(VERSION)
    version = await stream.read(12)
    # Any 3.x from 3.7 on: the macOS viewer calls itself 3.889.
    if version[:7] != b"RFB 003" or version[8:11] < b"007":
        raise Broken("a version of RFB that is too old")
    await stream.send(bytes([1, security]))
    if (await stream.read(1))[0] != security:
        raise Broken("an unknown kind of security")


def vnc_response(password: str, nonce: bytes) -> bytes:
    """What VNC authentication wants back: the nonce under DES, the bits of each key byte in reverse."""
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode("latin-1")[:8].ljust(8, b"\0"))
    # Three times the same key makes plain DES, which the protocol prescribes.
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()  # noqa: S305  # the protocol's, not ours
    return encryptor.update(nonce) + encryptor.finalize()
