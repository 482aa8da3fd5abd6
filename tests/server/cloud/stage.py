"""A real server on loopback, with a real worker whose engine does what the test says."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from PIL import Image
from starlette.types import Receive, Scope, Send

from agent.engine import Assignment, Desk, EngineName, NewFile, Outcome, StepReport
from agent.orders import Orders
from agent.worker import Worker, WorkerSettings
from server.app import build_app
from server.house import House
from server.settings import read_settings
from server.share import SHARE_ROUTES
from server.state import State
from storage.ids import mint
from storage.runs import RunStore
from storage.tables import Task
from tests.web import caller

Act = Callable[[Assignment, Desk], Awaitable[Outcome]]
API = "/api/v1"
_QUIET: dict[str, Any] = {"demo_site": False, "record": False}
USUAL = "Report the title of example.com"


@dataclass
class Actor:
    """An engine that plays what is written for a task's text; any other task takes two steps and reports a title."""

    name: EngineName = "full"
    acts: dict[str, Act] = field(default_factory=dict[str, Act])
    seen: list[Assignment] = field(default_factory=list[Assignment])

    async def carry_out(self, assignment: Assignment, desk: Desk) -> Outcome:
        self.seen.append(assignment)
        return await self.acts.get(getattr(assignment.parameters, "task", ""), usual)(assignment, desk)

    async def close(self) -> None: ...


async def usual(assignment: Assignment, desk: Desk) -> Outcome:
    """Two steps with pictures, one file."""
    for number, colour in enumerate(("red", "blue"), start=1):
        await desk.step(step(number, picture(colour)))
    report = assignment.folder / "report"
    report.write_bytes(b"a,b\n1,2\n")
    return Outcome({"output": "Example Domain"}, files=[NewFile(report, "report.csv", "output", "text/csv")])


def step(number: int, screenshot: bytes | None = None) -> StepReport:
    return StepReport(
        next_goal=f"Goal {number}",
        evaluation_previous_goal=f"Evaluation {number}",
        url=f"https://example.com/{number}?token=hidden",
        kind="agent",
        screenshot=screenshot,
    )


def picture(colour: str, size: tuple[int, int] = (320, 240)) -> bytes:
    """A JPEG of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG")
    return out.getvalue()


@dataclass
class Stage:
    """The server, its engine, and callers."""

    house: House
    state: State
    actor: Actor
    worker: Worker
    origin: str

    @asynccontextmanager
    async def caller(
        self, *scopes: str, owner: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[httpx.AsyncClient]:
        """A client with a key of its own, of an owner of its own unless one is given."""
        granted = scopes or ("read", "write")
        _, secret = await self.house.key_store.create(
            "test", owner=owner or mint("owner"), scopes=granted, settings=settings
        )
        async with self.client(secret) as client:
            yield client

    def client(self, secret: str | None = None) -> httpx.AsyncClient:
        """A client with that key."""
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return caller(base_url=f"{self.origin}{API}", headers=headers, timeout=30)

    async def task(self, task_id: str) -> Task:
        """The row."""
        task = await self.house.task_store.get(task_id)
        assert task is not None
        return task

    async def became(self, task_id: str, right: Callable[[Task], object]) -> Task:
        """The row as soon as it is so."""
        async with asyncio.timeout(20):
            async for task in self.house.tasks.follow(task_id):
                if right(task):
                    return task
        raise AssertionError("the task ended otherwise")

    def assignment(self, task_id: str) -> Assignment:
        """What the engine was given."""
        return next(one for one in self.actor.seen if one.task_id == task_id)


async def ran(client: httpx.AsyncClient, task: str = USUAL, **options: Any) -> str:
    """Runs a task and returns its id as soon as it ended."""
    task_id = await begun(client, task, **options)
    answer = await client.get(f"/task/{task_id}/status", params={"wait": 30})
    assert answer.json() in {"finished", "failed", "stopped"}, answer.text
    return task_id


async def begun(client: httpx.AsyncClient, task: str = USUAL, **options: Any) -> str:
    """Asks for a task and returns its id."""
    answer = await client.post("/run-task", json={"task": task, **options})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


@asynccontextmanager
async def staged(folder: Path, **settings: Any) -> AsyncGenerator[Stage]:
    """Everything, in a folder of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        house = House(read_settings(**(_QUIET | settings), data=folder), origin, work=False)
        async with house.open() as state, worked(house) as (worker, actor), served(house, state, listener):
            yield Stage(house, state, actor, worker, origin)


@asynccontextmanager
async def worked(house: House) -> AsyncGenerator[tuple[Worker, Actor]]:
    """A worker with an actor."""
    actor = Actor()
    orders = Orders(
        house.catalog,
        house.vault,
        house.account_store,
        house.profile_store,
        house.artifacts,
        {code.lower(): url.get_secret_value() for code, url in house.settings.proxies.items()},
    )
    worker = Worker(
        WorkerSettings(folder=house.settings.data / "scratch", version="test", slots={"full": 4}),
        house.database,
        RunStore(house.database, house.queue),
        house.account_store,
        house.artifacts,
        house.vault,
        orders,
        {"full": actor},
    )
    await worker.start()
    try:
        yield worker, actor
    finally:
        await worker.stop(0)


@asynccontextmanager
async def served(house: House, state: State, listener: socket.socket) -> AsyncGenerator[None]:
    """The app behind a socket; the house is open already, so the lifespan is ours."""
    app = build_app(house)
    app.router.routes.extend(route for route in SHARE_ROUTES if route not in app.router.routes)

    async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {**state}}, receive, send)

    server = uvicorn.Server(uvicorn.Config(with_state, log_level="critical", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
