"""stdin and stdout as lines, a message of the protocol each."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, cast

from server.mcp_facade.messages import PARSE_ERROR, Fault, too_large

Message = dict[str, Any]
LARGEST = 8 * 1024 * 1024
"""Bytes that a line may have: a server takes less, and says how much, but a WebSocket's message has its limit too."""


class Lines:
    """Both of them. Nothing but what is written here reaches the real stdout: prints of anybody land on stderr."""

    def __init__(self) -> None:
        self._input, self._output = os.dup(0), os.dup(1)
        os.dup2(2, 1)
        with Path(os.devnull).open() as nothing:
            os.dup2(nothing.fileno(), 0)
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._writing = asyncio.Lock()
        # A thread of our own, that nobody waits for: a read of stdin cannot be interrupted.
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    async def line(self) -> str | None:
        """The next line that can be a message; None at the end. What cannot is answered here: it is not worth a server."""
        while (line := await self._lines.get()) is not None:
            try:
                if len(line) <= LARGEST:
                    return line.decode()
                fault = too_large(LARGEST)
            except UnicodeDecodeError as error:
                fault = Fault(
                    f"This is not UTF-8 ({error.reason} at byte {error.start}): nothing was done.", PARSE_ERROR
                )
            await self.write(json.dumps(fault.answer()))
        return None

    async def write(self, line: str) -> None:
        """Writes one line."""
        async with self._writing:  # a long one goes out in parts
            await asyncio.to_thread(_write_all, self._output, line.encode() + b"\n")

    def _read(self) -> None:
        rest = bytearray()
        while chunk := _read_some(self._input):
            *ends, begun = chunk.split(b"\n")
            for end in ends:
                self._hand_over(bytes(rest + end))
                rest.clear()
            rest += begun[: max(0, LARGEST + 1 - len(rest))]  # of what is too long anyway no more is kept
        self._hand_over(None)

    def _hand_over(self, line: bytes | None) -> None:
        if line is None or line.strip():
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                self._loop.call_soon_threadsafe(self._lines.put_nowait, line)


def parsed(text: str) -> Message:
    """The message as far as it can be read."""
    try:
        message: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("Message", message) if isinstance(message, dict) else {}


def _read_some(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError:
        return b""


def _write_all(handle: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(handle, data) :]
    except BrokenPipeError:
        sys.stderr.write("webhand mcp: the client does not read any more\n")
