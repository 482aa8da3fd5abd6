"""What a run reports while it goes on: steps, tokens, cost."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

import pytest

from tests.agent.full.stage import RecordingDesk, Stage
from tests.scripted_model import Act, Fault, Scene, Turn, acts, done
from tools.errors import BudgetExceeded

pytestmark = pytest.mark.anyio


async def test_each_round_is_a_step_with_all_that_is_known_of_it(stage: Stage, desk: RecordingDesk) -> None:
    await stage.play(
        Turn(
            [acts("navigate", url=f"{stage.url}/write")],
            next_goal="Open the page",
            evaluation="Nothing done yet",
            memory="I am at the beginning",
            prompt_tokens=1200,
            completion_tokens=34,
        ),
        lambda scene: [acts("input", index=scene.index("textarea"), text="Hello"), acts("scroll", down=True)],
        done("Fine"),
        desk=desk,
    )
    first, second, third = desk.steps
    assert (first.next_goal, first.evaluation_previous_goal) == ("Open the page", "Nothing done yet")
    assert (first.memory, first.url) == ("I am at the beginning", f"{stage.url}/")
    assert first.actions == [{"navigate": {"url": f"{stage.url}/write"}}]
    assert "Navigated" in first.results[0]["text"]
    assert first.tokens == 1234
    assert 0 < first.duration_ms < 60_000
    assert [list(action) for action in second.actions] == [["input"], ["scroll"]]
    assert "Typed" in second.results[0]["text"]
    assert "Scrolled" in second.results[1]["text"]
    assert second.url == f"{stage.url}/write"
    assert [step.title for step in desk.steps] == ["Board", "Write", "Write"]
    assert third.results == [{"text": "Fine", "done": True}]
    for step in desk.steps:
        assert step.screenshot is not None
        assert step.screenshot.startswith(b"\x89PNG")
        assert step.media_type == "image/png"


async def test_a_step_is_reported_before_the_next_one_begins(stage: Stage, desk: RecordingDesk) -> None:
    def reported(scene: Scene) -> Act:
        return acts("wait", seconds=0) if len(desk.steps) == scene.round else acts("navigate", url="about:late")

    await stage.play(reported, reported, done("Fine"), desk=desk)
    assert [list(step.actions[0]) for step in desk.steps] == [["wait"], ["wait"], ["done"]]


async def test_a_model_call_that_fails_in_between_leaves_no_gap_and_no_double(
    stage: Stage, desk: RecordingDesk
) -> None:
    await stage.play(acts("wait", seconds=0), Turn([{"fly": {}}]), acts("wait", seconds=0), done("Fine"), desk=desk)
    assert [step.next_goal for step in desk.steps] == ["Round 1", "Round 3", "Round 4"]


async def test_the_percentage_never_reaches_the_end_by_itself(stage: Stage, desk: RecordingDesk) -> None:
    await stage.play(acts("wait", seconds=0), done("Fine"), desk=desk, max_steps=4)
    assert desk.words == [("working", 1), ("working", 25), ("working", 50)]


async def test_the_live_view_is_told_the_browser_and_that_it_is_gone(stage: Stage, desk: RecordingDesk) -> None:
    await stage.play(done("Fine"), desk=desk)
    shown, gone = desk.windows
    assert shown is not None
    assert shown.cdp_url.startswith("ws://127.0.0.1:")
    assert gone is None


async def test_long_texts_are_cut(stage: Stage, desk: RecordingDesk) -> None:
    await stage.play(Turn([done("x" * 9000)], memory="m" * 9000), desk=desk)
    (step,) = desk.steps
    assert len(step.memory) == 4001
    assert len(step.actions[0]["done"]["text"]) == 4001


async def test_tokens_cost_what_the_table_says(stage: Stage, desk: RecordingDesk) -> None:
    name = stage.script(
        Turn([acts("wait", seconds=0)], prompt_tokens=1_000_000, cached_tokens=400_000, completion_tokens=100_000),
        done(),
    )
    prices = stage.folder / "prices.json"
    prices.write_text(json.dumps({"models": {name: {"prompt": 2, "cached": 0.5, "completion": 8}}}))
    engine = stage.another(prices=prices)
    await engine.carry_out(stage.assignment(model=name), desk)
    assert desk.steps[0].cost == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.1 * 8)  # pyright: ignore[reportUnknownMemberType]  # pytest's own stub


async def test_a_budget_that_is_used_up_waits_for_a_person(stage: Stage, desk: RecordingDesk) -> None:
    name = stage.script(
        Turn([acts("wait", seconds=0)], prompt_tokens=1_000_000), Turn([acts("wait", seconds=0)]), done()
    )
    prices = stage.folder / "budget.json"
    prices.write_text(json.dumps({"models": {name: {"prompt": 1, "cached": 1, "completion": 1}}}))
    engine = stage.another(prices=prices, budget=0.9)
    desk.answer = lambda reason: None
    await engine.carry_out(stage.assignment(model=name), desk)
    assert [reason for reason, _ in desk.asked] == ["budget"]
    assert "1.00 US dollars" in desk.asked[0][1]
    with pytest.raises(BudgetExceeded, match=r"its budget is 0\.90"):
        await engine.carry_out(stage.assignment(model=stage.rename(name)), RecordingDesk())


async def test_extraction_asks_the_model_for_plain_text(stage: Stage, desk: RecordingDesk) -> None:
    def answer(scene: Scene) -> Turn | Fault:
        if not scene.structured:
            return Turn(text="The heading is Board.")
        return Turn([acts("extract", query="the heading")] if scene.round == 0 else [done("Fine")])

    await stage.play(answer, desk=desk)
    assert "The heading is Board." in desk.steps[0].results[0]["text"]


async def test_two_tasks_at_once_do_not_meet(stage: Stage) -> None:
    first, second = RecordingDesk(), RecordingDesk()
    outcomes = await asyncio.gather(
        stage.play(acts("navigate", url=f"{stage.url}/text?say=one"), done("one"), desk=first),
        stage.play(acts("navigate", url=f"{stage.url}/text?say=two"), done("two"), desk=second),
    )
    assert [outcome.result["output"] for outcome in outcomes] == ["one", "two"]
    assert first.windows[0] != second.windows[0]
    assert [desk.steps[1].url.partition("say=")[2] for desk in (first, second)] == ["one", "two"]


async def test_dialogs_do_not_stop_the_agent(stage: Stage, desk: RecordingDesk) -> None:
    html = """<title>Dialogs</title><p id=said></p>
        <button onclick="alert('Look'); said.textContent = 'confirmed ' + confirm('Sure?')">Go</button>"""
    outcome = await stage.play(
        acts("navigate", url=f"{stage.url}/raw?html={quote(html)}"),
        lambda scene: acts("click", index=scene.index("button")),
        lambda scene: done("It said yes" if "confirmed true" in scene.text else scene.text),
        desk=desk,
    )
    assert outcome.result == {"output": "It said yes"}
