"""Opening, migrating, and keeping the database's files to ourselves."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, insert, inspect, make_url, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from storage.database import Database, DatabaseUnavailable
from storage.runs import RunStore
from storage.sqlite import SqliteConnection
from storage.tables import Task, Worker
from storage.upgrades import migrations, upgrade

pytestmark = pytest.mark.anyio


def revisions(connection: Connection) -> list[str]:
    found = ScriptDirectory.from_config(migrations(connection)).walk_revisions()
    return [script.revision for script in found][::-1]


def ours(name: str | None, kind: str, _parents: Any) -> bool:
    return kind != "table" or name in SQLModel.metadata.tables


def test_every_revision_leads_to_exactly_the_tables_of_the_code(new_database_url: str, tmp_path: Path) -> None:
    url = make_url(new_database_url)
    engine = create_engine(url.set(drivername="sqlite" if url.get_backend_name() == "sqlite" else "postgresql+psycopg"))
    assert tmp_path.is_dir()
    with engine.begin() as connection:
        for revision in revisions(connection):
            upgrade(connection, revision)
        context = MigrationContext.configure(connection, opts={"include_name": ours, "compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    engine.dispose()


async def test_a_new_sqlite_file_is_made_as_all_revisions_together_would_make_it(tmp_path: Path) -> None:
    """It is made by a script that was written down of them, in one go (storage/migrations/newest.sql)."""
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    await database.open()
    await database.close()
    old = create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    with old.begin() as connection:
        for revision in revisions(connection):
            upgrade(connection, revision)
    old.dispose()

    def made(name: str) -> list[Any]:
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            parts = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")
            shown = [(*rest, " ".join(sql.split()) if sql else None) for *rest, sql in parts]
            return [shown, *connection.execute("SELECT version_num FROM alembic_version")]

    assert made("new.db") == made("old.db")


async def test_a_file_whose_making_was_broken_off_is_made_whole_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'webhand.db'}")
    asked: list[str] = []

    def until_the_hundredth(statement: str) -> bool:
        asked.append(statement)
        if len(asked) > 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return complete(statement)

    complete = sqlite3.complete_statement
    monkeypatch.setattr(sqlite3, "complete_statement", until_the_hundredth)
    with pytest.raises(DatabaseUnavailable, match="No space left"):
        await database.open()
    monkeypatch.undo()
    await database.open()
    assert await database.answers()
    async with database.reading() as session:
        assert (await session.execute(text("SELECT count(*) FROM task"))).scalar_one() == 0
    await database.close()


def test_tasks_of_an_older_webhand_are_counted(new_database_url: str, task: Callable[..., Task]) -> None:
    url = make_url(new_database_url)
    engine = create_engine(url.set(drivername="sqlite" if url.get_backend_name() == "sqlite" else "postgresql+psycopg"))
    with engine.begin() as connection:
        upgrade(connection, "0001")
        known = {column.name for column in SQLModel.metadata.tables["task"].columns}
        values = task().model_dump(exclude_none=True)
        connection.execute(
            insert(SQLModel.metadata.tables["task"]).values({name: values[name] for name in known & set(values)})
        )
        upgrade(connection, "head")
        found = connection.execute(text("SELECT owner, platform, tool, account_name, tasks FROM tally")).all()
        assert [tuple(row) for row in found] == [("alice", "demo", "createPost", "my-demo", 1)]
        command.downgrade(migrations(connection), "0001")
        assert "tally" not in inspect(connection).get_table_names()
        upgrade(connection, "head")
    engine.dispose()


def test_a_database_with_figures_of_its_indexes_gets_those_of_the_new_ones(
    tmp_path: Path, task: Callable[..., Task]
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'webhand.db'}")
    with engine.begin() as connection:
        upgrade(connection, "0002")
        rows = [task(id=f"task{number}").model_dump() for number in range(2000)]
        connection.execute(insert(SQLModel.metadata.tables["task"]), rows)
        connection.execute(text("ANALYZE"))
        upgrade(connection, "head")
    with engine.begin() as connection:
        page = "SELECT id FROM task WHERE owner = 'alice' ORDER BY created_at DESC, id DESC LIMIT 50"
        plan = [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {page}"))]
    assert plan == ["SEARCH task USING COVERING INDEX task_newest (owner=?)"]
    engine.dispose()


async def test_two_processes_may_open_a_new_database_at_once(new_database_url: str) -> None:
    pair = Database(new_database_url), Database(new_database_url)
    await asyncio.gather(*(one.open() for one in pair))
    assert [await one.answers() for one in pair] == [True, True]
    for one in pair:
        await one.close()


async def test_the_sqlite_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new' / 'webhand.db'}")
    await database.open()
    await database.close()
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new" / "webhand.db").stat().st_mode) == 0o600


async def test_what_is_committed_is_on_the_disk(database: Database) -> None:
    """A power cut may take nothing back: SQLite's FULL (2) syncs its log at each commit; PostgreSQL's own default does."""
    name, safe = ("synchronous", "2") if database.sqlite else ("synchronous_commit", "on")
    async with database.writing() as session:
        found = await session.execute(text(f"PRAGMA {name}" if database.sqlite else f"SHOW {name}"))
        assert str(found.scalar_one()) == safe


async def test_no_connection_keeps_much_of_the_sqlite_file_in_memory(tmp_path: Path) -> None:
    """Twenty may be open at once, and SQLite's own default is 2 MB for each as soon as the file is that large."""
    database = Database(f"sqlite:///{tmp_path / 'webhand.db'}")
    await database.open()
    for transaction in (database.writing, database.reading):
        async with transaction() as session:
            kibibytes = -(await session.execute(text("PRAGMA cache_size"))).scalar_one()
            assert 0 < kibibytes <= 512
    await database.close()


async def test_a_database_that_cannot_be_reached_is_said_in_one_sentence_without_its_password() -> None:
    database = Database("postgresql://somebody:hunter2@127.0.0.1:9/none")
    with pytest.raises(DatabaseUnavailable) as caught:
        await database.open()
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_postgresql_that_vanishes_without_a_word_is_noticed_in_seconds(postgres_url: str) -> None:
    """The system's own patience is a quarter of an hour for what was sent, and two hours for a connection that only listens."""
    patient = (
        make_url(postgres_url).update_query_dict({"tcp_user_timeout": "60000"}).render_as_string(hide_password=False)
    )
    for url, expected in ((postgres_url, "15000"), (patient, "60000")):
        database = Database(url)
        await database.open()
        async with database.reading() as session:
            raw: Any = await (await session.connection()).get_raw_connection()
            for found in (raw.driver_connection.info.get_parameters(), dict(make_url(database.plain_url).query)):
                assert found["tcp_user_timeout"] == expected
                assert found["keepalives_idle"] == "15"
        await database.close()


async def test_a_database_of_a_newer_webhand_is_left_alone(database: Database) -> None:
    async with database.writing() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseUnavailable, match="newer Webhand"):
        await database.open()


async def test_whoever_is_cancelled_in_a_transaction_leaves_no_lock_behind(database: Database) -> None:
    runs = RunStore(database, NoOutbox())

    async def beat_for_ever() -> None:
        while True:
            await runs.beat(Worker(id="one"))

    for pause in range(40):
        busy = asyncio.create_task(beat_for_ever())
        await asyncio.sleep(pause / 4000)
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)
        async with asyncio.timeout(5):
            await runs.leave("one")


async def test_sqlites_writers_take_turns_and_hold_no_connection_while_they_wait(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'webhand.db'}", pool_size=1)  # which makes two connections
    await database.open()
    went: list[int] = []

    async def write(number: int) -> None:
        async with database.writing() as session:
            await session.execute(text("DELETE FROM worker"))
            went.append(number)

    async with database.writing() as session:
        await session.execute(text("DELETE FROM worker"))
        waiting = [asyncio.create_task(write(number)) for number in range(5)]
        async with asyncio.timeout(10):
            assert [await database.answers() for _ in range(5)] == [True] * 5
        assert went == []
    await asyncio.gather(*waiting)
    assert went == [0, 1, 2, 3, 4]
    await database.close()


async def test_a_transaction_costs_sqlite_one_hop_a_statement_and_one_for_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hops: list[Any] = []

    async def counted(connection: SqliteConnection, step: Any) -> Any:
        hops.append(step)
        return await hop(connection, step)

    hop: Any = vars(aiosqlite.Connection)["_execute"]
    database = Database(f"sqlite:///{tmp_path / 'webhand.db'}")
    await database.open()
    assert await database.answers()
    monkeypatch.setattr(SqliteConnection, "_execute", counted)
    assert await database.answers()
    assert len(hops) == 2
    async with database.reading():
        pass
    assert len(hops) == 2
    await database.close()


async def test_a_writer_that_only_looks_at_first_keeps_other_processes_out(tmp_path: Path) -> None:
    first, second = (Database(f"sqlite:///{tmp_path / 'webhand.db'}") for _ in range(2))
    await first.open()
    await second.open()
    went: list[str] = []

    async def write() -> None:
        async with second.writing() as session:
            await session.execute(text("DELETE FROM worker"))
            went.append("second")

    async with first.writing() as session:
        await session.execute(text("SELECT 1"))
        waiting = asyncio.create_task(write())
        assert await second.answers()
        await session.execute(text("DELETE FROM worker"))
        went.append("first")
    await waiting
    assert went == ["first", "second"]
    await first.close()
    await second.close()


class NoOutbox:
    async def ready(self, session: AsyncSession, task: Task) -> None: ...

    async def happened(self, session: AsyncSession, task: Task) -> None: ...
