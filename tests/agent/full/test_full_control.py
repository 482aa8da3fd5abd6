"""Pausing, cancelling, asking a person; and that nothing is left behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.engine import Login
from agent.full.nursery import ENVIRONMENT
from tests.agent.conftest import eventually, family, living
from tests.agent.full.stage import RecordingDesk, Stage
from tests.scripted_model import Fault, Line, Turn, acts, done
from tools.errors import ChallengeRequired

pytestmark = pytest.mark.anyio


def remains(stage: Stage) -> set[str]:
    """Runners and browsers that live, and what lies in the run folder: all but the zygote, Playwright's and the pairs that are ready."""
    ready = stage.engine.pairs.ready
    kept = {pid for pair in ready for pid in (pair.chromium.pid, pair.runner.process.pid)}
    children = psutil.Process().children()
    zygotes = [one for one in children if "agent.full.zygote" in one.cmdline()]
    # Other tests of this process may have browsers of their own.
    mine = [one for one in children if str(stage.folder) in " ".join(one.cmdline())]
    browsers = [one for one in mine if one.pid not in kept and "chrom" in one.name()]
    runners = [one for zygote in zygotes for one in zygote.children() if one.pid not in kept]
    below = {one for browser in browsers for one in family(browser.pid)}
    lasting = ("driver-", "zygote-", *(pair.folder.name for pair in ready))
    folders = {path.name for path in (stage.folder / "run").iterdir() if not path.name.startswith(lasting)}
    return folders | {f"{one.pid} {one.name()}" for one in living([*below, *runners])}


def temporary() -> set[str]:
    """What lies in the folder for temporary files that this process's children see."""
    return {path.name for path in Path(os.environ["TMPDIR"]).iterdir()}


async def cancelled(stage: Stage, desk: RecordingDesk, *lines: Line, **more: Any) -> None:
    """Cancels a run after its first step; nothing of it may be left when it returns."""
    await stage.settle()
    running = asyncio.ensure_future(stage.another(warm=0).carry_out(stage.assignment(*lines, **more), desk))
    await desk.stepped.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert remains(stage) == set()


async def test_a_run_is_cancelled_in_the_middle_of_an_action(stage: Stage, desk: RecordingDesk) -> None:
    await cancelled(stage, desk, acts("wait", seconds=0), acts("wait", seconds=30))


async def test_a_run_that_is_cancelled_while_its_model_thinks_hands_its_cookies_over_first(
    stage: Stage, desk: RecordingDesk
) -> None:
    await cancelled(
        stage,
        desk,
        lambda scene: acts("navigate", url=f"{stage.url}/login"),
        Turn([done()], delay=30),
        login=Login(
            "acc_1",
            "mine",
            state={"cookies": [{"name": "who", "value": "kept", "domain": "127.0.0.1", "path": "/"}], "origins": []},
        ),
    )
    (state,) = desk.kept
    assert [(cookie["name"], cookie["value"]) for cookie in state["cookies"]] == [("who", "kept")]


async def test_a_pause_lands_between_two_steps_and_loses_nothing(stage: Stage, desk: RecordingDesk) -> None:
    desk.pause = True
    running = asyncio.ensure_future(stage.play(acts("wait", seconds=0), done("Fine"), desk=desk))
    await desk.waits.wait()
    assert stage.model.requests == []
    desk.pause = False
    desk.go.set()
    await running
    assert len(stage.model.requests) == 2
    assert [list(step.actions[0]) for step in desk.steps] == [["wait"], ["done"]]


async def test_a_paused_run_can_be_cancelled(stage: Stage, desk: RecordingDesk) -> None:
    desk.pause = True
    await stage.settle()
    running = asyncio.ensure_future(stage.another(warm=0).carry_out(stage.assignment(done("Fine")), desk))
    await desk.waits.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert remains(stage) == set()


async def test_the_agent_asks_a_person_and_goes_on_when_they_came(stage: Stage, desk: RecordingDesk) -> None:
    desk.answer = lambda reason: None
    asking = acts("ask_person", reason="two_factor", message="Please type the code.")
    await stage.play(asking, done("Fine"), desk=desk)
    assert desk.asked == [("two_factor", "Please type the code.")]
    assert len(desk.steps) == 2


async def test_when_nobody_comes_the_task_says_so(stage: Stage, desk: RecordingDesk) -> None:
    with pytest.raises(ChallengeRequired):
        await stage.play(acts("ask_person", reason="challenge", message="A captcha."), done("Fine"), desk=desk)


@pytest.mark.timeout(200)  # four browsers on two busy cores
async def test_warm_pairs_reach_nothing_serve_once_are_replaced_and_are_not_used_when_dead(
    stage: Stage, desk: RecordingDesk
) -> None:
    engine = stage.another(warm=1)
    await engine.warm_up()
    assert engine.pairs.filling is not None
    await engine.pairs.filling
    (pair,) = engine.pairs.ready
    await pair.watch.cdp.call("Target.createTarget", {"url": stage.url})
    await eventually(lambda: "127.0.0.1" in pair.gate.blocked)
    assert not [host for host in pair.gate.blocked if "browser-use" in host]  # its screensaver has a picture there
    assert stage.journal.visits == []
    environment = pair.runner.process.environ()
    assert set(environment) == {*ENVIRONMENT, "HOME", "TMPDIR", "BROWSER_USE_CONFIG_DIR", "PYTHONPATH"}
    await engine.carry_out(stage.assignment(done("Fine")), desk)
    assert desk.windows[0] is not None
    assert desk.windows[0].cdp_url == pair.chromium.cdp_url
    await engine.pairs.filling
    (fresh,) = engine.pairs.ready
    assert fresh is not pair
    psutil.Process(fresh.chromium.pid).kill()
    await fresh.chromium.wait_gone()
    outcome = await engine.carry_out(stage.assignment(done("Fine")), RecordingDesk())
    assert outcome.result == {"output": "Fine"}
    await engine.pairs.close()
    await stage.settle()
    assert remains(stage) == set()


async def test_a_pair_whose_browser_is_frozen_is_ended_without_its_farewell(stage: Stage) -> None:
    engine = stage.another(warm=0)
    pair = await engine.pairs.take()
    psutil.Process(pair.chromium.pid).suspend()
    async with asyncio.timeout(5):  # the connection to it would wait for ten
        await pair.close()
    assert not pair.folder.exists()
    assert not psutil.pid_exists(pair.chromium.pid)


@pytest.mark.timeout(300)  # thirty browsers on two busy cores
async def test_nothing_is_left_after_thirty_runs_of_every_kind(stage: Stage) -> None:
    before = temporary()
    engine = stage.another(warm=3)
    await engine.warm_up()

    async def run(number: int) -> None:
        kinds: Sequence[Sequence[Line]] = (
            [done("Fine")],
            [done("No", success=False)],
            [Fault(401)],
            [acts("wait", seconds=0), Turn([done()], delay=30)],
            [acts("navigate", url=f"{stage.url}/download"), done("Fine")],
        )
        lines = kinds[number % len(kinds)]
        desk = RecordingDesk()
        running = asyncio.ensure_future(engine.carry_out(stage.assignment(*lines), desk))
        if number % len(kinds) == 3:
            await desk.stepped.wait()
            running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    for first in range(0, 30, 5):
        await asyncio.gather(*(run(first + offset) for offset in range(5)))
    await engine.pairs.close()
    await stage.settle()
    assert remains(stage) == set()
    assert temporary() <= before
