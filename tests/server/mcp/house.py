"""A whole server with real stores, queue and worker, whose engine plays what a task's text says instead of driving a browser."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import uvicorn
from cryptography.fernet import Fernet
from PIL import Image
from starlette.applications import Starlette
from starlette.types import ASGIApp

from agent.engine import Assignment, Desk, Engine, EngineName, Outcome, StepReport
from agent.orders import Orders
from agent.queue import Queue
from agent.worker import Worker, WorkerSettings
from server.accounts import AccountService
from server.auth import Verifier
from server.guards import TaskLimits
from server.links import Links
from server.mcp_facade.facade import McpFacade, McpSettings
from server.mcp_facade.people import People
from server.meter import Meter
from server.signing import Signer
from server.tasks import TaskService
from storage.accounts import AccountStore
from storage.artifacts import ArtifactStore
from storage.database import Database
from storage.ids import mint
from storage.keys import KeyStore
from storage.profiles import ProfileStore
from storage.runs import RunStore
from storage.tables import Account
from storage.tasks import TaskStore
from storage.vault import Vault
from tools.catalog import Catalog, catalog
from tools.errors import every_failure

FAILURES = {failure.code: failure for failure in every_failure()}


def picture(number: int) -> bytes:
    """A small JPEG, a different one for each number."""
    made = BytesIO()
    Image.new("RGB", (64, 48), (number * 37 % 256, 90, 160)).save(made, "JPEG")
    return made.getvalue()


@dataclass
class PlayingEngine:
    """Plays the words of a task's text: step, ask:<reason>, hold, fail:<CODE>, break, print, long. Then it is done."""

    name: EngineName
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def carry_out(self, assignment: Assignment, desk: Desk) -> Outcome:
        given = assignment.parameters.model_dump()
        text = str(given.get("task") or given.get("text") or "")
        output = f"Done: {text[:80]}"
        for number, word in enumerate(text.split(), 1):
            verb, _, rest = word.partition(":")
            output = await self._play(verb, rest, number, desk) or output
        return Outcome(result={"output": output})

    async def _play(self, verb: str, rest: str, number: int, desk: Desk) -> str | None:
        match verb:
            case "step":
                await desk.progress("working", number * 10)
                await desk.step(
                    StepReport(f"Goal {number}", "", f"https://site.test/{number}", screenshot=picture(number))
                )
                await desk.gate()
            case "ask":
                await desk.ask(rest, "Please look at this.")  # pyright: ignore[reportArgumentType]  # a reason in the test's words
            case "hold":
                await self.released.wait()
            case "fail":
                raise FAILURES[rest]
            case "break":
                raise RuntimeError("the innermost secret")
            case "print":
                print("a library talks")  # noqa: T201  # what must not reach the protocol's stdout
            case "long":
                return "word " * 40_000
            case "tell":
                return rest
            case _:
                pass
        return None

    async def close(self) -> None: ...


@dataclass
class House:
    """Everything that a facade needs."""

    folder: Path
    database: Database
    keys: KeyStore
    tasks: TaskService
    accounts: AccountService
    account_store: AccountStore
    artifacts: ArtifactStore
    signer: Signer
    engine: PlayingEngine
    settings: McpSettings = field(default_factory=McpSettings)

    async def key(self, *scopes: str, owner: str | None = None, **settings: Any) -> str:
        """A new key with an owner of its own, so that tests do not see each other."""
        name = owner or mint("owner")
        _, secret = await self.keys.create(name, owner=name, scopes=scopes or ("read", "write"), settings=settings)
        return secret

    async def account(self, secret: str, name: str, platform: str = "demo", **fields: Any) -> Account:
        """A signed-in account of the key's owner."""
        row = await self.keys.find(secret)
        assert row is not None
        given: dict[str, Any] = {"status": "active", "auth_method": "cookies", **fields}
        return await self.account_store.add(
            Account(id=mint("acc"), owner=row.owner, platform=platform, name=name, **given)
        )

    def facade(self, public_url: str, people: People | None = None, **settings: Any) -> McpFacade:
        """A new facade in front of the same services."""
        return McpFacade(
            tasks=self.tasks,
            accounts=self.accounts,
            artifacts=self.artifacts,
            verifier=Verifier(self.keys),
            meter=Meter(self.keys),
            signer=self.signer,
            links=Links(self.signer, public_url, live_seconds=600),
            settings=replace(self.settings, **settings),
            version="1.2.3",
            people=people,
        )


@asynccontextmanager
async def open_house(
    folder: Path, tools: Catalog | None = None, engines: Mapping[EngineName, Engine] | None = None, **limits: Any
) -> AsyncGenerator[House]:
    """Real stores on SQLite, the real queue, a real worker."""
    database = Database(f"sqlite:///{folder / 'webhand.db'}")
    vault = Vault([Fernet.generate_key().decode()])
    artifacts, account_store = ArtifactStore(database, folder / "artifacts"), AccountStore(database)
    queue, profiles = Queue(database), ProfileStore(database)
    known = tools or catalog()
    engine = PlayingEngine("full")
    given = replace(TaskLimits(caps=False, duplicate_hours=0), **limits)
    async with contextlib.AsyncExitStack() as stack:
        await database.open()
        stack.push_async_callback(database.close)
        await queue.open()
        stack.push_async_callback(queue.close)
        worker = Worker(
            WorkerSettings(folder / "run", "1", slots={"lite": 8, "full": 16}, look=0.5, human_wait=60),
            database,
            RunStore(database, queue),
            account_store,
            artifacts,
            vault,
            Orders(known, vault, account_store, profiles, artifacts),
            engines or {"lite": PlayingEngine("lite", engine.released), "full": engine},
        )
        await worker.start()
        stack.push_async_callback(worker.stop, 0.0)
        yield House(
            folder=folder,
            database=database,
            keys=KeyStore(database),
            tasks=TaskService(database, TaskStore(database, queue), account_store, artifacts, vault, known, given),
            accounts=AccountService(account_store, vault, known),
            account_store=account_store,
            artifacts=artifacts,
            signer=Signer(b"s" * 32),
            engine=engine,
        )


def app_of(facade: McpFacade, path: str = "/mcp") -> Starlette:
    """The facade as an app of its own."""

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncGenerator[None]:
        async with facade.running():
            yield

    return Starlette(routes=facade.routes(path), lifespan=life)


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def listening(app: ASGIApp, *sockets: socket.socket) -> AsyncGenerator[None]:
    """Serves an app on open sockets, with its life."""
    server = _Server(uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1))
    running = asyncio.create_task(server.serve(sockets=list(sockets)))
    await asyncio.wait_for(server.ready.wait(), 20)
    try:
        yield
    finally:
        server.should_exit = True
        await running


def listener() -> socket.socket:
    """A free port of the loopback. asyncio sends small answers at once only on sockets that say they are TCP: else each waits 40 ms."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind(("127.0.0.1", 0))
    opened.listen(512)
    return opened


@asynccontextmanager
async def serving(house: House, **settings: Any) -> AsyncGenerator[str]:
    """The URL of a facade in front of the house."""
    with listener() as opened:
        base = f"http://127.0.0.1:{opened.getsockname()[1]}"
        async with listening(app_of(house.facade(base, **settings)), opened):
            yield f"{base}/mcp"
