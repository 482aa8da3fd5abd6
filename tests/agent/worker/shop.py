"""A real worker over a real database, whose engine acts on files instead of a browser. Also a program: `python shop.py URL FOLDER`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from agent.engine import Assignment, Desk, EngineName, Outcome, StepReport
from agent.orders import Orders
from agent.queue import Queue
from agent.worker import Worker, WorkerSettings
from storage.accounts import AccountStore
from storage.artifacts import ArtifactStore
from storage.database import Database
from storage.ids import mint
from storage.profiles import ProfileStore
from storage.runs import RunStore
from storage.tables import Task
from storage.tasks import TaskStore
from storage.vault import Vault, open_vault
from tools.catalog import collect
from tools.errors import BrowserFailed, PageChanged
from tools.playbook import Stage
from tools.tool import Parameters, Result, Tool


class Order(Parameters):
    act: str = "done"
    """What the engine does: done, fail, defect, wait, arm_and_wait, arm_and_defect, arm_and_crash, ask, steps, slow_steps or slow_arm."""


def _goal(order: Order) -> str:
    return order.act


def _playbook(_order: Order) -> tuple[Stage, ...]:
    return ()


TOOL = Tool(
    name="shop.act",
    summary="Acts.",
    parameters=Order,
    result=Result,
    goal=_goal,
    playbook=_playbook,
    effect="publish",
    example=Order(),
    account=False,
)


@dataclass
class FileEngine:
    """Notes each beginning and each act in a file, so that a test sees what really happened, whoever was killed meanwhile."""

    folder: Path
    name: EngineName = "lite"

    async def carry_out(self, assignment: Assignment, desk: Desk) -> Outcome:
        act = str(getattr(assignment.parameters, "act"))  # noqa: B009  # typed as the base class
        self.note("begun", assignment.task_id)
        match act:
            case "fail":
                raise PageChanged
            case "defect":
                raise ZeroDivisionError
            case "ask":
                await desk.ask("challenge", "Solve it.")
            case "steps":
                await self._steps(desk)
            case "slow_steps":
                await self._told_to_go()
                await self._steps(desk)
            case "wait":
                await asyncio.Event().wait()
            case _:
                await self._act(act, assignment, desk)
        self.note("acted", assignment.task_id)
        return Outcome({"output": f"{self.name} did {act}"})

    async def close(self) -> None: ...

    async def _act(self, act: str, assignment: Assignment, desk: Desk) -> None:
        if act == "slow_arm":
            await self._told_to_go()
        await desk.arm()
        match act:
            case "arm_and_wait":
                self.note("armed", assignment.task_id)
                await asyncio.Event().wait()
            case "arm_and_defect":
                raise ZeroDivisionError
            case "arm_and_crash":
                raise BrowserFailed
            case _:
                return

    async def _told_to_go(self) -> None:
        while not notes(self.folder, "go"):  # noqa: ASYNC110  # the test says go through a file
            await asyncio.sleep(0.01)

    async def _steps(self, desk: Desk) -> None:
        for number in range(3):
            await desk.gate()
            await desk.progress("working", 30 * (number + 1))
            await desk.step(StepReport(f"Step {number}", "Success", "about:blank", screenshot=b"\xff\xd8jpeg"))

    def note(self, what: str, task_id: str) -> None:
        with (self.folder / "notes").open("a") as file:
            file.write(f"{what} {task_id}\n")


def notes(folder: Path, what: str) -> list[str]:
    path = folder / "notes"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split()[1] for line in lines if line.startswith(what + " ")]


@dataclass
class Shop:
    database: Database
    tasks: TaskStore
    worker: Worker
    queue: Queue
    vault: Vault
    folder: Path

    async def ask(self, act: str, **given: Any) -> Task:
        return await self.tasks.add(an_order(act, **given))

    async def until_final(self, task_id: str) -> Task:
        return await reached(self.database, self.tasks, task_id)


def an_order(act: str, **given: Any) -> Task:
    fields: dict[str, Any] = {
        "id": mint("task"),
        "owner": "alice",
        "dialect": "browserman",
        "platform": "shop",
        "tool": "act",
        "effect": "publish",
        "writes": True,
        "engine": "lite",
        "timeout_ms": 60_000,
        "parameters": {"act": act},
    }
    return Task(**(fields | given))


async def reached(database: Database, tasks: TaskStore, task_id: str, state: str | None = None) -> Task:
    """The task once it is final, or in the state; the test's own time-out ends a wait for what never comes."""
    with database.changes.follow(task_id) as follower:
        while True:
            task = await tasks.get(task_id)
            assert task is not None
            if task.state.final if state is None else task.state.value == state:
                return task
            await follower.changed(0.1)


@asynccontextmanager
async def open_shop(
    url: str,
    folder: Path,
    *,
    begin: bool = True,
    queue_works: bool = False,
    artifacts_folder: Path | None = None,
    **given: Any,
) -> AsyncGenerator[Shop]:
    from tools.site import Signs, Site

    database = Database(url)
    await database.open()
    queue = Queue(database)
    await queue.open()
    vault = open_vault([], folder / "vault.key")
    found = collect([])
    found.tools[TOOL.name] = TOOL
    found.sites["shop"] = Site(
        "shop", "Shop", "https://shop.example", ("shop.example",), "https://shop.example", Signs()
    )
    accounts, artifacts = AccountStore(database), ArtifactStore(database, artifacts_folder or folder / "artifacts")
    orders = Orders(found, vault, accounts, ProfileStore(database), artifacts)
    given = {"lease": 10.0, "beat": 0.2, "look": 0.2, "version": "1"} | given
    settings = WorkerSettings(folder=folder / "run", **given)
    engines: Any = {"lite": FileEngine(folder), "full": FileEngine(folder, "full")}
    runs = RunStore(database, queue)
    worker = Worker(settings, database, runs, accounts, artifacts, vault, orders, engines)
    if queue_works:
        await queue.work(
            worker.id, on_task=worker.look, on_delivery=worker.look, on_schedule=worker.look, on_upkeep=worker.look
        )
    if begin:
        await worker.start()
    try:
        yield Shop(database, TaskStore(database, queue), worker, queue, vault, folder)
    finally:
        if begin:
            await worker.stop(0)
        await queue.close()
        await database.close()


async def main(url: str, folder: Path, lease: float = 3.0) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    async with open_shop(url, folder, queue_works=True, lease=lease):
        sys.stdout.write("working\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), *map(float, sys.argv[3:])))
