"""Shared by the tests of the browsers and the engines: a real Chromium, small sites, a silent listener, a desk."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvicorn
from playwright.async_api import Browser

from agent.chromium import Chromium, find_chromium
from agent.engine import Reason, StepReport, Window
from tests.agent.screens import driven_chromium
from tools.errors import ChallengeRequired


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    found = find_chromium(None)
    assert found, "these tests need a Chromium: webhand doctor --fix installs one"
    return found


@pytest.fixture
async def chromium(chromium_path: Path, tmp_path: Path) -> AsyncGenerator[Chromium]:
    browser = await Chromium.launch(chromium_path, tmp_path / "run")
    yield browser
    await browser.close(grace=0)


@pytest.fixture(scope="module")
async def driven(
    chromium_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[tuple[Chromium, Browser]]:
    """A Chromium with Playwright connected to it, for all tests of a file."""
    async with driven_chromium(chromium_path, tmp_path_factory.mktemp("run")) as both:
        yield both


@contextlib.asynccontextmanager
async def served(app: Any) -> AsyncGenerator[str]:
    """Serves an ASGI app on a free port of 127.0.0.1 and answers its origin."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()


@dataclass
class Canary:
    """A listener that counts whoever comes: TCP on IPv4 and IPv6 loopback and UDP, all on one port."""

    port: int
    heard: list[str] = field(default_factory=list[str])


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, heard: list[str]) -> None:
        self._heard = heard

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._heard.append(f"udp {len(data)} bytes")


@contextlib.asynccontextmanager
async def canary() -> AsyncGenerator[Canary]:
    """Opens a canary on a free port."""
    heard: list[str] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        heard.append(line.decode(errors="replace").strip() or "a connection")
        writer.write(b"HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n")
        writer.close()

    tcp = await asyncio.start_server(note, "127.0.0.1", 0)
    port: int = tcp.sockets[0].getsockname()[1]
    tcp6 = await asyncio.start_server(note, "::1", port) if socket.has_dualstack_ipv6() else None
    loop = asyncio.get_running_loop()
    udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(heard), local_addr=("127.0.0.1", port))
    try:
        yield Canary(port, heard)
    finally:
        tcp.close()
        if tcp6:
            tcp6.close()
        udp.close()


async def eventually(true: Callable[[], object], seconds: float = 10) -> None:
    """Waits until something is true; fails when it does not become so."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  # what is waited for happens in other processes
            await asyncio.sleep(0.02)


def entries(folder: Path) -> list[str]:
    """The names of what lies in a folder."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def family(pid: int) -> list[psutil.Process]:
    """A process and every one below it."""
    main = psutil.Process(pid)
    return [main, *main.children(recursive=True)]


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that run; the ended ones may stay zombies until somebody asks for them."""
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@dataclass
class Notebook:
    """A desk (agent.engine.Desk) that writes everything down. Tests put what shall happen into the hooks."""

    steps: list[StepReport] = field(default_factory=list[StepReport])
    words: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    asked: list[tuple[Reason, str]] = field(default_factory=list[tuple[Reason, str]])
    windows: list[Window | None] = field(default_factory=list[Window | None])
    kept: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    armed: int = 0
    gates: int = 0
    on_ask: Callable[[], Awaitable[object]] | None = None
    """What the person does; None: nobody comes."""
    on_arm: Callable[[], Awaitable[object]] | None = None
    on_gate: Callable[[], Awaitable[object]] | None = None

    async def progress(self, word: str, percentage: int) -> None:
        self.words.append((word, percentage))

    async def step(self, report: StepReport) -> None:
        self.steps.append(report)

    async def arm(self) -> None:
        if self.on_arm:
            await self.on_arm()
        self.armed += 1

    async def gate(self) -> None:
        self.gates += 1
        if self.on_gate:
            await self.on_gate()

    async def ask(self, reason: Reason, message: str) -> None:
        self.asked.append((reason, message))
        if self.on_ask is None:
            raise ChallengeRequired
        await self.on_ask()

    async def keep_login(self, state: Mapping[str, Any]) -> None:
        self.kept.append(state)

    def show(self, window: Window | None) -> None:
        self.windows.append(window)

    @property
    def goals(self) -> list[str]:
        """The steps' goals."""
        return [step.next_goal for step in self.steps]

    @property
    def everything(self) -> str:
        """All that was written down, as text, to search for secrets."""
        return repr([replace(step, screenshot=None) for step in self.steps]) + repr((self.words, self.asked))
