"""The raw VNC port: one TCP port for all tasks, off by default.

A task is reachable there once somebody with its control link has asked for a password, which is drawn at random, names the
task, and goes with it.
"""

from __future__ import annotations

import asyncio
import secrets
import string
import time
from contextlib import suppress

from agent.cdp import Gone
from server.live.handshake import challenge
from server.live.room import Over
from server.live.rooms import Rooms
from server.live.stream import Broken, Stream

ALPHABET = string.ascii_letters + string.digits
PATIENCE = 10.0
"""Seconds for the handshake, and for a browser to appear."""
LENGTH = 8
"""VNC authentication looks at no more."""


class VncPort:
    """Serves RFB with VNC authentication, which is weak: for loopback or a tunnel. The first input takes control."""

    def __init__(self, rooms: Rooms) -> None:
        self.port: int | None = None
        self._rooms = rooms
        self._server: asyncio.Server | None = None
        self._passwords: dict[str, tuple[str, float]] = {}
        """Password -> task and expiry."""
        self._open: set[asyncio.Task[None]] = set()

    async def open(self, host: str, port: int) -> None:
        """Begins to listen; port 0 takes a free one. Raises OSError."""
        self._server = await asyncio.start_server(self._serve, host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Ends listening and every connection."""
        if self._server:
            self._server.close()
            self._server = self.port = None
        for job in list(self._open):
            job.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def password(self, task_id: str, expires: float) -> str:
        """A password for the task, valid until `expires` (Unix seconds) or the task's end."""
        password = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        self._passwords[password] = task_id, expires
        return password

    def _valid(self) -> dict[str, tuple[str, float]]:
        now = time.time()
        self._passwords = {password: pair for password, pair in self._passwords.items() if pair[1] > now}
        return self._passwords

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        job = asyncio.create_task(self._let_in(reader, writer))
        self._open.add(job)
        job.add_done_callback(self._open.discard)

    async def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def send(message: bytes) -> None:
            writer.write(message)
            await writer.drain()

        stream = Stream(lambda: reader.read(65536), send)
        task_id = ""
        try:
            async with asyncio.timeout(PATIENCE):
                task_id, expires = await challenge(stream, self._valid())
            async with asyncio.timeout(max(0, expires - time.time())):
                await self._show(stream, task_id)
        except Over:
            self._passwords = {password: pair for password, pair in self._passwords.items() if pair[0] != task_id}
        except (Broken, Gone, TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _show(self, stream: Stream, task_id: str) -> None:
        async with self._rooms.entered(task_id) as room:
            screen = await room.open_screen(PATIENCE) if room else None
            if room is None or room.ended.is_set():
                raise Over("The task has ended.")
            if screen is None:
                raise Broken("The task has no browser.")
            async with screen.watched():
                await room.serve(stream, screen, None, may_control=True)
