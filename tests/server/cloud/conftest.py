"""One server a module; each test calls it as an owner of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx
import pytest

from tests.server.cloud.stage import Stage, staged


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    async with staged(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest.fixture
async def client(stage: Stage) -> AsyncGenerator[httpx.AsyncClient]:
    """A caller who may read and write."""
    async with stage.caller() as opened:
        yield opened


@pytest.fixture
async def stranger(stage: Stage) -> AsyncGenerator[httpx.AsyncClient]:
    """Another owner."""
    async with stage.caller() as opened:
        yield opened


@pytest.fixture
async def anyone(stage: Stage) -> AsyncGenerator[httpx.AsyncClient]:
    """Somebody without a key."""
    async with httpx.AsyncClient(base_url=stage.origin, trust_env=False) as opened:
        yield opened
