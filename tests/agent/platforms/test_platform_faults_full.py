"""What comes of each fault on the full engine, with a model that follows a script: the other column of docs/faults.md."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from agent.engine import Assignment, Options
from agent.full.brief import Brief
from agent.full.guard import Guard, Place
from agent.full.nursery import Nursery
from agent.full.settings import FullSettings
from agent.full.supervisor import FullEngine
from agent.origins import Origins
from server.rehearsed_model import RehearsedModel
from tests.agent.platforms.agent_script import lines
from tests.agent.platforms.stage import Ran, Stage
from tests.agent.platforms.test_platform_faults import TOOLS, wrong
from tests.replicas.replica import Replica
from tests.replicas.table import PLATFORMS, ROWS, End, Row
from tests.scripted_model import in_turn, scripted_model
from tools.catalog import catalog

pytestmark = pytest.mark.anyio

numbers = itertools.count()
AT_ONCE = 2
"""Pairs of an agent and a browser that work side by side: each waits for the other half of the time."""
WHOLE = "WEBHAND_FAULTS" in os.environ
"""`make faults` plays every fault on every platform, for minutes; other runs play each on one platform, in turn."""


@pytest.fixture(scope="module")
async def full(
    chromium_path: Path, tmp_path_factory: pytest.TempPathFactory, replicas: Mapping[str, Replica]
) -> AsyncGenerator[tuple[FullEngine, RehearsedModel]]:
    """One engine for the module, and the model that its agents ask."""
    folder = tmp_path_factory.mktemp("full")
    with scripted_model({}) as (model, base_url):
        settings = FullSettings(
            chromium=chromium_path,
            run_folder=folder / "run",
            base_url=base_url,
            model="unused",
            api_key="sk-test-model-key",
            warm=AT_ONCE,
            model_retries=0,
            max_failures=2,
            origins=Origins({catalog().sites[name].home: replica.origin for name, replica in replicas.items()}),
        )
        nursery = Nursery(folder / "run")
        engine = FullEngine(settings, nursery)
        yield engine, model
        await engine.close()
        await nursery.close()


async def played(
    full: tuple[FullEngine, RehearsedModel], stage: Stage, row: Row, platform: str, *, dry_run: bool = False
) -> Ran:
    """Carries the platform's task out on the full engine, under the row's faults."""
    engine, model = full
    replica = stage.replicas[platform]
    replica.reset(*row.faults)
    tool, parameters = TOOLS[platform]
    name = f"agent-{next(numbers)}"
    model.scripts = {**model.scripts, name: in_turn(*lines(replica, parameters))}
    options = Options(model=name, max_steps=8, highlight_elements=False, dry_run=dry_run)

    async def person() -> None:
        replica.requests.clear()
        await replica.solved()
        async with asyncio.timeout(20):
            while not {"GET /editors.js", "POST /challenge"} & set(replica.requests):  # noqa: ASYNC110  # until the page has moved on
                await asyncio.sleep(0.05)

    on_full = replace(stage, engine=engine)
    return await on_full.play(
        tool, parameters, person=person if row.person else None, in_vain=row.in_vain, options=options
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
async def test_each_fault_ends_as_the_table_says(
    row: Row, stage: Stage, full: tuple[FullEngine, RehearsedModel]
) -> None:
    at_once = asyncio.Semaphore(AT_ONCE)

    async def ended(platform: str) -> Ran:
        async with at_once:
            return await played(full, stage, row, platform)

    ends = row.full if WHOLE else in_turn_of(row)
    ran = await asyncio.gather(*map(ended, ends))
    checked = [wrong(end, one, stage.replicas[name]) for (name, end), one in zip(ends.items(), ran, strict=True)]
    assert "\n".join(filter(None, checked)) == ""


def in_turn_of(row: Row) -> dict[str, End]:
    """The end on the platform whose turn it is."""
    platforms = list(row.full)
    platform = platforms[ROWS.index(row) % len(platforms)]
    return {platform: row.full[platform]}


@pytest.mark.parametrize(("platform", "steps"), [("twitter", 2), ("xueqiu", 2), ("tonghuashun", 6)])
async def test_a_dry_run_goes_up_to_the_last_click_and_publishes_nothing(
    platform: str, steps: int, stage: Stage, full: tuple[FullEngine, RehearsedModel]
) -> None:
    ran = await played(full, stage, ROWS[0], platform, dry_run=True)
    assert stage.replicas[platform].published == []
    assert ran.desk.armed == 0
    refused = next(step for step in ran.desk.steps if "dry run" in str(step.results))
    assert refused.screenshot
    assert ran.desk.steps.index(refused) == steps


@pytest.mark.parametrize("name", [name for name, tool in catalog().tools.items() if tool.platform in PLATFORMS])
def test_an_act_on_the_sites_own_pages_always_counts(name: str, tmp_path: Path) -> None:
    tool = catalog().tools[name]
    site = catalog().sites[tool.platform]
    brief = Brief(Assignment("t", tool, site, tool.example, Options(), tmp_path), Origins())
    guard = Guard((), brief.arming)
    guard.publishes("input", {"text": "written"}, Place(f"{site.home}/"))
    assert guard.publishes("click", {}, Place(f"{site.home}/"))
