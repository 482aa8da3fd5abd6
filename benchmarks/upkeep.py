"""The database while 10,000 tasks run and end, with the upkeep after every thousand of them, beside one without any upkeep.

The tasks are done by an engine that records three steps with a picture each and opens no browser.
Takes half an hour: `python -m benchmarks.upkeep [sqlite] [postgresql]`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select, text
from sqlmodel import col

from benchmarks.scale import fresh
from storage.artifacts import ArtifactStore
from storage.database import Database
from storage.retention import Retention
from storage.tables import Task, now
from tests.agent.worker.shop import Shop, open_shop
from tests.chaos.postgres import own_server

THOUSANDS = 10
UNKEPT = 3
"""So many thousands are enough to see what happens without upkeep."""


async def thousand(shop: Shop) -> None:
    """A thousand tasks, from their creation to their end."""
    for _ in range(1000):
        await shop.ask("steps")
    open_ones = select(func.count()).select_from(Task).where(col(Task.finished_at).is_(None))
    async with shop.database.reading() as session:
        while await session.scalar(open_ones):
            await session.rollback()  # each look begins a transaction of its own
            await asyncio.sleep(0.5)


async def megabytes(database: Database) -> float:
    """What the database takes on disk, its log aside."""
    asked = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    async with database.reading() as session:
        size = await session.scalar(text(asked if database.sqlite else "SELECT pg_database_size(current_database())"))
    return (size or 0) / 2**20


async def sizes(url: str, folder: Path, thousands: int, *, upkeep: bool) -> list[str]:
    """Megabytes after each thousand."""
    found: list[str] = []
    async with open_shop(url, folder, queue_works=True) as shop:
        retention = Retention(shop.database, ArtifactStore(shop.database, folder / "artifacts"))
        for _ in range(thousands):
            await thousand(shop)
            if upkeep:
                await retention.prune(older_than=now(), most_bytes=2**40)
                await shop.queue.prune(timedelta(0))
            found.append(f"{await megabytes(shop.database):.1f}")
    return found


async def table(*databases: str) -> None:
    """Prints the rows as they come."""
    show("| Thousands of tasks |", *(f" {number + 1} |" for number in range(THOUSANDS)))
    show("| --- |", *(" --- |" for _ in range(THOUSANDS)))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, own_server() as server:
        for number, what in enumerate(databases or ("sqlite", "postgresql")):
            for upkeep in (True, False):
                own = Path(name) / f"{number}-{upkeep}"
                own.mkdir()
                url = f"sqlite:///{own / 'kept.db'}" if what == "sqlite" else fresh(server.url)
                found = await sizes(url, own, THOUSANDS if upkeep else UNKEPT, upkeep=upkeep)
                how = "with upkeep" if upkeep else "without"
                found += [""] * (THOUSANDS - len(found))
                show(f"| {what}, {how}, MB |", *(f" {size} |" for size in found))


def show(*cells: str) -> None:
    print("".join(cells), flush=True)


if __name__ == "__main__":
    import structlog

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(table(*sys.argv[1:]))
