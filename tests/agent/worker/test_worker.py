"""A real worker on both databases: how tasks end, and what a person or a crash does to them."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from structlog.testing import capture_logs

from tests.agent.worker.shop import FileEngine, Shop, notes, open_shop, reached

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncGenerator[Shop]:
    async with open_shop(database_url, tmp_path) as opened:
        yield opened


@contextmanager
def a_worker_process(url: str, folder: Path, lease: float = 3) -> Generator[subprocess.Popen[str]]:
    """A worker in a process of its own; ready when it says so."""
    command = [sys.executable, "-m", "tests.agent.worker.shop", url, str(folder), str(lease)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        try:
            yield process
        finally:
            process.kill()


async def noted(folder: Path, what: str) -> None:
    """Waits until the engine has noted it; another process writes the file, so there is nothing to be woken by."""
    while not notes(folder, what):  # noqa: ASYNC110  # see above
        await asyncio.sleep(0.01)


async def test_a_task_is_done_and_its_result_stored(shop: Shop) -> None:
    task = await shop.until_final((await shop.ask("done")).id)
    assert (task.state, task.result) == ("completed", {"output": "lite did done"})
    assert (task.progress_percentage, task.error) == (100, None)
    assert not (shop.folder / "run" / task.id).exists()


async def test_a_known_failure_keeps_its_code(shop: Shop) -> None:
    task = await shop.until_final((await shop.ask("fail")).id)
    assert task.state == "failed"
    assert task.error is not None
    assert task.error["code"] == "PAGE_CHANGED"


async def test_a_defect_ends_the_task_without_showing_its_inside(shop: Shop) -> None:
    task = await shop.until_final((await shop.ask("defect")).id)
    assert task.error is not None
    assert task.error["code"] == "INTERNAL_ERROR"
    assert "ZeroDivision" not in str(task.error)
    after = await shop.until_final((await shop.ask("done")).id)
    assert after.state == "completed"


async def test_steps_are_numbered_and_their_screenshots_kept(shop: Shop) -> None:
    task = await shop.until_final((await shop.ask("steps")).id)
    steps = await shop.tasks.steps(task.id)
    assert [(step.sequence, step.next_goal) for step in steps] == [(1, "Step 0"), (2, "Step 1"), (3, "Step 2")]
    kept = list((shop.folder / "artifacts" / task.id).iterdir())
    assert len(kept) == 3
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


async def test_a_task_that_takes_too_long_times_out(shop: Shop) -> None:
    task = await shop.until_final((await shop.ask("wait", timeout_ms=300)).id)
    assert task.state == "timeout"
    assert task.error is not None
    assert task.error["code"] == "TIMEOUT"


async def test_a_time_out_after_the_act_went_out_is_uncertain(shop: Shop) -> None:
    task = await shop.until_final((await shop.ask("arm_and_wait", timeout_ms=300)).id)
    assert task.state == "failed"
    assert task.error is not None
    assert task.error["code"] == "OUTCOME_UNCERTAIN"


@pytest.mark.parametrize("act", ["arm_and_defect", "arm_and_crash"])
async def test_whatever_breaks_after_the_act_went_out_is_uncertain(shop: Shop, act: str) -> None:
    """Callers make a call again whose browser failed: not when it may have published."""
    task = await shop.until_final((await shop.ask(act)).id)
    assert (task.error or {})["code"] == "OUTCOME_UNCERTAIN"


async def test_a_running_task_is_cancelled(shop: Shop) -> None:
    asked = await shop.ask("wait")
    await reached(shop.database, shop.tasks, asked.id, "processing")
    await shop.tasks.cancel(asked.id)
    task = await shop.until_final(asked.id)
    assert (task.state, task.error) == ("cancelled", None)


async def test_a_cancel_after_the_act_went_out_says_so(shop: Shop) -> None:
    asked = await shop.ask("arm_and_wait")
    await noted(shop.folder, "armed")
    await shop.tasks.cancel(asked.id)
    task = await shop.until_final(asked.id)
    assert task.state == "cancelled"
    assert task.error is not None
    assert task.error["code"] == "OUTCOME_UNCERTAIN"


async def test_a_task_waits_for_a_person_and_goes_on(shop: Shop) -> None:
    asked = await shop.ask("ask", timeout_ms=2000)
    paused = await reached(shop.database, shop.tasks, asked.id, "paused")
    assert (paused.pause_reason, paused.pause_message) == ("challenge", "Solve it.")
    await shop.tasks.ask_resume(asked.id)
    assert (await shop.until_final(asked.id)).state == "completed"


async def test_when_no_person_comes_the_task_fails(database_url: str, tmp_path: Path) -> None:
    async with open_shop(database_url, tmp_path, human_wait=0.2) as shop:
        task = await shop.until_final((await shop.ask("ask")).id)
        assert task.error is not None
        assert task.error["code"] == "CHALLENGE_REQUIRED"


async def a_run_that_is_asked_to_pause(shop: Shop) -> str:
    asked = await shop.ask("slow_steps")
    await reached(shop.database, shop.tasks, asked.id, "processing")
    assert await shop.tasks.ask_pause(asked.id) is not None
    return asked.id


async def test_a_pause_lands_between_two_steps_and_loses_none(shop: Shop) -> None:
    task_id = await a_run_that_is_asked_to_pause(shop)
    FileEngine(shop.folder).note("go", task_id)
    paused = await reached(shop.database, shop.tasks, task_id, "paused")
    assert (paused.pause_reason, paused.pause_message) == ("requested", "Paused on request.")
    await shop.tasks.ask_resume(task_id)
    task = await shop.until_final(task_id)
    assert (task.state, task.step_count) == ("completed", 3)


async def test_a_pause_says_who_wanted_it_and_why_once_it_has_landed(shop: Shop) -> None:
    asked = await shop.ask("slow_steps")
    await reached(shop.database, shop.tasks, asked.id, "processing")
    await shop.tasks.ask_pause(asked.id, "take_over", "A person drives.")
    FileEngine(shop.folder).note("go", asked.id)
    paused = await reached(shop.database, shop.tasks, asked.id, "paused")
    assert (paused.pause_reason, paused.pause_message) == ("take_over", "A person drives.")
    await shop.tasks.ask_resume(asked.id)
    task = await shop.until_final(asked.id)
    assert (task.state, task.pause_reason) == ("completed", None)


async def test_a_pause_that_is_taken_back_before_it_lands_never_lands(shop: Shop) -> None:
    task_id = await a_run_that_is_asked_to_pause(shop)
    await shop.tasks.ask_resume(task_id)
    FileEngine(shop.folder).note("go", task_id)
    task = await shop.until_final(task_id)
    assert (task.state, task.paused_ms, task.pause_reason) == ("completed", 0, None)


async def test_a_playbook_that_fails_before_the_act_is_followed_by_the_full_engine(
    database_url: str, tmp_path: Path
) -> None:
    async with open_shop(database_url, tmp_path, fallback=True) as shop:
        task = await shop.until_final((await shop.ask("fail")).id)
        assert task.engine == "full"


async def test_tasks_wait_for_a_free_slot(database_url: str, tmp_path: Path) -> None:
    async with open_shop(database_url, tmp_path, slots={"lite": 1}) as shop:
        first, second = await shop.ask("wait"), await shop.ask("done")
        await reached(shop.database, shop.tasks, first.id, "processing")
        waiting = await shop.tasks.get(second.id)
        assert waiting is not None
        assert (waiting.state, await shop.tasks.position(waiting)) == ("pending", 1)
        await shop.tasks.cancel(first.id)
        assert (await shop.until_final(second.id)).state == "completed"


async def test_a_worker_whose_database_became_a_newer_ones_takes_nothing_more(shop: Shop) -> None:
    async with shop.database.writing() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    async with asyncio.timeout(20):
        await shop.worker.outgrown.wait()
    asked = await shop.ask("done")
    assert await shop.database.outgrown()
    later = await shop.tasks.get(asked.id)
    assert later is not None
    assert later.state == "pending"
    async with shop.database.writing() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '0001'"))


async def test_workers_of_different_versions_say_so(shop: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    with capture_logs() as said:
        async with open_shop(shop.database.url.render_as_string(hide_password=False), folder, version="2"):
            pass
    assert {"event": "worker.versions_differ", "own": "2", "others": ["1"], "log_level": "warning"} in said


async def test_shutting_down_lets_running_tasks_finish_and_interrupts_the_rest(
    database_url: str, tmp_path: Path
) -> None:
    async with open_shop(database_url, tmp_path) as shop:
        held = await shop.ask("wait")
        await reached(shop.database, shop.tasks, held.id, "processing")
        await shop.worker.stop(0.1)
        task = await shop.tasks.get(held.id)
        assert task is not None
        assert (task.state, (task.error or {}).get("code")) == ("failed", "INTERRUPTED")


@pytest.mark.parametrize(("act", "code"), [("wait", "INTERRUPTED"), ("arm_and_wait", "OUTCOME_UNCERTAIN")])
async def test_a_killed_workers_task_fails_and_is_never_repeated(
    database_url: str, tmp_path: Path, act: str, code: str
) -> None:
    async with open_shop(database_url, tmp_path, begin=False) as front:
        with a_worker_process(database_url, tmp_path) as process:
            held = await front.ask(act)
            what = "armed" if act == "arm_and_wait" else "begun"
            await noted(tmp_path, what)
            waiting = await front.ask("wait", account_id=None, engine="full", priority=1)
            del waiting
            process.send_signal(signal.SIGKILL)
            process.wait()
        later = await front.ask("done")
        with a_worker_process(database_url, tmp_path):
            lost = await front.until_final(held.id)
            done = await front.until_final(later.id)
    assert (lost.state, (lost.error or {}).get("code")) == ("failed", code)
    assert done.state == "completed"
    assert notes(tmp_path, "begun").count(held.id) == 1


async def test_who_works_alone_does_not_wait_for_a_dead_ones_lease(database_url: str, tmp_path: Path) -> None:
    async with open_shop(database_url, tmp_path, begin=False) as front:
        with a_worker_process(database_url, tmp_path, lease=600) as process:
            held = await front.ask("wait")
            await noted(tmp_path, "begun")
            process.send_signal(signal.SIGKILL)
            process.wait()
        async with open_shop(database_url, tmp_path, lease=600.0, alone=True):
            lost = await front.until_final(held.id)
    assert (lost.state, (lost.error or {}).get("code")) == ("failed", "INTERRUPTED")


async def freeze(pid: int, database_url: str) -> None:
    """Stops a process between two transactions: on SQLite nobody could write while it stands inside one."""
    file = make_url(database_url).database if database_url.startswith("sqlite") else None
    os.kill(pid, signal.SIGSTOP)
    while file is not None:
        try:
            with closing(sqlite3.connect(file, timeout=0)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                return
        except sqlite3.OperationalError:
            os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(0.01)
            os.kill(pid, signal.SIGSTOP)


async def test_a_worker_that_was_stopped_past_its_lease_acts_no_more(database_url: str, tmp_path: Path) -> None:
    async with open_shop(database_url, tmp_path, begin=False) as front:
        with a_worker_process(database_url, tmp_path) as frozen:
            held = await front.ask("wait")
            await noted(tmp_path, "begun")
            await freeze(frozen.pid, database_url)
            with a_worker_process(database_url, tmp_path):
                lost = await front.until_final(held.id)
                os.kill(frozen.pid, signal.SIGCONT)
                following = await front.until_final((await front.ask("done")).id)
    assert (lost.error or {}).get("code") == "INTERRUPTED"
    assert following.state == "completed"
    assert notes(tmp_path, "acted") == [following.id]


async def test_a_worker_takes_nothing_before_it_has_shown_itself(database_url: str, tmp_path: Path) -> None:
    """What it took while it holds no lease would only end as interrupted, although another worker could have done it."""
    async with open_shop(database_url, tmp_path, begin=False) as shop:
        asked = await shop.ask("done")
        assert not await shop.worker.claim("lite")
        await shop.worker.start()
        assert (await shop.until_final(asked.id)).state == "completed"
        await shop.worker.stop(0)
