"""Publishing while everything that can die does: nothing is lost, published twice or stuck, and what is stored is what happened."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.chaos.postgres import own_server
from tests.chaos.storm import WORKERS, Storm, on_postgresql, on_sqlite, storm

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]
PATIENCE_S = 240
"""A busy machine takes its time; a free one needs a tenth of this."""


async def survived(world: Storm, tasks: int) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            ended = await world.weathered()
    except TimeoutError:
        pytest.fail(f"stuck: {len(world.created)} created, {len(world.site.published)} published\n{world.logs()}")
    outcomes = world.outcomes(ended)
    assert len(world.created) == tasks
    assert world.disagreements(ended) == [], world.logs()
    assert max(world.site.counts.values()) == 1
    assert world.left == [], (outcomes, "these faults never struck: everything had ended before")
    assert outcomes["completed"] >= tasks // 3, (outcomes, world.logs())
    assert outcomes["INTERNAL_ERROR"] == outcomes["AUTHENTICATION_FAILED"] == 0, (outcomes, world.logs())


async def test_one_process_on_sqlite_survives_its_own_death_and_its_browsers(tmp_path: Path) -> None:
    async with storm(tmp_path, tasks=20, lite_slots="2") as world:
        world.left = on_sqlite(world)
        await survived(world, 20)


async def test_three_workers_on_postgresql_survive_each_others_deaths(tmp_path: Path) -> None:
    with own_server() as server:
        async with storm(tmp_path, tasks=30, database=server.url, workers=WORKERS, lite_slots="2") as world:
            world.left = on_postgresql(world, server)
            await survived(world, 30)
