"""Runs the web app: one process, a TCP socket for everybody and a Unix socket for this machine's own commands."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from server.app import build_app, build_worker_app
from server.house import PRACTICE, House
from server.settings import Settings, SettingWrong
from server.surroundings import check_surroundings, own_version, usable
from server.tracing import set_up_tracing

_CLOSING_S = 3
"""How long open connections (streams, live views) may take to end."""


class Server(uvicorn.Server):
    """uvicorn, which leaves the signals to us and says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Nothing: whoever serves decides what a signal means."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says when it answers."""
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def serving(settings: Settings, *, work: bool = True) -> AsyncGenerator[House]:
    """A server that answers while the context lasts. Raises SettingWrong or DatabaseUnavailable when it cannot start."""
    check_surroundings()
    set_up_tracing(settings, own_version())
    if not work and settings.embedded:
        message = "A front without a worker needs PostgreSQL: set WEBHAND_DATABASE_URL, or leave --no-worker out."
        raise SettingWrong(message)
    with owned(settings), bound(settings) as listener:
        host, port = listener.getsockname()[:2]
        public_url = settings.public_url or f"http://{shown_host(host)}:{port}"
        house = House(addressed(settings, listener), public_url, work=work)
        local = local_socket(settings)
        try:
            async with house.open(), answering(build_app(house), [listener, local]):
                with introduced(settings, house):
                    yield house
        finally:
            local.close()
            socket_path(settings).unlink(missing_ok=True)


@asynccontextmanager
async def answering(app: Starlette, sockets: list[socket.socket]) -> AsyncGenerator[None]:
    """The app answers on these while the context lasts. Raises what kept it from starting."""
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        ws_per_message_deflate=False,  # JPEG frames do not get smaller, and it costs a fifth of a core (measured)
        timeout_graceful_shutdown=_CLOSING_S,
        server_header=False,
    )
    server = Server(config)
    running = asyncio.create_task(server.serve(sockets), name="http")
    try:
        await started(server, running)
        yield
    finally:
        server.should_exit = True
        await asyncio.gather(running, return_exceptions=True)


def addressed(settings: Settings, listener: socket.socket) -> Settings:
    """The settings with the address under which other processes reach this one, where there can be any."""
    if settings.embedded or settings.worker_address is not None:
        return settings
    host, port = listener.getsockname()[:2]
    name = socket.gethostname() if host in {"0.0.0.0", "::"} else shown_host(host)  # noqa: S104  # compared, not bound
    return settings.model_copy(update={"worker_address": f"{name}:{port}"})


async def started(server: Server, running: asyncio.Task[None]) -> None:
    """Waits until the server answers. Raises what kept it from that."""
    ready = asyncio.create_task(server.ready.wait())
    await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if running.done():
        await running
        message = "The server could not start: the log says why."
        raise SettingWrong(message)


async def serve(settings: Settings, *, work: bool = True, on_ready: Callable[[House], None]) -> None:
    """Serves until SIGINT or SIGTERM; then drains."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings, work=work) as house:
        on_ready(house)
        await stopped(stop, house)


async def work_until_stopped(settings: Settings) -> None:
    """Carries tasks out, without answering anybody, until SIGINT or SIGTERM. Raises SettingWrong on the embedded database."""
    check_surroundings()
    set_up_tracing(settings, own_version())
    if settings.embedded:
        message = "A worker of its own needs PostgreSQL: set WEBHAND_DATABASE_URL ('webhand serve' works by itself)."
        raise SettingWrong(message)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    port = int((settings.worker_address or "").rpartition(":")[2] or 0)
    with owned(settings), bound(settings.model_copy(update={"port": port})) as listener:
        house = House(addressed(settings, listener), settings.public_url or "", work=True)
        async with house.open(), answering(build_worker_app(house), [listener]):
            await stopped(stop, house)


async def stopped(stop: asyncio.Event, house: House) -> None:
    """Waits until somebody wants the end, or until whoever carries tasks out, or promises it, had to give up: then raises why."""
    unable = asyncio.create_task(house.queue.failed())
    ends: set[asyncio.Task[Any]] = {asyncio.create_task(stop.wait()), unable}
    if house.workshop is not None:
        ends.add(asyncio.create_task(house.workshop.over.wait()))
        ends.add(asyncio.create_task(house.workshop.outgrown()))
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    if unable.done() and not unable.cancelled():
        raise unable.result()
    if house.workshop is not None and house.workshop.failure is not None:
        raise house.workshop.failure


@contextlib.contextmanager
def owned(settings: Settings) -> Generator[None]:
    """Only one server at a time may use a data folder. Raises SettingWrong."""
    handle = os.open(usable(settings.data) / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        message = f"Another Webhand uses {settings.data} already: stop it, or choose another folder with WEBHAND_DATA."
        raise SettingWrong(message) from None
    try:
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def bound(settings: Settings) -> Generator[socket.socket]:
    """The listening socket. Raises SettingWrong when the port is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named as TCP: only then does asyncio switch Nagle's algorithm off, which would hold small answers back by 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        message = f"Port {settings.port} on {settings.host} cannot be used ({error.strerror}): choose another with WEBHAND_PORT."
        raise SettingWrong(message) from None
    with listener:
        yield listener


def socket_path(settings: Settings) -> Path:
    """Where this machine's own commands reach the server."""
    return settings.data / "webhand.sock"


def local_socket(settings: Settings) -> socket.socket:
    """A Unix socket that only its owner may open. A path too long for one is shortened through the open folder."""
    path = socket_path(settings)
    path.unlink(missing_ok=True)
    local = socket.socket(socket.AF_UNIX)
    here = os.open(path.parent, os.O_RDONLY)
    try:
        local.bind(str(path) if len(str(path)) < 100 else f"/proc/self/fd/{here}/{path.name}")  # sun_path
    finally:
        os.close(here)
    path.chmod(0o600)
    return local


@contextlib.contextmanager
def introduced(settings: Settings, house: House) -> Generator[None]:
    """Leaves a note of where the server is, for this machine's own commands."""
    note = settings.data / "server.json"
    told = {"url": house.public_url, "pid": os.getpid(), "practice": house.origins.get(PRACTICE)}
    fresh = note.with_suffix(".new")
    fresh.write_text(json.dumps(told))
    fresh.chmod(0o600)
    fresh.replace(note)  # whoever sees the note sees all of it
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def shown_host(host: Any) -> str:
    """The address as callers on this machine may use it."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in str(host) else str(host)
