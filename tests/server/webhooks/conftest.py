"""A house on both databases, and receivers."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from storage.database import Database
from tests.server.webhooks.house import House, NodeReceiver, Receiver, node_receiver, open_house, receiving


@pytest.fixture
async def house(sqlite_url: str) -> AsyncGenerator[House]:
    """On SQLite, for what does not depend on the database."""
    database = Database(sqlite_url)
    await database.open()
    async with open_house(database) as opened:
        yield opened
    await database.close()


@pytest.fixture
async def each_house(database: Database) -> AsyncGenerator[House]:
    """Once on each of the two databases."""
    async with open_house(database) as opened:
        yield opened


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    async with receiving(Receiver()) as opened:
        yield opened


@pytest.fixture
async def tasks_api_in_node() -> AsyncGenerator[NodeReceiver]:
    async with node_receiver("tasks_api.mjs") as opened:
        yield opened


@pytest.fixture
async def cloud_in_node() -> AsyncGenerator[NodeReceiver]:
    async with node_receiver("cloud.mjs") as opened:
        yield opened
