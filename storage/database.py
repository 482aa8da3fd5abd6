"""Opens the database (SQLite in WAL mode, or PostgreSQL), brings it up to date, and hands out transactions."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy import URL, Connection, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from storage.changes import CHANNEL, Changes
from storage.sqlite import SqliteConnection

T = TypeVar("T")
_MIGRATIONS = Path(__file__).parent / "migrations"
_REVISION = text("SELECT max(version_num) FROM alembic_version")
_BUSY_MS = 30_000
_AGAIN_S = 0.25
_WATCHFUL = {
    "connect_timeout": "10",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
"""How soon a PostgreSQL that vanished without a word is noticed (libpq's parameters; the last in ms, the others in seconds).

The system's own patience is a quarter of an hour for what was sent, and two hours for a connection that only listens.
"""
_log = structlog.get_logger(__name__)
_MIGRATING = 0x77656268  # the advisory lock under which PostgreSQL is migrated, so that two starts do not race


class DatabaseUnavailable(Exception):
    """The database cannot be opened."""


AWAY = (DBAPIError, PoolExhausted, DatabaseUnavailable)
"""What is raised where the database is away; a DBAPIError may also mean something else: see `is_away`."""


class Database:
    """One database and its connections. Transactions are the only way in. Raises DatabaseUnavailable where the URL cannot be read."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url: URL = _read(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.changes = Changes()
        self._turn = asyncio.Lock()
        """SQLite has one writer at a time. Those of this process queue up here: SQLite's own waiting is sleeping and trying again."""
        self._moving = asyncio.Event()
        """Not set while no transaction may begin that changes rows."""
        self._moving.set()
        self._reached = self.url if self.sqlite else self.url.update_query_dict(_WATCHFUL | dict(self.url.query))
        """The URL with what it does not say itself."""
        driver = "sqlite+aiosqlite" if self.sqlite else "postgresql+psycopg"
        ours: dict[str, Any] = {"pool_pre_ping": True}
        if self.sqlite:
            ours = {"async_creator": partial(SqliteConnection, self.url.database or "")}
        self._engine: AsyncEngine = create_async_engine(
            self._reached.set(drivername=driver), pool_size=pool_size, max_overflow=pool_size, **ours
        )
        self._looking = self._engine.execution_options(only_reading=True) if self.sqlite else self._engine
        if self.sqlite:
            event.listen(self._engine.sync_engine, "connect", _set_pragmas)
            event.listen(self._engine.sync_engine, "begin", _begin)

    @property
    def plain_url(self) -> str:
        """The URL without our driver's name, for libraries that choose their own."""
        plain = self._reached.set(drivername="sqlite" if self.sqlite else "postgresql")
        return plain.render_as_string(hide_password=False)

    async def open(self) -> None:
        """Makes the file and brings the tables up to date. Raises DatabaseUnavailable with one sentence."""
        try:
            if self.sqlite:
                await asyncio.to_thread(self._prepare_file)
            await asyncio.to_thread(self._migrate)
        except (DBAPIError, sqlite3.Error, OSError) as error:
            shown = self.url.render_as_string(hide_password=True)
            message = f"The database {shown} cannot be opened: {reason(error)}"
            raise DatabaseUnavailable(message) from error

        if not self.sqlite:
            await self.changes.listen(self.plain_url)

    async def close(self) -> None:
        """Gives every connection back."""
        await self.changes.close()
        await self._engine.dispose()

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncSession]:
        """A transaction that may change rows: committed at the end, rolled back by an exception.

        Whoever follows a topic that was told in it (`tell`) wakes after the commit, in every process.
        """
        await self._moving.wait()
        async with self.alone(), _transaction(self._engine) as session:
            yield session
            told: set[str] = session.info.get("told", set[str]())
            if not self.sqlite:
                for topic in sorted(told):
                    notify = text("SELECT pg_notify(:channel, :topic)")
                    await session.execute(notify, {"channel": CHANNEL, "topic": topic})
        for topic in told:
            self.changes.wake(topic)

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncSession]:
        """A transaction that only looks: on SQLite it takes no write lock."""
        async with _transaction(self._looking) as session:
            yield session

    @asynccontextmanager
    async def alone(self) -> AsyncGenerator[None]:
        """No other transaction of this process changes rows of the SQLite file meanwhile. PostgreSQL has many writers at once.

        Also for a library that writes to the file on the event loop: it would wait for the lock of a transaction that cannot end
        while the loop waits.
        """
        if not self.sqlite:
            yield
            return
        async with self._turn:
            yield

    @asynccontextmanager
    async def still(self) -> AsyncGenerator[None]:
        """No transaction of this process that changes rows begins meanwhile: a library makes tables, and may wait for all that did.

        Whoever needs those tables waits here, not in a transaction.
        """
        self._moving.clear()
        try:
            async with self.alone():
                yield
        finally:
            self._moving.set()

    async def answers(self) -> bool:
        """Whether it can be reached right now."""
        try:
            async with self.reading() as session:
                await session.execute(text("SELECT 1"))
        except (OperationalError, OSError):
            return False
        return True

    async def outgrown(self) -> bool:
        """Whether a newer Webhand has changed the tables since this process opened them: it cannot know what they mean now."""
        async with self.reading() as session:
            found = str((await session.execute(_REVISION)).scalar_one())
        return found > _newest()

    def _prepare_file(self) -> None:
        # WAL is a property of the file: set before anyone else has it open, or two processes that start at once lock each other out.
        path = Path(self.url.database or "")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
        ends = time.monotonic() + _BUSY_MS / 1000
        with closing(sqlite3.connect(path)) as connection:
            while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                try:
                    connection.execute("PRAGMA journal_mode=WAL")
                except sqlite3.OperationalError:  # the change of mode does not wait for other openers by itself
                    if time.monotonic() > ends:
                        raise
                    time.sleep(0.02)

    def _migrate(self) -> None:
        from sqlalchemy import create_engine  # the synchronous engine serves Alembic only

        driver = "sqlite" if self.sqlite else "postgresql+psycopg"
        engine = create_engine(self._reached.set(drivername=driver))
        if self.sqlite:
            # The write lock is taken before the look at what is there, so that of two starts one waits for the other. Foreign keys
            # stay off: Alembic changes a SQLite table by making it anew.
            event.listen(engine, "connect", _wait_for_locks)
            event.listen(engine, "begin", _begin)
        try:
            with engine.begin() as connection:
                if not self.sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
                if self.sqlite and not inspect(connection).get_table_names():
                    _make(connection)
                elif not _is_newest(connection):
                    from storage.upgrades import upgrade  # most starts need none of Alembic

                    upgrade(connection, "head")
        finally:
            engine.dispose()


class _Session(AsyncSession):
    """A session whose every call to the database runs to its end, also when its caller is cancelled meanwhile.

    A cancelled driver call would leave the connection with a transaction that nobody ends, and SQLite locked for everybody. The
    cancellation is delivered when the call is over: calls are short.
    """

    async def execute(self, *arguments: Any, **options: Any) -> Any:
        return await _to_its_end(super().execute(*arguments, **options))

    async def scalars(self, *arguments: Any, **options: Any) -> Any:
        return await _to_its_end(super().scalars(*arguments, **options))

    async def get(self, *arguments: Any, **options: Any) -> Any:
        return await _to_its_end(super().get(*arguments, **options))

    async def flush(self, *arguments: Any, **options: Any) -> None:
        await _to_its_end(super().flush(*arguments, **options))

    async def run_sync(self, *arguments: Any, **options: Any) -> Any:
        return await _to_its_end(super().run_sync(*arguments, **options))

    async def commit(self) -> None:
        await _to_its_end(super().commit())

    async def rollback(self) -> None:
        await _to_its_end(super().rollback())

    async def close(self) -> None:
        await _to_its_end(super().close())


@asynccontextmanager
async def _transaction(engine: AsyncEngine) -> AsyncGenerator[AsyncSession]:
    session = _Session(engine, expire_on_commit=False)
    try:
        yield session
        await session.commit()
    except BaseException:
        await session.rollback()
        raise
    finally:
        await session.close()


async def _to_its_end(call: Coroutine[Any, Any, T]) -> T:
    work = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({work})
        if not work.cancelled():
            work.exception()  # looked at, so that asyncio does not complain that nobody did
        raise


async def persistently(verb: Callable[[], Awaitable[T]], while_: Callable[[], bool]) -> T:
    """Does it, again and again while the database is away for a moment (a restart, a fail-over) and `while_` says yes.

    For verbs that may be done twice: a connection may be lost between a commit and its acknowledgement.
    """
    while True:
        try:
            return await verb()
        except DBAPIError as error:
            if not is_away(error) or not while_():
                raise
            _log.warning("database.away", error=reason(error))
        await asyncio.sleep(_AGAIN_S)


def is_away(error: Exception) -> bool:
    """Whether it says that the database does not answer, or takes nothing: a restart, a fail-over, a full disk."""
    if isinstance(error, DBAPIError):
        # SQLite says OperationalError of wrong statements too; those are SQLITE_ERROR (sqlite.org/rescode.html).
        wrong = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
        return error.connection_invalidated or (isinstance(error, (OperationalError, InterfaceError)) and not wrong)
    return isinstance(error, AWAY)


def reason(error: Exception) -> str:
    """What the database's driver says of it, in one line."""
    said = error.orig if isinstance(error, DBAPIError) else error
    return str(said).partition("\n")[0]


def tell(session: AsyncSession, topic: str) -> None:
    """Notes that whoever follows the topic must look again once this transaction is committed."""
    session.info.setdefault("told", set()).add(topic)


def _read(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        message = "WEBHAND_DATABASE_URL cannot be read: it must be postgresql://user:password@host/name, each part percent-encoded."
        raise DatabaseUnavailable(message) from None


def _make(connection: Connection) -> None:
    """Makes in an empty SQLite file what all revisions together would make, by the script that was written down of it.

    Statement by statement: sqlite3's own `executescript` commits first.
    """
    statement = ""
    for line in (_MIGRATIONS / "newest.sql").read_text().splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.exec_driver_sql(statement)
            statement = ""


def _is_newest(connection: Connection) -> bool:
    """Whether the tables are at the newest revision already. Revisions are numbered: a file's name begins with its number.

    Raises DatabaseUnavailable when a newer Webhand made them: this one cannot know what they mean.
    """
    if not inspect(connection).has_table("alembic_version"):
        return False
    newest = _newest()
    found = connection.execute(_REVISION).scalar_one()
    if found is None:
        message = "The database says of no revision that its tables are of it: restore a backup."
        raise DatabaseUnavailable(message)
    if found > newest:
        message = (
            f"The database was made by a newer Webhand (revision {found}, this one knows {newest}): upgrade this one."
        )
        raise DatabaseUnavailable(message)
    return found == newest


def _newest() -> str:
    """The newest revision that this Webhand knows."""
    return max(path.name[:4] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def _wait_for_locks(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, below
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")


def _set_pragmas(connection: Any, record: object) -> None:
    _wait_for_locks(connection, record)
    # FULL: a commit is on the disk when it returns. Else a power cut could take back that a publishing act was about to go out.
    # A cache of half a MB: the system caches the file for all connections at once, so 2 MB for each of twenty only made the server grow.
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "cache_size=-512"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A transaction that starts as a reader and then writes can fail at once with "database is locked": writers say so from the start.
    reading = connection.get_execution_options().get("only_reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
