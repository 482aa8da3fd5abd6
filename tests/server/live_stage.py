"""A task to look at: the live view's LiveTasks in a few lines, served over HTTP, with real browsers on both sides."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import BaseRoute, Route

from agent.engine import Window
from server.live.door import live_url
from server.live.tasks import LiveSettings, LiveStep, Snapshot
from server.live.view import Live
from server.signing import Signer
from storage.states import TaskState
from tools.errors import Conflict

TASK = "task_1"


class StagedTasks:
    """One task, whose states the test sets. `calls` holds what was asked of it."""

    def __init__(self, folder: Path) -> None:
        self.snapshot = Snapshot("demo.post", TaskState.PROCESSING, "working", 30)
        self.shown: Window | None = None
        self.calls: list[str] = []
        self.acts: list[tuple[str, str]] = []
        self.may_land = asyncio.Event()
        self.may_land.set()
        self._folder = folder
        self._news = asyncio.Event()

    def turn(self, state: TaskState | None = None, **changes: Any) -> None:
        """Changes the task and tells everybody."""
        if state is not None:
            changes["state"] = state
        self.snapshot = dataclasses.replace(self.snapshot, **changes)
        self._news.set()
        self._news = asyncio.Event()

    async def look(self, task_id: str) -> Snapshot | None:
        return self.snapshot if task_id == TASK else None

    async def follow(self, task_id: str) -> AsyncIterator[Snapshot]:
        assert task_id == TASK
        while True:
            news, snapshot = self._news, self.snapshot
            yield snapshot
            if snapshot.ended:
                return
            await news.wait()

    async def window(self, task_id: str) -> Window | None:
        assert task_id == TASK
        return self.shown

    async def take_control(self, task_id: str, by: str) -> None:
        assert by
        self.calls.append("take")
        await self.may_land.wait()
        if self.snapshot.ended:
            raise Conflict("The task has ended.")
        self.turn(TaskState.PAUSED, reason="take_over")

    async def give_back(self, task_id: str) -> None:
        self.calls.append("give back")
        self.turn(TaskState.PROCESSING, reason=None)

    async def continue_(self, task_id: str) -> None:
        self.calls.append("continue")
        if self.snapshot.state is not TaskState.PAUSED:
            raise Conflict("The task does not wait.")
        self.turn(TaskState.PROCESSING, reason=None, message="")

    async def stop(self, task_id: str) -> None:
        self.calls.append("stop")
        self.turn(TaskState.CANCELLED)

    async def record_person_step(self, task_id: str, what: str, url: str) -> None:
        self.acts.append((what, url))
        number = len(self.snapshot.steps) + 1
        self.turn(steps=[*self.snapshot.steps, LiveStep(number, "person", what, "", url)])

    async def receive_file(self, task_id: str, name: str, pieces: AsyncIterator[bytes]) -> Path:
        content = b"".join([piece async for piece in pieces])
        path = self._folder / name
        await asyncio.to_thread(path.write_bytes, content)
        return path


@dataclasses.dataclass
class Stage:
    """The task, the live view of it, and where it is served."""

    tasks: StagedTasks
    live: Live
    signer: Signer
    origin: str
    pages: dict[str, str]

    def url(self, *, seconds: float = 600, control: bool = True) -> str:
        """A live URL of the task."""
        return live_url(self.signer, self.origin, TASK, seconds=seconds, control=control)

    def socket_url(self, what: str = "ws", *, seconds: float = 600, control: bool = True) -> str:
        """The WebSocket below such a URL."""
        return f"{self.url(seconds=seconds, control=control).replace('http', 'ws', 1)}/{what}"

    def page(self, name: str, html: str) -> str:
        """Serves a page on the same origin; its URL."""
        self.pages[name] = html
        return f"{self.origin}/pages/{name}"


@contextlib.asynccontextmanager
async def staged(
    folder: Path, settings: LiveSettings | None = None, log: logging.Handler | None = None
) -> AsyncGenerator[Stage]:
    """Opens a stage; `log` hears what the web server logs, access lines included."""
    tasks, pages = StagedTasks(folder), dict[str, str]()
    signer = Signer(b"a key of thirty-two bytes, or so.")
    live = Live(tasks, signer, settings or LiveSettings())

    async def page(request: Any) -> HTMLResponse:
        return HTMLResponse(pages[request.path_params["name"]])

    routes: list[BaseRoute] = [*live.routes, Route("/pages/{name}", page)]
    async with served(routes, log) as origin:
        yield Stage(tasks, live, signer, origin, pages)
        await live.close()


@contextlib.asynccontextmanager
async def served(routes: list[BaseRoute], log: logging.Handler | None = None) -> AsyncGenerator[str]:
    """Serves the routes on a free port of 127.0.0.1; the origin."""
    loggers = [logging.getLogger(name) for name in ("uvicorn.access", "uvicorn.error")]
    config = uvicorn.Config(
        Starlette(routes=routes),
        lifespan="off",
        log_config=None,
        log_level="info" if log else "critical",
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=2,
    )
    for logger in loggers if log else ():
        logger.addHandler(log) if log else None
        logger.setLevel(logging.INFO)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()
        for logger in loggers if log else ():
            logger.removeHandler(log) if log else None


async def eventually(true: Any, seconds: float = 10) -> None:
    """Waits until a call gives something true; fails when that does not happen."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  # what is waited for happens in other processes
            await asyncio.sleep(0.02)
