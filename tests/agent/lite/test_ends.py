"""What becomes of a lite task that is cancelled, and of one whose browser dies."""

from __future__ import annotations

import asyncio

import pytest

from tests.agent.conftest import Notebook, eventually, living
from tests.agent.lite.practice import Practice, fault
from tools.errors import (
    BrowserFailed,
    OutcomeUncertain,
)

pytestmark = pytest.mark.anyio


async def test_cancelling_ends_the_run_at_once_and_keeps_the_login(practice: Practice, desk: Notebook) -> None:
    fault(practice, slow_answer=30)
    running = asyncio.create_task(practice.do("createPost", desk, text="Cancelled in flight"))
    await eventually(lambda: practice.site.counts["Cancelled in flight"] == 1)
    began = asyncio.get_running_loop().time()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asyncio.get_running_loop().time() - began < 1
    assert desk.windows[-1] is None
    assert desk.kept[0]["cookies"][0]["name"] == "practice_session"
    fault(practice)
    await practice.do("likePost", Notebook(), post_url="/posts/102")


@pytest.mark.parametrize("victim", ["chromium", "driver"])
@pytest.mark.parametrize("gate", [1, 3])
async def test_when_the_browser_dies_the_task_fails_and_the_next_one_gets_a_new_one(
    practice: Practice, desk: Notebook, victim: str, gate: int
) -> None:
    async def kill() -> None:
        if desk.gates == gate:
            (practice.chromium()[0] if victim == "chromium" else practice.driver()).kill()

    desk.on_gate = kill
    with pytest.raises(BrowserFailed):
        await practice.do("createPost", desk, text="Into a dying browser")
    assert practice.site.counts["Into a dying browser"] == 0
    await practice.do("likePost", Notebook(), post_url="/posts/103")


async def test_when_chromium_dies_after_the_act_the_outcome_is_uncertain(practice: Practice, desk: Notebook) -> None:
    fault(practice, slow_answer=30)
    running = asyncio.create_task(practice.do("createPost", desk, text="Died in flight"))
    await eventually(lambda: practice.site.counts["Died in flight"] == 1)
    practice.chromium()[0].kill()
    with pytest.raises(OutcomeUncertain) as caught:
        await running
    assert caught.value.details["cause"] == "BROWSER_FAILED"


@pytest.mark.parametrize("victim", ["chromium", "driver"])
async def test_what_the_site_has_taken_is_read_back_in_a_new_browser_where_the_old_one_died(
    practice: Practice, desk: Notebook, victim: str
) -> None:
    async def kill() -> None:
        if practice.site.counts[f"Read back elsewhere, {victim}"] and desk.words[-1][0] == "verifying":
            desk.on_gate = None
            (practice.chromium()[0] if victim == "chromium" else practice.driver()).kill()

    desk.on_gate = kill
    done = await practice.do("createPost", desk, text=f"Read back elsewhere, {victim}")
    assert desk.on_gate is None
    assert done.result["text"] == f"Read back elsewhere, {victim}"
    assert practice.site.counts[f"Read back elsewhere, {victim}"] == 1
    assert desk.steps[-1].screenshot


async def test_a_frozen_chromium_is_killed_when_the_run_is_cancelled(practice: Practice, desk: Notebook) -> None:
    fault(practice, slow_answer=30)
    running = asyncio.create_task(practice.do("createPost", desk, text="Frozen in flight"))
    await eventually(lambda: practice.site.counts["Frozen in flight"] == 1)
    frozen = practice.chromium()
    for process in frozen:
        process.suspend()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await eventually(lambda: not living(frozen))
