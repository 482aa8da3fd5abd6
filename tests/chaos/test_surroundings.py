"""What a worker is surrounded by fails for a while: the database restarts, the disk is full."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from storage.tables import Task
from tests.agent.worker.shop import FileEngine, Shop, notes, open_shop, reached
from tests.chaos.disk import a_small_disk
from tests.chaos.postgres import own_server

pytestmark = pytest.mark.anyio


async def test_a_run_goes_on_when_the_database_restarts_under_it(tmp_path: Path) -> None:
    with own_server() as server:
        async with open_shop(server.url, tmp_path, lease=60.0) as shop:
            steps, act = await shop.ask("slow_steps"), await shop.ask("slow_arm")
            for asked in (steps, act):
                await reached(shop.database, shop.tasks, asked.id, "processing")
            while len(notes(tmp_path, "begun")) < 2:  # noqa: ASYNC110  # the engine notes it in a file
                await asyncio.sleep(0.01)
            await asyncio.to_thread(server.stop)
            FileEngine(tmp_path).note("go", "both")
            await asyncio.to_thread(server.start)
            ended = await asyncio.gather(*(until_final(shop, asked.id) for asked in (steps, act)))
    assert [task.state for task in ended] == ["completed", "completed"]
    assert ended[0].step_count == 3


async def until_final(shop: Shop, task_id: str) -> Task:
    """Looked at again and again: whoever would wake us listens to the database that restarts."""
    while True:
        task = await shop.tasks.get(task_id)
        assert task is not None
        if task.state.final:
            return task
        await asyncio.sleep(0.05)


async def test_a_full_disk_costs_pictures_and_no_outcome(sqlite_url: str, tmp_path: Path) -> None:
    with a_small_disk(tmp_path, "64k") as disk:
        (disk / "full").write_bytes(b"x" * 64 * 1024)
        async with open_shop(sqlite_url, tmp_path, artifacts_folder=disk / "artifacts") as shop:
            task = await shop.until_final((await shop.ask("steps")).id)
            assert (task.state, task.step_count) == ("completed", 3)
            assert [step.screenshot_id for step in await shop.tasks.steps(task.id)] == [None, None, None]


async def test_tasks_on_a_full_disk_end_once_there_is_room_and_later_ones_run(tmp_path: Path) -> None:
    with a_small_disk(tmp_path, "3m") as disk:
        async with open_shop(f"sqlite:///{disk / 'webhand.db'}", tmp_path, lease=4.0) as shop:
            held = await shop.ask("slow_arm")
            await reached(shop.database, shop.tasks, held.id, "processing")
            fill(disk / "full")
            FileEngine(tmp_path).note("go", held.id)
            await asyncio.sleep(6)
            (disk / "full").unlink()
            lost = await shop.until_final(held.id)
            after = await shop.until_final((await shop.ask("done")).id)
    assert (lost.error or {}).get("code") in {"INTERRUPTED", "INTERNAL_ERROR", "OUTCOME_UNCERTAIN", None}
    assert (lost.state == "completed") == (held.id in notes(tmp_path, "acted"))
    assert after.state == "completed"


def fill(path: Path) -> None:
    """Writes until there is no room for another byte."""
    with path.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
