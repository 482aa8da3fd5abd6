"""One house for the tests of a module, and both eras of the protocol."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.server.mcp.client import MODERN
from tests.server.mcp.house import House, open_house, serving


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    async with open_house(tmp_path_factory.mktemp("house")) as opened:
        yield opened


@pytest.fixture(scope="module")
async def url(house: House) -> AsyncGenerator[str]:
    async with serving(house) as address:
        yield address


@pytest.fixture(params=["legacy", MODERN])
def era(request: pytest.FixtureRequest) -> str:
    """How the client speaks: with the handshake of before 2026, or in self-contained requests."""
    return request.param


@pytest.fixture
async def secret(house: House) -> str:
    """A key that reads and writes, of an owner that nobody else has. What other tests let go is held again."""
    house.engine.released.clear()
    return await house.key()
