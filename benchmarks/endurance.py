"""A long run of one server: 2,000 lite and 100 full tasks in one go. What grows, and what is left behind?

The practice site and the rehearsed model live in this process, so that the server's memory is its own. Takes half an hour and more:
`python -m benchmarks.endurance [lite tasks [full tasks]]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from server.practice.site import serve_demo_site
from server.practice.state import DemoSite
from server.rehearsed_model import serve_rehearsed_model

WEBHAND = str(Path(sys.executable).with_name("webhand"))
PRACTICE = "https://practice.webhand.example"
MEMBER = {"username": "alice", "password": "practice-alice"}
ACCOUNTS, IN_FLIGHT, SETTINGS = 8, 16, {"lite_slots": "3", "full_slots": "1", "caps": "false", "duplicate_hours": "0"}
LOOKS = 20
"""So many times the processes are looked at, at equal distances."""


@dataclass
class Look:
    """What one look saw: megabytes that belong to each kind of process alone (USS), how many processes, and files for the time being."""

    ended: int
    megabytes: Counter[str] = field(default_factory=Counter[str])
    processes: int = 0
    scratch: int = 0
    database: float = 0.0


def kind_of(process: psutil.Process) -> str:
    """What a process of the server is."""
    words = " ".join(process.cmdline())
    if "run-driver" in words:
        return "driver"
    return "Chromium" if "--type=" in words or "--remote-debugging-port" in words or "crashpad" in words else "Python"


@dataclass
class Long:
    """The server that is watched."""

    process: asyncio.subprocess.Process
    data: Path
    temporary: Path
    looks: list[Look] = field(default_factory=list[Look])
    outcomes: Counter[str] = field(default_factory=Counter[str])
    seen: set[psutil.Process] = field(default_factory=set[psutil.Process])

    @property
    def ended(self) -> int:
        """How many tasks have ended."""
        return sum(self.outcomes.values())

    def below(self) -> list[psutil.Process]:
        """Every process of the server but itself."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        self.seen.update(found)
        return found

    def look(self) -> None:
        """Notes how things stand."""
        look = Look(self.ended)
        server = psutil.Process(self.process.pid)
        look.megabytes["server"] = round(server.memory_full_info().uss / 2**20)
        for process in self.below():
            with suppress(psutil.NoSuchProcess):
                look.megabytes[kind_of(process)] += round(process.memory_full_info().uss / 2**20)
                look.processes += 1
        look.scratch = files(self.data / "run") + files(self.temporary)
        look.database = sum(path.stat().st_size for path in self.data.glob("webhand.db*")) / 2**20
        self.looks.append(look)


def files(folder: Path) -> int:
    """How many files there are in and below a folder."""
    return sum(1 for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0


@asynccontextmanager
async def served(folder: Path, site: str, model: str) -> AsyncGenerator[tuple[Long, httpx.AsyncClient]]:
    """`webhand serve` on a folder of its own, with its temporary files in another."""
    data, temporary = folder / "data", folder / "tmp"
    temporary.mkdir()
    told = {"data": str(data), "port": "0", "demo_site": "false", "origins": json.dumps({PRACTICE: site})} | SETTINGS
    told |= {"llm_base_url": model, "llm_model": "rehearsed", "warm_pairs": "1", "private_network": "true"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WEBHAND_")}
    environment = inherited | {f"WEBHAND_{name.upper()}": value for name, value in told.items()}
    with (folder / "log").open("wb") as log:
        command = [WEBHAND, "serve"]
        process = await asyncio.create_subprocess_exec(
            *command, env=environment | {"TMPDIR": str(temporary)}, stdout=log, stderr=log
        )
    try:
        while not (data / "server.json").exists():
            if process.returncode is not None:
                raise RuntimeError((folder / "log").read_text()[-2000:])
            await asyncio.sleep(0.05)
        url, key = json.loads((data / "server.json").read_text())["url"], (data / "local.key").read_text().strip()
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=90) as client:
            for number in range(ACCOUNTS):
                account = {"platform": "demo", "name": f"account-{number}", "credentials": MEMBER}
                (await client.post("/api/accounts", json=account)).raise_for_status()
            yield Long(process, data, temporary), client
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 60)


async def task(client: httpx.AsyncClient, number: int, engine: str) -> str:
    """Publishes once and answers how it ended."""
    body: dict[str, Any] = {
        "platform": "demo",
        "tool": "createPost",
        "accountName": f"account-{number % ACCOUNTS}",
        "parameters": {"text": f"Endurance {engine} {number}", "preferredEngine": engine},
    }
    asked = await client.post("/api/tasks", json=body)
    asked.raise_for_status()
    while True:
        answer = await client.get(f"/api/tasks/{asked.json()['data']['taskId']}", params={"wait": 50})
        found: dict[str, Any] = answer.json()["data"]
        if found["state"] not in {"pending", "processing"}:
            error: dict[str, Any] = found.get("error") or {}
            if error:
                print(
                    f"{engine} {number}, {found['taskId']}: {error['code']}: {error['message']}",
                    file=sys.stderr,
                    flush=True,
                )
            return f"{engine} {error.get('code', found['state'])}"


async def run(long: Long, client: httpx.AsyncClient, lite: int, full: int) -> None:
    """Every task, sixteen asked for at a time; full ones evenly among the others."""
    every = max(1, lite // max(1, full))
    wishes = [
        (number, engine)
        for number in range(lite)
        for engine in (("lite", "full") if full and number % every == 0 and number // every < full else ("lite",))
    ]
    total, room = len(wishes), asyncio.Semaphore(IN_FLIGHT)

    async def one(number: int, engine: str) -> None:
        async with room:
            long.outcomes[await task(client, number, engine)] += 1
            if long.ended * LOOKS // total > len(long.looks) - 1:
                long.look()

    await one(0, "lite")  # warm
    long.look()
    await asyncio.gather(*(one(number, engine) for number, engine in wishes[1:]))


async def table(lite: int, full: int) -> str:
    """The looks, and what was left when the server had ended."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        site = DemoSite(journal=folder / "practice.jsonl")
        async with serve_demo_site(site) as home, serve_rehearsed_model() as model:
            async with served(folder, home, model) as (long, client):
                await run(long, client, lite, full)
            _, alive = psutil.wait_procs(list(long.seen), timeout=10)
            left = files(long.data / "run") + files(long.temporary)
        twice = sum(1 for count in site.counts.values() if count > 1)
        site.close()
    rows = [
        "| Tasks ended | Server | Playwright's driver | Other Python (full engine) | Chromium | Processes | Scratch files | Database |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for look in long.looks:
        megabytes = " | ".join(f"{look.megabytes[kind]} MB" for kind in ("server", "driver", "Python", "Chromium"))
        rows.append(f"| {look.ended} | {megabytes} | {look.processes} | {look.scratch} | {look.database:.1f} MB |")
    outcomes = ", ".join(f"{word} {count}" for word, count in sorted(long.outcomes.items()))
    told = (
        f"Took {(time.monotonic() - began) / 60:.0f} minutes. Outcomes: {outcomes}; published twice: {twice}. "
        f"After the server's end: {len(alive)} processes and {left} scratch files were left."
    )
    return "\n".join([*rows, "", told])


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    print(asyncio.run(table(given[0] if given else 2000, given[1] if len(given) > 1 else 100)))
