"""SQLite behind asyncio at one hop to the connection's thread a statement.

aiosqlite hops for each step: open a cursor, execute, fetch, close. A hop wakes a thread and then the loop again, which costs more than
most of our statements do; here all of a statement's steps are one, a BEGIN goes along with the first statement, and where no transaction
is under way there is no hop to end one (SQLAlchemy rolls back whatever comes back to its pool).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Self

import aiosqlite

_CHUNK = 64
"""aiosqlite's own default; rows are not fetched in chunks here."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a statement led to, as PEP 249 names it; `rows` are all there are."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    rows: Sequence[Any] = ()


class SqliteConnection(aiosqlite.Connection):
    """A connection for SQLAlchemy (`async_creator`): its thread does not keep the process alive."""

    def __init__(self, path: str) -> None:
        super().__init__(lambda: sqlite3.connect(path), _CHUNK)
        self._thread.daemon = True
        self._begin: str | None = None
        """The BEGIN that waits for the first statement of its transaction."""

    def cursor(self) -> SqliteCursor:  # pyright: ignore[reportIncompatibleMethodOverride]  # SQLAlchemy asks for no more
        """A cursor, which costs nothing until it executes."""
        return SqliteCursor(self)

    async def run(self, method: str, *arguments: Any) -> Ran:
        """What this method of a fresh cursor leads to, in one hop."""
        begin, self._begin = self._begin, None

        def steps() -> Ran:
            with closing(self._conn.cursor()) as cursor:
                if begin is not None:
                    cursor.execute(begin)
                getattr(cursor, method)(*arguments)
                rows = cursor.fetchall() if cursor.description else ()
                return Ran(cursor.description, cursor.rowcount, cursor.lastrowid, rows)

        return await self._execute(steps)  # pyright: ignore[reportUnknownMemberType]  # aiosqlite leaves it untyped

    def begin(self, statement: str) -> None:
        """Begins a transaction, as late as nobody can tell: its first statement takes the lock, and fails where that cannot be had."""
        self._begin = statement

    async def commit(self) -> None:
        """Ends a transaction, if one has really begun."""
        self._begin = None
        if self.in_transaction:
            await super().commit()

    async def rollback(self) -> None:
        """Takes a transaction back, if one has really begun."""
        self._begin = None
        if self.in_transaction:
            await super().rollback()


class SqliteCursor:
    """A cursor as SQLAlchemy's asyncio adapter uses it: it enters, executes, takes all rows, closes."""

    arraysize = 1

    def __init__(self, connection: SqliteConnection) -> None:
        self._connection = connection
        self._ran = Ran()

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Any = ()) -> SqliteCursor:
        """Runs the statement once."""
        if statement.startswith("BEGIN"):
            self._connection.begin(statement)
            return self
        self._ran = await self._connection.run("execute", statement, parameters)
        return self

    async def executemany(self, statement: str, parameters: Any) -> SqliteCursor:
        """Runs the statement for each set of parameters."""
        self._ran = await self._connection.run("executemany", statement, parameters)
        return self

    async def fetchall(self) -> Sequence[Any]:
        """Every row, fetched already."""
        return self._ran.rows

    async def close(self) -> None:
        """Nothing: the statement's own cursor is closed already."""

    @property
    def description(self) -> Any:
        """The columns; None where the statement gives no rows."""
        return self._ran.description

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        return self._ran.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The last row that was inserted."""
        return self._ran.lastrowid
