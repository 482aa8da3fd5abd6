"""A lite engine with a warm Chromium, and the four replicas, shared by all tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from agent.lite.engine import LiteEngine
from agent.lite.watch import Patience
from agent.origins import Origins
from tests.agent.platforms.stage import Stage
from tests.replicas.eastmoney import Eastmoney
from tests.replicas.replica import Replica, serving
from tests.replicas.tonghuashun import GAP, Tonghuashun
from tests.replicas.twitter import Twitter
from tests.replicas.xueqiu import Xueqiu
from tools.catalog import Catalog, catalog

IMPATIENT = Patience(navigation=20, element=9.0, glance=0.4, identity=9, login=2, proofs=1, between_proofs=0.1)


@pytest.fixture(scope="session")
def replicas() -> Generator[Mapping[str, Replica]]:
    """The four replicas, served on loopback."""
    all_four = (Twitter(), Xueqiu(), Eastmoney(), Tonghuashun())
    with serving(*all_four):
        yield {replica.platform: replica for replica in all_four}


@pytest.fixture(scope="session")
def shortened() -> Catalog:
    """The catalogue with Tonghuashun's second between two pages as short as the replica wants it."""
    sites = dict(catalog().sites)
    sites["tonghuashun"] = replace(sites["tonghuashun"], gap=GAP * 1.2)
    return replace(catalog(), sites=sites)


@pytest.fixture(scope="session")
async def lite(
    chromium_path: Path, tmp_path_factory: pytest.TempPathFactory, replicas: Mapping[str, Replica]
) -> AsyncGenerator[LiteEngine]:
    """One engine, and so one warm Chromium, for the whole folder. No room is made ahead: the next task is of another platform."""
    origins = Origins({catalog().sites[name].home: replica.origin for name, replica in replicas.items()})
    engine = LiteEngine(chromium_path, tmp_path_factory.mktemp("lite"), origins, patience=IMPATIENT, ahead=False)
    yield engine
    await engine.close()


@pytest.fixture
def stage(lite: LiteEngine, replicas: Mapping[str, Replica], shortened: Catalog, tmp_path: Path) -> Stage:
    """The engine with every replica fresh and without faults."""
    for replica in replicas.values():
        replica.reset()
    return Stage(lite, replicas, tmp_path, shortened)
