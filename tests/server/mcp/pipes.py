"""JSON-RPC by hand over the pipes of a process, as a client that starts its server speaks it."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any


class Talk:
    """A client of the handshake era. Whatever it reads must be a message of the protocol."""

    def __init__(self, running: Process) -> None:
        self.running = running
        self._last = 0

    async def send(self, method: str, params: dict[str, Any] | None = None, *, answer: bool = True) -> int:
        """Sends a request, or a notification."""
        assert self.running.stdin is not None
        self._last += 1
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        if answer:
            message["id"] = self._last
        self.running.stdin.write(json.dumps(message).encode() + b"\n")
        await self.running.stdin.drain()
        return self._last

    async def answer(self, number: int) -> dict[str, Any]:
        """The answer to a request."""
        assert self.running.stdout is not None
        while True:
            line = await asyncio.wait_for(self.running.stdout.readline(), 100)
            assert line, "it has ended: what it said stands on stderr"
            message = json.loads(line)
            assert message["jsonrpc"] == "2.0"
            if message.get("id") == number and "method" not in message:
                return message

    async def begin(self) -> dict[str, Any]:
        """The handshake."""
        hello = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }
        answer = await self.answer(await self.send("initialize", hello))
        await self.send("notifications/initialized", answer=False)
        return answer

    async def result(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """A tool's whole result."""
        answer = await self.answer(await self.send("tools/call", {"name": tool, "arguments": arguments}))
        return answer["result"]

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What a tool's result holds."""
        return (await self.result(tool, arguments))["structuredContent"]

    async def end(self) -> bytes:
        """Goes away, waits until the process has ended in order, and gives back what else was on its stdout."""
        assert self.running.stdin is not None
        assert self.running.stdout is not None
        self.running.stdin.close()
        rest = await asyncio.wait_for(self.running.stdout.read(), 60)
        assert await asyncio.wait_for(self.running.wait(), 60) == 0
        return rest


@asynccontextmanager
async def process(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, *, stderr: int | None = PIPE
) -> AsyncGenerator[Process]:
    """A process whose pipes the test holds."""
    running = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=stderr, cwd=folder, env=environment, limit=2**24
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()
