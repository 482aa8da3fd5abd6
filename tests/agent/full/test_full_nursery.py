"""The zygote that forks runners."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.full.nursery import Nursery

pytestmark = pytest.mark.anyio


async def test_nothing_is_left_of_a_nursery_that_was_closed(tmp_path: Path) -> None:
    nursery = Nursery(tmp_path / "run")
    runner = await nursery.runner()
    assert nursery.process is not None
    zygote = nursery.process
    await nursery.close()
    assert zygote.returncode is not None
    await runner.kill()
    assert list((tmp_path / "run").iterdir()) == []
