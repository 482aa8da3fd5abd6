"""Pages that mean harm, and an agent that believes them: the run ends with a code that fits, and is never taken for done."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import pytest

from agent.engine import Outcome
from tests.agent.conftest import served as serving
from tests.agent.full.board import WriteNote, write_note
from tests.agent.full.stage import RecordingDesk, Stage
from tests.agent.harm import LIES, harmful
from tests.scripted_model import Act, Scene, acts, done
from tools.browser.run_task import RunTask
from tools.errors import AgentFailed, BrowserFailed, Failure

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]  # some of them keep two busy cores busier

ELSEWHERE = "location.href = location.pathname + location.search + '#' + Math.random()"
PAGES: dict[str, tuple[str, type[Failure], str]] = {
    "alerts without end": ("<script>for (;;) alert('again')</script>", BrowserFailed, "dialogs without end"),
    "alerts by a clock": (
        "<script>setInterval(() => alert('again'), 1)</script>",
        BrowserFailed,
        "dialogs without end",
    ),
    "more text than fits": (
        "<p id=p></p><script>p.textContent = 'lorem ipsum '.repeat(9e6)</script>",
        BrowserFailed,
        "make the task smaller",
    ),
    "an eater of memory": (
        "<script>const all = []; setInterval(() => all.push(new Array(4e6).fill(Math.random())), 50)</script>",
        BrowserFailed,
        "make the task smaller|crashed",
    ),
    "a storm of windows": (
        "<script>setInterval(() => { for (let i = 0; i < 20; i++) open('/write?' + Math.random()) }, 50)</script>",
        AgentFailed,
        "nothing proves it",
    ),
    "a page that will not be left": (
        "<script>onbeforeunload = (event) => { event.preventDefault(); return 'stay' }</script>",
        AgentFailed,
        "nothing proves it",
    ),
    "an address and a note that lie": (
        "<script>history.pushState(0, '', '/notes/1')</script><p id=note data-id=1>x</p>",
        AgentFailed,
        "nothing proves it",
    ),
    "a toast that lies": (
        "<div role=alert>Your note was published: <a href=/notes/1>look</a></div>",
        AgentFailed,
        "nothing proves it",
    ),
    "a page that never stays": (
        f"<script>setInterval(() => {ELSEWHERE}, 100); setTimeout(() => location.reload(), 100)</script>",
        AgentFailed,
        "nothing proves it",
    ),
}


ENDLESS = "<script>for (;;);</script>"


async def test_scripts_without_end_are_stopped_and_the_agent_goes_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.pulse.PATIENCE_SECONDS", 2.0)
    elsewhere = f"{stage.url.replace('127.0.0.1', 'localhost')}/raw?html={quote(ENDLESS)}"
    pages = {
        "at load": f"<h1>At load</h1>{ENDLESS}<p>after it</p>",
        "after a click": "<button onclick='document.title = 1; for (;;);'>Press</button>",
        "in a frame": f"<h1>In a frame</h1><iframe src='{elsewhere}'></iframe>",
    }
    seen: list[str] = []

    def to(name: str) -> Act:
        return acts("navigate", url=f"{stage.url}/raw?html={quote(pages[name])}")

    def look(scene: Scene, then: Act) -> Act:
        seen.append(scene.text)
        return then

    outcome = await stage.play(
        lambda scene: look(scene, to("after a click")),
        lambda scene: look(scene, acts("click", index=scene.index("button"))),
        lambda scene: look(scene, to("in a frame")),
        lambda scene: look(scene, done("Fine")),
        parameters=RunTask(task="Read", start_url=f"{stage.url}/raw?html={quote(pages['at load'])}"),
    )
    assert outcome.result == {"output": "Fine"}
    for text, what in zip(seen, ("after it", "Press", "Press", "In a frame"), strict=True):
        assert what in text


async def test_scripts_that_begin_again_and_again_end_the_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.pulse.PATIENCE_SECONDS", 1.0)
    html = "<h1>Hello</h1><script>setInterval(() => { for (;;); }, 1)</script>"
    with pytest.raises(BrowserFailed, match="run without end"):
        await stage.play(acts("navigate", url=f"{stage.url}/raw?html={quote(html)}"), done("Fine"))


WEARING = (
    *(f"/script/{name}" for name in ("push-state", "printing", "long-title", "long-address", "many-sockets")),
    "/script/file-chooser",
    *(f"/lie/{name}" for name in LIES),
    "/in-circles",
)


async def test_one_agent_comes_through_pages_that_wear_others_out(stage: Stage, desk: RecordingDesk) -> None:
    async with serving(harmful()) as origin:
        outcome = await stage.play(
            *(acts("navigate", url=f"{origin}{path}") for path in WEARING), done("Fine"), max_steps=20, desk=desk
        )
    assert outcome.result == {"output": "Fine"}
    assert len(desk.steps) == len(WEARING) + 1
    assert not any(b"x" * 3000 in request for request in stage.model.requests)  # each letter would cost its tokens
    assert not [step.url for step in desk.steps if "elsewhere.example" in step.url]


async def test_a_page_that_goes_to_downloads_without_end_is_left_or_ends_the_run(stage: Stage) -> None:
    """On a busy machine its navigations never arrive, and meanwhile Chromium answers nobody: then no agent can leave it."""
    async with serving(harmful()) as origin:
        lines = (
            acts("navigate", url=f"{origin}/script/downloads"),
            acts("navigate", url=f"{stage.url}/raw"),
            done("Fine"),
        )
        (end,) = await asyncio.gather(stage.play(*lines), return_exceptions=True)
    if isinstance(end, BrowserFailed):
        assert "leave it out of the task" in end.message
    else:
        assert isinstance(end, Outcome)
        assert end.result == {"output": "Fine"}


@pytest.mark.parametrize("name", PAGES)
async def test_a_hostile_page_is_not_believed(stage: Stage, desk: RecordingDesk, name: str) -> None:
    html, kind, words = PAGES[name]
    stage.journal.notes.clear()
    assignment = stage.assignment(
        acts("navigate", url=f"{stage.url}/raw?html={quote('<h1>Hello</h1>' + html)}"),
        acts("wait", seconds=1),
        done("It is published.", data={"output": "Published", "noteId": "1"}),
        tool=write_note,
        parameters=WriteNote(text="x"),
    )
    with pytest.raises(kind, match=words):
        await stage.another(memory_mb=1200).carry_out(assignment, desk)
    assert desk.armed == []
    assert stage.journal.notes == []


async def test_the_agent_is_told_what_a_dialog_said_and_goes_on(stage: Stage) -> None:
    html = "<h1>Hello</h1><script>alert('Mind the gap'); document.title = prompt('Your name?')</script><p id=out></p>"
    told: list[str] = []
    outcome = await stage.play(
        acts("navigate", url=f"{stage.url}/raw?html={quote(html)}"),
        lambda scene: told.append(scene.text) or acts("wait", seconds=0),
        done("Fine"),
    )
    assert outcome.result == {"output": "Fine"}
    assert "[alert] Mind the gap" in told[0]
    assert "[prompt] Your name?" in told[0]


async def test_no_page_may_read_the_clipboard(stage: Stage) -> None:
    script = "navigator.permissions.query({name: 'clipboard-read'}).then((p) => { out.textContent = 'clipboard ' + p.state })"
    told: list[str] = []
    await stage.play(
        acts("navigate", url=f"{stage.url}/raw?html={quote(f'<p id=out></p><script>{script}</script>')}"),
        lambda scene: told.append(scene.text) or done("Fine"),
    )
    assert "clipboard " in told[0]
    assert "clipboard granted" not in told[0]
