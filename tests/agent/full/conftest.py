"""A full engine with a rehearsed model and a small site, shared by all tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from agent.full.nursery import Nursery
from agent.full.settings import FullSettings
from agent.full.supervisor import FullEngine
from agent.origins import Origins
from tests.agent.full.board import SITE, Board, Journal
from tests.agent.full.stage import RecordingDesk, Stage
from tests.scripted_model import scripted_model, served


@pytest.fixture(scope="session")
def site() -> Generator[tuple[str, Journal]]:
    journal = Journal()
    with served(Board(journal).app()) as url:
        journal.origin = url
        yield url, journal


@pytest.fixture(scope="session")
async def theatre(
    site: tuple[str, Journal], chromium_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Stage]:
    folder = tmp_path_factory.mktemp("full")
    with scripted_model({}) as (model, base_url):
        settings = FullSettings(
            chromium=chromium_path,
            run_folder=folder / "run",
            base_url=base_url,
            model="unused",
            api_key="sk-test-model-key",
            warm=1,
            private_network=True,
            model_retries=0,
            max_failures=2,
            origins=Origins({SITE.home: site[0]}),
        )
        nursery = Nursery(folder / "run")
        engine = FullEngine(settings, nursery)
        yield Stage(engine, model, *site, folder)
        await engine.close()
        await nursery.close()


@pytest.fixture
def stage(theatre: Stage) -> Stage:
    theatre.journal.visits.clear()
    theatre.model.requests.clear()
    theatre.journal.mood = ""
    return theatre


@pytest.fixture
def desk() -> RecordingDesk:
    return RecordingDesk()
