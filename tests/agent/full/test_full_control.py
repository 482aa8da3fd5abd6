"""Pausing, cancelling, asking a person; and that nothing is left behind."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from agent.engine import Login
from tests.agent.full.board import WriteNote, write_note
from tests.agent.full.stage import RecordingDesk, Stage
from tests.scripted_model import Fault, Line, Turn, acts, done
from tools.errors import AccountSuspended, ChallengeRequired, Failure

pytestmark = pytest.mark.anyio


def processes() -> list[psutil.Process]:
    """Every process below ours but the zygote, which stays."""
    below = psutil.Process().children(recursive=True)
    return [
        p for p in below if p.status() != psutil.STATUS_ZOMBIE and "agent.full.zygote" not in " ".join(p.cmdline()[:3])
    ]


def runners() -> list[psutil.Process]:
    """The zygote's forks."""
    zygotes = [p for p in psutil.Process().children() if "agent.full.zygote" in " ".join(p.cmdline())]
    return [runner for zygote in zygotes for runner in zygote.children() if runner.status() != psutil.STATUS_ZOMBIE]


def left(stage: Stage) -> list[str]:
    """What lies in the run folder besides the zygote's own."""
    return [path.name for path in (stage.folder / "run").iterdir() if path.name != "zygote"]


def temporary() -> set[str]:
    """What browser-use leaves in the system's temporary folder. Chromium's own socket there has a test beside its launcher's:
    other browsers of this machine have such sockets too."""
    names = {path.name for path in Path(tempfile.gettempdir()).iterdir()}
    return {name for name in names if "browser" in name.lower() and "chromium" not in name.lower()}


async def cancelled(stage: Stage, desk: RecordingDesk, *lines: Line, **more: object) -> None:
    running = asyncio.ensure_future(stage.play(*lines, desk=desk, **more))
    await desk.stepped.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_cancelled_run_has_no_process_left_when_it_returns(stage: Stage, desk: RecordingDesk) -> None:
    await cancelled(stage, desk, acts("wait", seconds=0), Turn([done()], delay=30))
    assert runners() == []
    assert [p for p in processes() if "chrom" in p.name()] == []
    assert left(stage) == []


async def test_a_run_is_cancelled_in_the_middle_of_an_action(stage: Stage, desk: RecordingDesk) -> None:
    await cancelled(stage, desk, acts("wait", seconds=0), acts("wait", seconds=30))
    assert runners() == []
    assert left(stage) == []


async def test_a_cancelled_run_hands_its_cookies_over_first(stage: Stage, desk: RecordingDesk) -> None:
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
    running = asyncio.ensure_future(stage.play(done("Fine"), desk=desk))
    await desk.waits.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert runners() == []


async def test_the_agent_asks_a_person_and_goes_on_when_they_came(stage: Stage, desk: RecordingDesk) -> None:
    desk.answer = lambda reason: None
    asking = acts("ask_person", reason="two_factor", message="Please type the code.")
    await stage.play(asking, done("Fine"), desk=desk)
    assert desk.asked == [("two_factor", "Please type the code.")]
    assert len(desk.steps) == 2


async def test_when_nobody_comes_the_task_says_so(stage: Stage, desk: RecordingDesk) -> None:
    with pytest.raises(ChallengeRequired):
        await stage.play(acts("ask_person", reason="challenge", message="A captcha."), done("Fine"), desk=desk)


async def test_a_challenge_page_of_the_platform_brings_a_person(stage: Stage, desk: RecordingDesk) -> None:
    desk.answer = lambda reason: None
    with pytest.raises(Failure):
        await stage.play(
            acts("navigate", url=f"{stage.url}/challenge"),
            acts("wait", seconds=0),
            acts("wait", seconds=0),
            done("No.", success=False),
            tool=write_note,
            parameters=WriteNote(text="x"),
            desk=desk,
        )
    assert {reason for reason, _ in desk.asked} == {"challenge"}


async def test_a_page_that_says_the_account_is_locked_ends_the_run(stage: Stage) -> None:
    with pytest.raises(AccountSuspended):
        await stage.play(
            acts("navigate", url=f"{stage.url}/locked"),
            acts("wait", seconds=0),
            acts("wait", seconds=0),
            tool=write_note,
            parameters=WriteNote(text="x"),
        )


async def test_a_warm_pair_is_used_once_and_replaced(stage: Stage, desk: RecordingDesk) -> None:
    engine = stage.another(warm=1)
    await engine.warm_up()
    assert engine.pairs.filling is not None
    await engine.pairs.filling
    (pair,) = engine.pairs.ready
    await engine.carry_out(stage.assignment(done("Fine")), desk)
    assert desk.windows[0] is not None
    assert desk.windows[0].cdp_url == pair.chromium.cdp_url
    await engine.pairs.filling
    (fresh,) = engine.pairs.ready
    assert fresh is not pair
    await engine.pairs.close()
    assert runners() == []
    assert left(stage) == []


async def test_a_warm_pair_that_died_is_not_used(stage: Stage) -> None:
    engine = stage.another(warm=1)
    await engine.warm_up()
    assert engine.pairs.filling is not None
    await engine.pairs.filling
    psutil.Process(engine.pairs.ready[0].chromium.pid).kill()
    await engine.pairs.ready[0].chromium.wait_gone()
    outcome = await engine.carry_out(stage.assignment(done("Fine")), RecordingDesk())
    assert outcome.result == {"output": "Fine"}
    await engine.pairs.close()


async def test_a_warm_browser_reaches_nothing_before_it_has_a_task(stage: Stage) -> None:
    engine = stage.another(warm=1)
    await engine.warm_up()
    assert engine.pairs.filling is not None
    await engine.pairs.filling
    (pair,) = engine.pairs.ready
    target = await pair.watch.cdp.call("Target.createTarget", {"url": stage.url})
    assert target["targetId"]
    async with asyncio.timeout(10):
        while "127.0.0.1" not in pair.gate.blocked:  # noqa: ASYNC110  # what is waited for happens in the browser
            await asyncio.sleep(0.02)
    assert stage.journal.visits == []
    await engine.pairs.close()


@pytest.mark.timeout(300)  # thirty browsers on two busy cores
async def test_nothing_is_left_after_thirty_runs_of_every_kind(stage: Stage) -> None:
    before = temporary()
    engine = stage.another(warm=1)

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

    for first in range(0, 30, 3):
        await asyncio.gather(*(run(first + offset) for offset in range(3)))
    await engine.pairs.close()
    assert runners() == []
    assert [p for p in processes() if "chrom" in p.name()] == []
    assert left(stage) == []
    assert temporary() <= before
