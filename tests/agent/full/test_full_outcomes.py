"""How a run on the full engine can end, each end told apart by its code."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import replace

import psutil
import pytest

from agent.engine import Window
from tests.agent.conftest import eventually
from tests.agent.full.board import WriteNote, write_note
from tests.agent.full.stage import RecordingDesk, Stage
from tests.scripted_model import Act, Fault, Scene, Turn, acts, done, unused_port
from tools.errors import (
    AgentFailed,
    AgentGaveUp,
    BlockedByWall,
    BrowserFailed,
    Failure,
    Interrupted,
    InvalidParameters,
    ModelError,
    ModelRateLimited,
    ModelUnavailable,
    OutcomeUncertain,
)
from tools.playbook import Answer, Click, Goto, Listen, Playbook, Read, Reading
from tools.playbook import Stage as Scenes
from tools.proof import Proof

pytestmark = pytest.mark.anyio


async def test_a_success_carries_what_the_agent_says(stage: Stage, desk: RecordingDesk) -> None:
    outcome = await stage.play(done("The heading is Board."), desk=desk)
    assert outcome.result == {"output": "The heading is Board."}
    assert [step.kind for step in desk.steps] == ["agent"]


async def test_an_agent_that_admits_failure_fails_with_its_own_words(stage: Stage) -> None:
    with pytest.raises(AgentFailed, match="There is no such page") as failed:
        await stage.play(done("There is no such page.", success=False))
    assert failed.value.code == "AGENT_FAILED"


async def test_an_agent_that_uses_up_its_steps_gave_up(stage: Stage, desk: RecordingDesk) -> None:
    with pytest.raises(AgentGaveUp, match="after 3 steps"):
        await stage.play(
            acts("wait", seconds=0),
            acts("wait", seconds=0),
            done("I did not get there.", success=False),
            max_steps=3,
            desk=desk,
        )
    assert len(desk.steps) == 3


async def test_an_agent_whose_actions_keep_failing_gave_up(stage: Stage) -> None:
    lines = (acts("navigate", url="file:///etc/hostname"), acts("navigate", url="chrome://version"))
    with pytest.raises(AgentGaveUp, match=r"gave up after 3 steps: Nothing worked\. Allow"):
        await stage.play(*lines, done("Nothing worked.", success=False))
    with pytest.raises(AgentGaveUp, match="gave up after 2 steps: Only http and https"):
        await stage.play(*lines)  # told to finish, it does not


async def test_structured_output_is_a_json_string_that_satisfies_the_schema(stage: Stage) -> None:
    schema = {
        "$defs": {"item": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/item"}}},
        "required": ["items"],
        "additionalProperties": False,
    }
    outcome = await stage.play(
        done("first try", data={"items": [{"n": "one"}]}),
        done("second try", data={"items": [{"n": 1}]}),
        structured_output=schema,
    )
    assert json.loads(outcome.result["output"]) == {"items": [{"n": 1}]}


async def test_a_schema_that_is_none_is_refused_before_anything_starts(stage: Stage, desk: RecordingDesk) -> None:
    with pytest.raises(InvalidParameters, match="JSON Schema"):
        await stage.play(done(), structured_output={"type": "no such type"}, desk=desk)
    assert desk.windows == []


FAULTS: dict[str, tuple[Fault | Turn, type[Failure]]] = {
    "at once": (Fault(429, "slow down", headers={"Retry-After": "7"}), ModelRateLimited),
    "after it was asked again": (Turn([{"fly": {"to": "the moon"}}]), ModelError),
}
"""What each fault becomes is told apart in test_full_model."""


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_model_that_fails_ends_the_run_with_its_own_code(stage: Stage, fault: str) -> None:
    said, failure = FAULTS[fault]
    with pytest.raises(Failure) as failed:
        await stage.play(said)
    assert type(failed.value) is failure, failed.value
    assert failed.value.retry_after == (7 if failure is ModelRateLimited else None)


async def test_a_model_that_does_not_answer_is_unavailable(stage: Stage) -> None:
    engine = stage.another(model_timeout=0.5)
    with pytest.raises(ModelUnavailable, match="did not answer within"):
        await engine.carry_out(stage.assignment(Turn([done()], delay=5)), RecordingDesk())


async def test_a_model_that_cannot_be_reached_is_unavailable(stage: Stage) -> None:
    engine = stage.another(base_url=f"http://127.0.0.1:{unused_port()}/v1")
    with pytest.raises(ModelUnavailable, match="can be reached"):
        await engine.carry_out(stage.assignment(done()), RecordingDesk())


async def test_without_a_model_nothing_is_started(stage: Stage, desk: RecordingDesk) -> None:
    engine = stage.another(model=None)
    assignment = stage.assignment(done())
    with pytest.raises(ModelUnavailable, match="WEBHAND_LLM_MODEL"):
        await engine.carry_out(replace(assignment, options=replace(assignment.options, model=None)), desk)
    assert desk.windows == []


async def test_a_garbled_answer_is_asked_for_again(stage: Stage) -> None:
    outcome = await stage.play(Turn([{"fly": {}}]), done("at last"))
    assert outcome.result == {"output": "at last"}


async def test_a_refused_request_is_sent_again_before_it_counts(stage: Stage) -> None:
    engine = stage.another(model_retries=1)
    outcome = await engine.carry_out(
        stage.assignment(Fault(503, headers={"Retry-After": "0"}), done("at last")), RecordingDesk()
    )
    assert outcome.result == {"output": "at last"}


async def test_a_host_outside_the_wall_is_named_as_the_cause(stage: Stage) -> None:
    with pytest.raises(BlockedByWall, match=r"elsewhere\.example") as failed:
        await stage.play(
            acts("navigate", url="http://elsewhere.example/"),
            done("The page did not open.", success=False),
            allowed_domains=("127.0.0.1",),
        )
    assert failed.value.details == {"hosts": ["elsewhere.example"]}


async def test_function_calling_works_as_well_and_without_pictures(stage: Stage) -> None:
    engine = stage.another(method="function_calling", vision=False)
    outcome = await engine.carry_out(stage.assignment(acts("wait", seconds=0), done("called")), RecordingDesk())
    assert outcome.result == {"output": "called"}
    assert all(b'"tools"' in body and b'"response_format"' not in body for body in stage.model.requests)
    assert all(b"image_url" not in body for body in stage.model.requests)


# -- the processes -----------------------------------------------------------------------------------------------------


def window(desk: RecordingDesk) -> Window:
    return next(window for window in desk.windows if window)


def browser_of(desk: RecordingDesk) -> psutil.Process:
    """Chromium's main process: the one that listens on the port of the window."""
    port = int(window(desk).cdp_url.split(":")[2].split("/")[0])
    return next(
        process
        for process in psutil.Process().children(recursive=True)
        if any(
            connection.laddr.port == port and connection.status == "LISTEN"
            for connection in process.net_connections("tcp")
        )
    )


async def failure_after(stage: Stage, desk: RecordingDesk, strike: object, **more: object) -> Failure:
    """Strikes while the agent waits for its model, and gives what comes of it."""
    assert callable(strike)
    slow = Turn([done()], delay=20)
    await stage.settle()
    running = asyncio.ensure_future(stage.play(acts("wait", seconds=0), slow, desk=desk))
    await desk.stepped.wait()
    strike()
    with pytest.raises(Failure) as failed:
        await running
    return failed.value


async def test_a_browser_that_dies_is_noticed_at_once(stage: Stage, desk: RecordingDesk) -> None:
    failure = await failure_after(stage, desk, lambda: browser_of(desk).kill())
    assert type(failure) is BrowserFailed


async def test_a_crashed_page_is_noticed_at_once(stage: Stage, desk: RecordingDesk) -> None:
    def crash() -> None:
        pages = [p for p in browser_of(desk).children(recursive=True) if "--type=renderer" in " ".join(p.cmdline())]
        for renderer in pages:
            renderer.send_signal(signal.SIGSEGV)

    failure = await failure_after(stage, desk, crash)
    assert isinstance(failure, BrowserFailed)
    assert "crashed" in failure.message


async def test_a_frozen_browser_is_noticed(stage: Stage, desk: RecordingDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.full.watch.PING_SECONDS", 0.1)
    monkeypatch.setattr("agent.full.watch.FROZEN_SECONDS", 1.0)
    failure = await failure_after(stage, desk, lambda: browser_of(desk).suspend())
    assert isinstance(failure, BrowserFailed)
    assert "froze" in failure.message


def runner_of(stage: Stage) -> psutil.Process:
    """The runner that works: of the zygote's children the one that no pair keeps ready."""
    zygote = next(p for p in psutil.Process().children() if "agent.full.zygote" in p.cmdline())
    ready = {pair.runner.process.pid for pair in stage.engine.pairs.ready}
    (runner,) = (runner for runner in zygote.children() if runner.pid not in ready)
    return runner


async def test_a_runner_that_dies_interrupts_the_task(stage: Stage, desk: RecordingDesk) -> None:
    failure = await failure_after(stage, desk, lambda: runner_of(stage).kill())
    assert type(failure) is Interrupted


async def test_a_runner_that_freezes_interrupts_the_task(stage: Stage, desk: RecordingDesk) -> None:
    engine = stage.another(silence=1.5)
    await stage.settle()
    running = asyncio.ensure_future(
        engine.carry_out(stage.assignment(acts("wait", seconds=0), Turn([done()], delay=20)), desk)
    )
    await desk.stepped.wait()
    runner_of(stage).suspend()
    with pytest.raises(Interrupted, match="froze"):
        await running


async def test_a_browser_that_takes_too_much_memory_is_ended(stage: Stage) -> None:
    engine = stage.another(memory_mb=20)
    with pytest.raises(BrowserFailed, match="more than the 20 MB"):
        await engine.carry_out(stage.assignment(Turn([done()], delay=20)), RecordingDesk())


async def test_a_browser_that_writes_too_much_to_disk_is_ended(stage: Stage) -> None:
    engine = stage.another(disk_mb=1)  # a new profile alone is larger
    with pytest.raises(BrowserFailed, match="more than the 1 MB"):
        await engine.carry_out(stage.assignment(Turn([done()], delay=20)), RecordingDesk())


# -- publishing --------------------------------------------------------------------------------------------------------


def written(scene: Scene) -> list[Act]:
    return [acts("input", index=scene.index("textarea"), text="A note"), acts("click", index=scene.index("button"))]


NOTE = {"output": "Published", "noteId": "1"}


async def test_a_note_counts_when_it_was_read_back(stage: Stage, desk: RecordingDesk) -> None:
    number = len(stage.journal.notes) + 1
    outcome = await stage.play(
        acts("navigate", url=f"{stage.url}/write"),
        written,
        done("Published", data={"output": "Published", "noteId": str(number)}),
        tool=write_note,
        parameters=WriteNote(text="A note"),
        desk=desk,
    )
    assert outcome.result == {"output": "Read back: A note", "noteId": str(number), "text": "A note"}
    assert desk.armed == [1]
    assert [step.kind for step in desk.steps] == ["agent", "agent", "agent", "stage"]
    proof = desk.steps[-1]
    assert (proof.next_goal, proof.url) == ("Read the note back", f"{stage.url}/notes/{number}")
    assert [list(action) for action in proof.actions] == [["goto"], ["expect"], ["read"]]
    assert proof.screenshot is not None


async def test_a_note_that_cannot_be_read_back_is_uncertain(stage: Stage, desk: RecordingDesk) -> None:
    stage.journal.mood = "loses"
    with pytest.raises(OutcomeUncertain, match="look at"):
        await stage.play(
            acts("navigate", url=f"{stage.url}/write"),
            written,
            done("Published", data={"output": "Published", "noteId": "999"}),
            tool=write_note,
            parameters=WriteNote(text="A note"),
            desk=desk,
        )
    assert desk.steps[-1].kind == "stage"
    assert "stopped" in desk.steps[-1].results[0]


async def test_an_agent_that_fails_after_the_act_leaves_it_uncertain(stage: Stage) -> None:
    stage.journal.mood = "loses"
    with pytest.raises(OutcomeUncertain, match="I lost track"):
        await stage.play(
            acts("navigate", url=f"{stage.url}/write"),
            written,
            done("I lost track", success=False),
            tool=write_note,
            parameters=WriteNote(text="A note"),
        )


async def test_an_agent_that_fails_before_the_act_has_simply_failed(stage: Stage, desk: RecordingDesk) -> None:
    with pytest.raises(AgentFailed, match="no button"):
        await stage.play(
            done("There is no button.", success=False), tool=write_note, parameters=WriteNote(text="x"), desk=desk
        )
    assert desk.armed == []


async def test_a_runner_that_dies_after_the_act_leaves_it_uncertain(stage: Stage, desk: RecordingDesk) -> None:
    await stage.settle()
    playing = stage.play(
        acts("navigate", url=f"{stage.url}/write"),
        written,
        Turn([done()], delay=20),
        tool=write_note,
        parameters=WriteNote(text="A note"),
        desk=desk,
    )
    running = asyncio.ensure_future(playing)
    while len(desk.steps) < 2:
        desk.stepped.clear()
        await desk.stepped.wait()
    os.kill(runner_of(stage).pid, signal.SIGKILL)
    with pytest.raises(OutcomeUncertain) as failed:
        await running
    assert failed.value.details["cause"] == "INTERRUPTED"


def publishing(p: WriteNote) -> Playbook:
    """What is known of the request that publishes."""
    return (Scenes("Publish", (Listen("sent", r"/publish$"), Click("button", publishes=True), Answer("sent"))),)


def first_note(p: WriteNote) -> Proof:
    """The proof of a note that is the only one."""
    look = Scenes("Read it back", (Goto("https://board.example/notes/1"), Read("text", "#note")))
    return Proof(stages=(look,), result={"output": Reading("text"), "text": Reading("text")})


heard_note = replace(write_note, playbook=publishing, proof=first_note)


@pytest.mark.parametrize("end", ["killed", "frozen"])
async def test_a_run_that_breaks_off_after_the_site_took_the_note_is_read_back(
    stage: Stage, desk: RecordingDesk, end: str
) -> None:
    stage.journal.notes.clear()
    await stage.settle()
    assignment = stage.assignment(
        acts("navigate", url=f"{stage.url}/write"),
        written,
        Turn([done()], delay=60),
        tool=heard_note,
        parameters=WriteNote(text="A note"),
    )
    running = asyncio.ensure_future(stage.another(silence=5.0).carry_out(assignment, desk))
    await eventually(lambda: len(desk.steps) == 2, 60)
    runner = runner_of(stage)
    runner.kill() if end == "killed" else runner.suspend()
    outcome = await running
    assert outcome.result == {"output": "A note", "text": "A note"}
    assert stage.journal.notes == ["A note"]
    assert desk.steps[-1].next_goal == "Read it back"


async def test_a_dry_run_fills_everything_in_and_sends_nothing(stage: Stage, desk: RecordingDesk) -> None:
    before = list(stage.journal.notes)
    outcome = await stage.play(
        acts("navigate", url=f"{stage.url}/write"),
        written,
        done("Ready to be sent", data={"output": "ready"}),
        tool=write_note,
        parameters=WriteNote(text="A note"),
        dry_run=True,
        desk=desk,
    )
    assert outcome.result == {"output": "Ready to be sent"}
    assert stage.journal.notes == before
    assert "dry run" in str(desk.steps[1].results)
