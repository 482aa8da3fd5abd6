"""A whole installation of real processes, a practice site that counts what was really published, and everything that can die.

The site and the receiver of webhooks live in the test's own process, which nobody kills: what they saw is what happened.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from cryptography.fernet import Fernet

from server.practice.site import serve_demo_site
from server.practice.state import DemoSite
from tests.chaos.postgres import Server
from tests.server.webhooks.house import Receiver, receiving
from tests.web import caller

PRACTICE = "https://practice.webhand.example"
WEBHAND = str(Path(sys.executable).with_name("webhand"))
MEMBER = {"username": "alice", "password": "practice-alice"}
LEASE_S = 10.0
_LOOK_S = 0.02

WORKERS = ("first", "second", "third")
Fault = Callable[[], Awaitable[None]]


@dataclass
class Member:
    """One process of the installation, which can be started again on its own data folder."""

    name: str
    command: list[str]
    environment: dict[str, str]
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def start(self) -> None:
        """Starts the process; its log is kept beside its data folder."""
        self.starts += 1
        (self.folder / "server.json").unlink(missing_ok=True)
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                [WEBHAND, *self.command], env=self.environment, stdout=file, stderr=file, start_new_session=True
            )

    @property
    def log(self) -> Path:
        return self.folder.with_suffix(".log")

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process

    def signal(self, number: signal.Signals) -> None:
        """Sends the process, and no other, a signal."""
        self.running.send_signal(number)

    def kill(self) -> None:
        """kill -9."""
        self.running.kill()
        self.running.wait()

    def children(self, *words: str) -> list[psutil.Process]:
        """Its descendants whose program or arguments have one of the words."""
        found: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.running.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if any(word in " ".join(child.cmdline()) for word in words):
                        found.append(child)
        return found

    def chromium(self) -> psutil.Process | None:
        """The main process of a Chromium that it runs."""
        return next((child for child in self.children("--remote-debugging-port") if not typed(child)), None)


def typed(process: psutil.Process) -> bool:
    """Whether it is one of Chromium's own helpers."""
    return any(word.startswith("--type=") for word in process.cmdline())


@dataclass
class Storm:
    """The installation, and what its surroundings saw."""

    folder: Path
    site: DemoSite
    receiver: Receiver
    shared: dict[str, str]
    """Settings of every process."""
    members: dict[str, Member] = field(default_factory=dict[str, Member])
    tasks: int = 20
    accounts: int = 6
    pace: int = 1
    """So many posts are published between two faults."""
    left: list[Fault] = field(default_factory=list[Fault])
    """What has not struck yet."""
    front: str = "front"
    created: dict[str, str] = field(default_factory=dict[str, str])
    """Task ids by the text that they are to publish."""

    def add(self, name: str, command: list[str]) -> None:
        """One more process, not started yet."""
        (self.folder / name).mkdir()
        told = environment(self.folder / name, **self.shared)
        self.members[name] = Member(name, command, told, self.folder / name)

    @property
    def base(self) -> str:
        return str(json.loads((self.members[self.front].folder / "server.json").read_text())["url"])

    @property
    def key(self) -> str:
        return (self.members[self.front].folder / "local.key").read_text().strip()

    async def answering(self) -> None:
        """Waits until the front answers."""
        member = self.members[self.front]
        while True:
            assert member.running.poll() is None, member.log.read_text()[-3000:]
            with suppress(httpx.TransportError, OSError, ValueError):
                async with caller(timeout=5) as client:
                    if (await client.get(f"{self.base}/healthz")).status_code == 200:
                        return
            await asyncio.sleep(_LOOK_S)

    async def call(self, method: str, path: str, **given: Any) -> Any:
        """The answer's data. A front that is away, or without its database, is asked the very same again until it answers."""
        own = given.pop("headers", {})
        while True:
            with suppress(httpx.TransportError, OSError, ValueError):
                headers = {"Authorization": f"Bearer {self.key}"} | own
                async with caller(base_url=self.base, timeout=40) as client:
                    answer = await client.request(method, path, headers=headers, **given)
                if answer.status_code < 500:
                    assert answer.status_code == 200, answer.text
                    return answer.json()["data"]
            await asyncio.sleep(0.1)

    async def prepare(self) -> None:
        """Accounts to publish with, and a webhook for every end."""
        await self.answering()
        for number in range(self.accounts):
            body = {"platform": "demo", "name": f"account-{number}", "credentials": MEMBER}
            await self.call("POST", "/api/accounts", json=body)
        hook = {"url": self.receiver.url, "events": ["task.completed", "task.failed"], "secret": "storm-secret"}
        await self.call("POST", "/api/webhooks", json=hook)

    async def create(self, number: int) -> None:
        """Asks for one publication, until the front has acknowledged it: the key makes asking twice safe."""
        text = f"Storm {number}"
        body = {
            "platform": "demo",
            "tool": "createPost",
            "accountName": f"account-{number % self.accounts}",
            "parameters": {"text": text, "preferredEngine": "lite"},
            "timeout": 60_000,
        }
        created = await self.call("POST", "/api/tasks", json=body, headers={"Idempotency-Key": text})
        self.created[text] = created["taskId"]

    async def published(self, count: int) -> None:
        """Waits until the site has published so many."""
        while len(self.site.published) < count:  # noqa: ASYNC110  # the site is no part of the product and tells nobody
            await asyncio.sleep(_LOOK_S)

    async def weathered(self) -> dict[str, dict[str, Any]]:
        """Asks for all tasks while the faults strike, one after the other; every task once it has ended and been told of."""
        await self.prepare()
        faults = asyncio.create_task(self._strike())
        await asyncio.gather(*(self.create(number) for number in range(self.tasks)))
        ended = await self.ended()
        faults.cancel()
        await asyncio.gather(faults, return_exceptions=True)
        await self.answering()
        await self.told()
        return ended

    async def _strike(self) -> None:
        """One fault after the other; between two of them something must have been published again."""
        while self.left:
            await self.published(len(self.site.published) + self.pace)
            await self.left[0]()
            self.left.pop(0)

    async def ended(self) -> dict[str, dict[str, Any]]:
        """Every task, once all of them have ended, by its text."""
        found: dict[str, dict[str, Any]] = {}
        for text, task_id in self.created.items():
            task = await self.call("GET", f"/api/tasks/{task_id}")
            while task["state"] in {"pending", "processing"}:
                task = await self.call("GET", f"/api/tasks/{task_id}", params={"wait": 5})
            found[text] = task
        return found

    async def told(self) -> None:
        """Waits until the receiver has heard of the end of every task."""
        missing = set(self.created.values())
        while missing := missing - {call.body["taskId"] for call in self.receiver.calls}:  # noqa: ASYNC110  # one look a time
            await asyncio.sleep(_LOOK_S)

    def disagreements(self, tasks: dict[str, dict[str, Any]]) -> list[str]:
        """Where what is stored is not what the site saw."""
        counts = self.site.counts
        found: list[str] = []
        for text, task in tasks.items():
            code = code_of(task)
            times = counts.get(text, 0)
            fits = times == 1 if task["state"] == "completed" else times == 0 or (times == 1 and unsure(code))
            if not fits:
                found.append(f"{text}: {task['state']} {code}, published {times} times")
        return found

    def outcomes(self, tasks: dict[str, dict[str, Any]]) -> Counter[str]:
        """How many tasks ended in which way."""
        return Counter(code_of(task) or str(task["state"]) for task in tasks.values())

    def logs(self) -> str:
        """The end of everybody's log, for a test that fails."""
        return "\n".join(f"== {member.name}\n{member.log.read_text()[-4000:]}" for member in self.members.values())

    # -- what can happen

    async def kill(self, name: str) -> None:
        """kill -9, and a new start on the same data folder."""
        self.members[name].kill()
        self.members[name].start()

    async def kill_browser(self, *names: str) -> None:
        """kill -9 of the Chromium of the first of these that runs one."""
        for name in names:
            chromium = self.members[name].chromium()
            if chromium is not None:
                chromium.kill()
                return

    async def kill_driver(self, *names: str) -> None:
        """kill -9 of the process through which the first of these drives its Chromium."""
        for name in names:
            for driver in self.members[name].children("run-driver"):
                driver.kill()
                return

    async def freeze(self, name: str) -> None:
        """SIGSTOP for longer than the lease, then SIGCONT. Whether it then ends itself is its own affair: it is started again."""
        member = self.members[name]
        member.signal(signal.SIGSTOP)
        await asyncio.sleep(LEASE_S + 2)  # the length of the stall is what is tested
        with suppress(ProcessLookupError):
            member.signal(signal.SIGCONT)


def on_sqlite(world: Storm) -> list[Fault]:
    """What can die around one process."""
    return [
        lambda: world.kill("front"),
        lambda: world.kill_browser("front"),
        lambda: world.kill_driver("front"),
        lambda: world.kill("front"),
    ]


def on_postgresql(world: Storm, server: Server) -> list[Fault]:
    """What can die where three workers share a database."""
    return [
        lambda: world.kill("first"),
        lambda: world.kill("front"),
        lambda: world.freeze("second"),
        lambda: world.kill_browser("third", "first"),
        lambda: asyncio.to_thread(server.restart),
        lambda: world.kill_driver("first", "third"),
    ]


def code_of(task: dict[str, Any]) -> str | None:
    error: dict[str, Any] = task.get("error") or {}
    return error.get("code")


def unsure(code: str | None) -> bool:
    return code == "OUTCOME_UNCERTAIN"


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """What every process is told, and nothing of our own settings."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("WEBHAND_")}
    told = {"data": str(folder), "port": "0", "lease": str(LEASE_S), "drain": "30", "caps": "false"} | settings
    return given | {f"WEBHAND_{name.upper()}": value for name, value in told.items()}


@asynccontextmanager
async def storm(
    folder: Path, *, tasks: int, database: str | None = None, workers: Sequence[str] = (), **settings: str
) -> AsyncGenerator[Storm]:
    """A front that works (no workers named), or a front and workers on PostgreSQL."""
    site = DemoSite(journal=folder / "practice.jsonl")
    async with serve_demo_site(site) as home, receiving(Receiver()) as receiver:
        shared = {"origins": json.dumps({PRACTICE: home}), "demo_site": "false", "duplicate_hours": "0"} | settings
        if database is not None:
            shared |= {"database_url": database, "vault_keys": json.dumps([Fernet.generate_key().decode()])}
        world = Storm(folder, site, receiver, shared, tasks=tasks)
        world.add("front", ["serve", *(["--no-worker"] if workers else [])])
        for name in workers:
            world.add(name, ["worker"])
        try:
            world.members["front"].start()
            await world.answering()
            for name in workers:
                world.members[name].start()
            yield world
        finally:
            await asyncio.to_thread(end, list(world.members.values()))
            site.close()


def end(members: Sequence[Member]) -> None:
    """Ends every process in good order, and what does not obey at once."""
    for member in members:
        if member.process is not None:
            with suppress(ProcessLookupError):
                member.signal(signal.SIGCONT)
                member.signal(signal.SIGTERM)
    for member in members:
        if member.process is not None:
            try:
                member.process.wait(12)
            except subprocess.TimeoutExpired:
                member.kill()


def orphans(pids: set[int]) -> list[int]:
    """Those that still run a little later."""
    alive = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    _, left = psutil.wait_procs(alive, timeout=10)
    return [process.pid for process in left]
