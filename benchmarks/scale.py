"""The queue with several worker processes and hosts, beside a bare DBOS program that does the same work, and with 100,000 tasks pending.

One, two and four workers on this machine, then two on hosts of their own (network namespaces).

The work is an engine that notes its task in a file, so that nothing but the queue is measured. Latency: from the row's creation to the
claim, with one task at a time on an idle queue. Throughput: 100 tasks created at once, until the last one has ended.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psutil
import psycopg
from sqlalchemy import insert, make_url
from sqlmodel import SQLModel

from benchmarks.hosts import network, reachable
from storage.ids import mint
from storage.tables import now
from tests.agent.worker.shop import Shop, an_order, open_shop, reached
from tests.chaos.postgres import Server, own_server

ROOT = Path(__file__).resolve().parents[1]
BURST, SINGLE, PENDING = 100, 20, 100_000

BARE = """
import sys, threading, time
from dbos import DBOS, SetWorkflowID
url, name, log = sys.argv[1:4]
DBOS(config={"name": "bare", "system_database_url": url, "application_version": "1", "executor_id": name, "log_level": "ERROR",
             "max_executor_threads": 16})
@DBOS.workflow(name="note")
async def note(subject: str) -> None:
    with open(log, "a") as file:
        file.write(f"{time.time()} {subject}\\n")
DBOS.launch()
DBOS.register_queue("bare", worker_concurrency=4, polling_interval_sec=1.0, on_conflict="always_update")
print("working", flush=True)
threading.Event().wait()
"""


def p(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, round(len(values) * share))]


@contextmanager
def processes(commands: Sequence[Sequence[str]]) -> Generator[list[subprocess.Popen[str]]]:
    """Runs programs that say when they work."""
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for command in commands]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "working\n"
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


Place = Callable[[int, Sequence[str]], Sequence[str]]
"""Where the process of that number runs its command."""


def here(_number: int, command: Sequence[str]) -> Sequence[str]:
    """On this host."""
    return command


def workers(url: str, folder: Path, count: int, place: Place = here) -> list[Sequence[str]]:
    found: list[Sequence[str]] = []
    for number in range(count):
        (folder / f"w{number}").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "tests.agent.worker.shop", url, str(folder / f"w{number}"), "120"]
        found.append(place(number, command))
    return found


async def waits(shop: Shop, count: int, **given: int) -> list[float]:
    """Milliseconds from creation to start, one task at a time."""
    found: list[float] = []
    for _ in range(count):
        asked = await shop.ask("done", **given)
        task = await reached(shop.database, shop.tasks, asked.id)
        assert task.started_at is not None
        found.append((task.started_at - task.created_at).total_seconds() * 1000)
    return found


async def rate(shop: Shop) -> float:
    """Tasks a second of a burst."""
    begun = time.perf_counter()
    asked = await asyncio.gather(*(shop.ask("done") for _ in range(BURST)))
    await asyncio.gather(*(reached(shop.database, shop.tasks, task.id) for task in asked))
    return BURST / (time.perf_counter() - begun)


async def ours(url: str, folder: Path, count: int, place: Place = here) -> tuple[float, list[float]]:
    async with open_shop(url, folder, begin=False) as shop:
        with processes(workers(url, folder, count, place)):
            await waits(shop, 3)
            return await rate(shop), await waits(shop, SINGLE)


async def bare(url: str, folder: Path, count: int, place: Place = here) -> tuple[float, list[float]]:
    """The same through DBOS alone: enqueued from here, noted in a file by its workflow."""
    from dbos import DBOSClient  # this process's only use of it

    program, log = folder / "bare.py", folder / f"bare-{count}.log"
    program.write_text(BARE)
    log.touch()
    commands = [
        place(number, [sys.executable, str(program), url, f"bare-{number}", str(log)]) for number in range(count)
    ]
    with processes(commands):
        client = DBOSClient(system_database_url=url, application_name="bare")

        async def done(wanted: int) -> list[str]:
            while len(lines := log.read_text().splitlines()) < wanted:  # noqa: ASYNC110  # other processes write the file
                await asyncio.sleep(0.002)
            return lines

        def enqueue() -> None:
            client.enqueue({"workflow_name": "note", "queue_name": "bare"}, mint("task"))

        enqueue()
        await done(1)
        begun = time.perf_counter()
        for _ in range(BURST):
            await asyncio.to_thread(enqueue)
        await done(1 + BURST)
        burst = BURST / (time.perf_counter() - begun)
        found: list[float] = []
        for number in range(SINGLE // 2):
            created = time.time()
            await asyncio.to_thread(enqueue)
            lines = await done(2 + BURST + number)
            found.append((float(lines[-1].split()[0]) - created) * 1000)
        client.destroy()
    return burst, found


async def with_many_pending(url: str, folder: Path) -> list[float]:
    """Milliseconds until an urgent task starts in front of a hundred thousand others."""
    async with open_shop(url, folder, begin=False) as shop:
        moment, table = now() - timedelta(minutes=1), SQLModel.metadata.tables["task"]
        model = an_order("done").model_dump()
        async with shop.database.writing() as session:
            for _ in range(PENDING // 5000):
                rows = [model | {"id": mint("task"), "priority": 200, "created_at": moment} for _ in range(5000)]
                await session.execute(insert(table), rows)
        with processes(workers(url, folder, 1)):
            await waits(shop, 2, priority=1)
            return await waits(shop, SINGLE // 2, priority=1)


async def memory(folder: Path) -> str:
    """The resident memory of a server before and after 10,000 tasks are queued in it that nobody takes."""
    import httpx

    from benchmarks.server import settings_in
    from server.serving import serving

    used = settings_in(folder).model_copy(
        update={"full_slots": 0, "lite_slots": 0, "max_pending": 20_000, "demo_site": False}
    )
    async with serving(used) as house:
        key = (folder / "local.key").read_text().strip()
        async with httpx.AsyncClient(base_url=house.public_url, headers={"Authorization": f"Bearer {key}"}) as client:
            resident: list[float] = []
            for part in range(11):
                for number in range(1000 if part else 20):
                    body = {"platform": "browser", "tool": "runTask", "parameters": {"task": f"Do {part} {number}"}}
                    (await client.post("/api/tasks", json=body)).raise_for_status()
                resident.append(psutil.Process().memory_info().rss / 2**20)
    sizes = " / ".join(f"{resident[part]:.0f}" for part in (0, 5, 10))
    return f"| server with its client in one process, 20 / 5,000 / 10,000 tasks queued | {sizes} MB | | |"


def row(what: str, mine: tuple[float, list[float]], theirs: tuple[float, list[float]]) -> list[str]:
    (fast, waited), (beside, bare_waited) = mine, theirs
    ours_took, bare_took = (f"{p(one, 0.5):.0f} / {p(one, 0.99):.0f} ms" for one in (waited, bare_waited))
    return [
        f"| {what}: tasks a second | {fast:.0f} | {beside:.0f} | {fast / beside:.2f} |",
        f"| {what}: created to started, p50 / p99 | {ours_took} | {bare_took} | {p(waited, 0.5) / p(bare_waited, 0.5):.2f} |",
    ]


def fresh(server: str) -> str:
    """A new database on the server with that URL."""
    name = f"bench_{os.urandom(4).hex()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return make_url(server).set(database=name).render_as_string(hide_password=False)


async def on_hosts(server: Server, folder: Path, count: int) -> list[str]:
    """Each worker on a host of its own, which reaches the database over a network."""
    with network(count) as hosts, reachable(server, hosts.address) as url:
        mine = await ours(fresh(url), folder, count, hosts.on)
        return row(
            f"PostgreSQL over TCP, {count} workers on hosts of their own",
            mine,
            await bare(fresh(url), folder, count, hosts.on),
        )


async def table(*parts: str) -> None:
    """Prints the rows as they come; `parts`: numbers of workers, `hosts`, `pending` or `memory`, all without any."""
    wanted = parts or ("1", "2", "4", "hosts", "pending", "memory")
    show("| What | Webhand | Bare DBOS, polling every second | Ratio |", "| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, own_server() as server:
        folder = Path(name)
        for part in wanted:
            own = folder / part
            own.mkdir()
            if part.isdigit():
                mine = await ours(fresh(server.url), own, int(part))
                show(
                    *row(
                        f"PostgreSQL, {part} worker{'' if part == '1' else 's'}",
                        mine,
                        await bare(fresh(server.url), own, int(part)),
                    )
                )
            elif part == "hosts":
                show(*await on_hosts(server, own, 2))
            elif part == "pending":
                for what, url in (("SQLite", f"sqlite:///{own / 'many.db'}"), ("PostgreSQL", fresh(server.url))):
                    urgent = await with_many_pending(url, own)
                    took = f"{p(urgent, 0.5):.0f} / {p(urgent, 0.99):.0f} ms"
                    show(f"| {what}, {PENDING:,} pending: an urgent task, created to started, p50 / p99 | {took} | | |")
            else:
                show(await memory(own))


def show(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    import structlog

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(table(*sys.argv[1:]))
