"""The durable queue on both databases: promises that are kept, and what is removed of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ColumnClause, ColumnElement, TableClause, func, select, table, text, update
from sqlalchemy import column as sql_column

from agent.queue import Queue
from storage.database import Database, DatabaseUnavailable
from storage.tables import now
from tests.agent.worker.shop import Shop, an_order, open_shop, reached

pytestmark = pytest.mark.anyio


async def test_the_durable_queue_alone_wakes_a_worker(database_url: str, tmp_path: Path) -> None:
    """The wake-up inside the process is lost; the promise made in the task's transaction is kept all the same."""
    async with open_shop(database_url, tmp_path, look=3600, queue_works=True) as shop:
        shop.database.changes.wake_all()
        tasks = type(shop.tasks)(shop.database, shop.queue)
        async with shop.database.writing() as session:
            task = an_order("done")
            session.add(task)
            await session.flush()
            await shop.queue.ready(session, task)
        assert (await reached(shop.database, tasks, task.id)).state == "completed"


async def test_the_queue_begins_to_work_while_others_write(sqlite_url: str, tmp_path: Path) -> None:
    """A server answers, and writes, before its worker is there: neither may wait for the other's lock for ever."""
    async with open_shop(sqlite_url, tmp_path, begin=False) as shop:
        written = asyncio.Event()

        async def write_slowly() -> None:
            async with shop.database.writing() as session:
                session.add(an_order("done"))
                await session.flush()
                written.set()
                await asyncio.sleep(0.05)  # the loop is needed again before the lock can go

        writing = asyncio.create_task(write_slowly())
        await written.wait()
        async with asyncio.timeout(20):
            look = shop.worker.look
            await shop.queue.work("one", on_task=look, on_delivery=look, on_schedule=look, on_upkeep=look)
        await writing


async def test_promises_made_while_the_queue_opens_wait_for_it(new_database_url: str) -> None:
    """A server answers, and takes tasks, before DBOS is imported and its tables are made, by whichever process comes first.

    On PostgreSQL DBOS waits for whatever statement is under way: one that waited for a row of a transaction that waited for DBOS, for ever.
    """
    databases = [Database(new_database_url), Database(new_database_url)]
    for database in databases:
        await database.open()
    front, other = (Queue(database) for database in databases)

    async def create() -> None:
        async with databases[0].writing() as session:
            task = an_order("done")
            session.add(task)
            await session.flush()
            await front.ready(session, task)

    async with asyncio.timeout(90):
        await other.begin_to_open()
        await front.begin_to_open()
        assert not front.is_open
        await asyncio.gather(*(create() for _ in range(30)))
        await other.settled()
    assert front.is_open
    async with databases[1].reading() as session:
        schema = None if databases[1].sqlite else "dbos"
        count = select(func.count()).select_from(table("workflow_status", schema=schema))
        assert await session.scalar(count) == 30
    for queue in (front, other):
        await queue.close()
    for database in databases:
        await database.close()


async def test_a_queue_that_cannot_be_opened_is_noticed(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    await database.open()
    async with database.writing() as session:
        await session.execute(text("CREATE TABLE dbos_migrations (foreign_to_dbos INTEGER)"))
    queue = Queue(database)
    await queue.begin_to_open()
    async with asyncio.timeout(30):
        assert isinstance(await queue.failed(), DatabaseUnavailable)
        assert not queue.is_open
        with pytest.raises(DatabaseUnavailable, match="The queue's tables cannot be opened: no such column: version"):
            async with database.writing() as session:
                await queue.ready(session, an_order("done"))
    await queue.close()
    await database.close()


async def test_what_prunes_the_queue_is_not_removed_while_it_runs(database_url: str, tmp_path: Path) -> None:
    """It was promised an hour ago, as each upkeep is; a wake-up that was taken an hour ago is over, or its taker dead."""
    pruned: asyncio.Queue[int] = asyncio.Queue()
    async with open_shop(database_url, tmp_path, begin=False) as shop:

        async def prune(_subject: str) -> None:
            await older(shop, "created_at", sql_column("status") == "PENDING")
            await pruned.put(await shop.queue.prune())

        look = shop.worker.look
        await shop.queue.work("one", on_task=look, on_delivery=look, on_schedule=prune, on_upkeep=look)
        async with asyncio.timeout(20):
            assert await fired(shop, pruned, "first") == 0
            await over(shop, "first")
            await older(shop, "started_at_epoch_ms", named("first"))
            assert await fired(shop, pruned, "second") == 1
            await over(shop, "second")


async def fired(shop: Shop, pruned: asyncio.Queue[int], name: str) -> int:
    async with shop.database.writing() as session:
        await shop.queue.fire(session, name, now())
    return await pruned.get()


async def older(shop: Shop, column: str, which: ColumnElement[bool]) -> None:
    """Two hours more have passed since then."""
    earlier = update(wake_ups(shop)).where(which).values({column: sql_column(column) - 7_200_000})
    async with shop.database.writing() as session:
        await session.execute(earlier)


async def over(shop: Shop, name: str) -> None:
    """Waits until the queue has it as done."""
    done = select(func.count()).select_from(wake_ups(shop)).where(named(name), sql_column("status") == "SUCCESS")
    while True:
        async with shop.database.reading() as session:
            if (await session.execute(done)).scalar_one():
                return
        await asyncio.sleep(0.05)


def wake_ups(shop: Shop) -> TableClause:
    """DBOS's own table of them."""
    columns: list[ColumnClause[Any]] = [
        sql_column(name) for name in ("workflow_uuid", "status", "created_at", "started_at_epoch_ms")
    ]
    return table("workflow_status", *columns, schema=None if shop.database.sqlite else "dbos")


def named(name: str) -> ColumnElement[bool]:
    return sql_column("workflow_uuid").startswith(f"{name}:")
