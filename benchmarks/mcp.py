"""The MCP server against the protocol library's bare server, side by side in one run: bytes, calls, cold start, sessions.

python -m benchmarks.mcp        prints a Markdown table
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import psutil
import structlog
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http import StreamableHTTPServerTransport

from server.auth import Caller
from server.mcp_facade.instructions import INSTRUCTIONS
from server.mcp_facade.tools import Toolbox
from server.mcp_facade.visit import Visit
from tests.server.mcp.house import listener, listening, open_house, serving
from tests.server.mcp.stdio_entry import own_server
from tools.catalog import catalog

CALLS = 400
SESSIONS = 2000
STARTS = 5
MODERN = "2026-07-28"
HELLO: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}},
}


@asynccontextmanager
async def bare(tools: list[types.Tool]) -> AsyncGenerator[str]:
    """The library's server with as many tools, and a call that does nothing."""

    async def listed(_ctx: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def called(_ctx: Any, _params: Any) -> types.CallToolResult:
        return types.CallToolResult(content=[types.TextContent(text="{}")], structured_content={})

    server: Server[Any] = Server("bare", on_list_tools=listed, on_call_tool=called)
    with listener() as opened:
        async with listening(server.streamable_http_app(), opened):
            yield f"http://127.0.0.1:{opened.getsockname()[1]}/mcp"


async def timed(client: Client, tool: str, arguments: dict[str, Any]) -> float:
    """Milliseconds of one call."""
    begun = time.perf_counter()
    await client.call_tool(tool, arguments)
    return (time.perf_counter() - begun) * 1000


async def calls(url: str, secret: str, tools: list[types.Tool]) -> dict[str, list[float]]:
    """A call of each server in turn, so that both meet the same machine."""
    found: dict[str, list[float]] = {"bare": [], "refused": [], "task_list": [], "create": []}
    async with bare(tools) as bare_url, httpx2.AsyncClient() as plain, httpx2.AsyncClient() as keyed:
        keyed.headers.update({"Authorization": f"Bearer {secret}", "X-MCP-Wait": "0"})
        async with (
            Client(streamable_http_client(bare_url, http_client=plain), mode=MODERN) as one,
            Client(streamable_http_client(url, http_client=keyed), mode=MODERN) as other,
        ):
            for number in range(CALLS):
                found["bare"].append(await timed(one, "task_list", {"limit": 1}))
                found["refused"].append(await timed(other, "task_list", {"limt": 1}))
                found["task_list"].append(await timed(other, "task_list", {"limit": 1}))
                if number % 4 == 0:
                    found["create"].append(await timed(other, "browser_run_task", {"task": f"tell:{number}"}))
    return found


async def sessions(url: str, secret: str) -> tuple[float, int]:
    """KB that an idle session of the handshake era takes, and how many of them are left after their time."""
    headers = {"Accept": "application/json, text/event-stream", "Authorization": f"Bearer {secret}"}
    process = psutil.Process()
    async with httpx2.AsyncClient(timeout=60, headers=headers) as http:
        for _ in range(100):  # what is made once is not a session's
            await http.post(url, json=HELLO)
        gc.collect()
        before = process.memory_info().rss
        for _ in range(SESSIONS):
            await http.post(url, json=HELLO)
        gc.collect()
        taken = (process.memory_info().rss - before) / SESSIONS / 1024
    return taken, await left_over()


async def left_over() -> int:
    """Sessions that lie in memory once they should have expired."""
    left = 0
    for _ in range(60):
        await asyncio.sleep(1)
        gc.collect()
        left = sum(isinstance(one, StreamableHTTPServerTransport) and not one.is_terminated for one in gc.get_objects())
        if not left:
            break
    return left


def cold_start(folder: Path) -> float:
    """Seconds from the start of a client's process to the answer of its handshake."""
    command = [sys.executable, "-m", "tests.server.mcp.stdio_entry", str(folder)]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as front:
        assert front.stdin is not None
        assert front.stdout is not None
        front.stdin.write(json.dumps(HELLO).encode() + b"\n")
        front.stdin.flush()
        answer = json.loads(front.stdout.readline())
        taken = time.perf_counter() - begun
        front.stdin.close()
    assert answer["result"]["serverInfo"]["name"] == "webhand"
    return taken


def p99(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, round(len(values) * 0.99))]


def row(what: str, ours: str, other: str, ratio: str) -> None:
    print(f"| {what} | {ours} | {other} | {ratio} |")


def rows(found: dict[str, list[float]]) -> None:
    """What a call costs over the bare server's."""
    kinds = {
        "refused": "call that is refused (no database)",
        "task_list": "call task_list",
        "create": "call that makes a task (stored and queued)",
    }
    for kind, what in kinds.items():
        for name, of in (("p50", statistics.median), ("p99", p99)):
            ours, theirs = of(found[kind]), of(found["bare"])
            row(f"{what}, {name}", f"{ours:.1f} ms", f"{theirs:.1f} ms", f"{ours / theirs:.2f}")


async def main() -> None:
    seen = Toolbox(catalog()).seen(Visit(Caller("key", "owner", frozenset({"read", "write"}))))
    listed = types.ListToolsResult(tools=seen).model_dump_json(by_alias=True, exclude_none=True, include={"tools"})
    print("| | Webhand | alternative | ratio |\n| --- | --- | --- | --- |")
    row(f"tools/list, {len(seen)} tools", f"{len(listed.encode())} bytes", "20,000 to 45,000 bytes (rivals)", "")
    row("instructions", f"{len(INSTRUCTIONS.encode())} bytes", "", "")
    with tempfile.TemporaryDirectory() as folder:
        async with open_house(Path(folder)) as house, serving(house, hourly=10**9, daily=10**9) as url:
            secret = await house.key()
            rows(await calls(url, secret, seen))
        async with open_house(Path(folder)) as house, serving(house, session_idle=20) as url:
            taken, left = await sessions(url, await house.key())
            row(f"memory of an idle session ({SESSIONS} of them)", f"{taken:.0f} KB", "", "")
            row("sessions left after their time", str(left), f"{SESSIONS} (the library's app never ends them)", "")
    await starts()


async def starts() -> None:
    """`webhand mcp` from cold: with a server of its own, and before one that runs."""
    own: list[float] = []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder:
            own.append(await asyncio.to_thread(cold_start, Path(folder)))
    with tempfile.TemporaryDirectory() as folder:
        async with own_server(Path(folder)):
            front = [await asyncio.to_thread(cold_start, Path(folder)) for _ in range(STARTS)]
    ours, alone = statistics.median(front), statistics.median(own)
    row("stdio, cold start to first answer, before a running server", f"{ours:.2f} s", "", "")
    row("the same with a server of its own", f"{alone:.2f} s", "", "")


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is the table's
    asyncio.run(main())
