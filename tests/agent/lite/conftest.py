"""What the tests of the lite engine share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from agent.lite.engine import LiteEngine
from agent.origins import Origins
from server.practice.site import serve_demo_site
from server.practice.state import DemoSite
from tests.agent.conftest import Notebook, entries
from tests.agent.lite.practice import DEMO, HASTY, Practice


@pytest.fixture(scope="module")
async def running(
    chromium_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[tuple[DemoSite, str, LiteEngine, Path]]:
    site = DemoSite()
    async with serve_demo_site(site) as origin:
        run = tmp_path_factory.mktemp("run")
        engine = LiteEngine(chromium_path, run, Origins({DEMO.home: origin}), patience=HASTY)
        yield site, origin, engine, run
        await engine.close()
        assert entries(run) == []


@pytest.fixture
def practice(running: tuple[DemoSite, str, LiteEngine, Path], tmp_path: Path) -> Practice:
    site, origin, engine, run = running
    site.faults.behave()
    return Practice(site, origin, engine, run, tmp_path)


@pytest.fixture
def desk() -> Notebook:
    return Notebook()
