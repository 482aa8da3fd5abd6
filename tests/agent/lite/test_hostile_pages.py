"""Pages that mean harm to the lite engine: it stays inside its wall, publishes once or not at all, and believes nobody but its proof."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from agent.engine import Assignment, Login, Options, Outcome
from agent.lite import player
from agent.lite.engine import LiteEngine
from agent.lite.watch import Patience
from agent.origins import Origins
from tests.agent.conftest import Canary, Notebook, canary, served
from tools.errors import BrowserFailed, Failure, PageChanged, WrongPage
from tools.playbook import Answer, Click, Fill, Goto, Listen, Playbook, Reading, Stage
from tools.proof import Proof
from tools.readback import TAKEN, look_back
from tools.site import Signs, Site, Who
from tools.tool import Parameters, Result, Tool

pytestmark = pytest.mark.anyio

TEXT = "The words of the day"
WRITE = """<!doctype html><title>Write \u202etxet</title><b id=me>alice</b>
<form><textarea id=box></textarea><button id=send type=button>Send</button></form>
<script>send.onclick = async () => fetch('/notes', { method: 'POST', body: box.value })</script>"""
HASTY = Patience(navigation=15, element=3, act=3, glance=0.3, identity=3, proofs=1)


class WriteNote(Parameters):
    """A note."""

    text: str


class Note(Result):
    """The note as read back."""

    note_id: str
    shown: str = ""


def playbook(parameters: WriteNote) -> Playbook:
    """Writes, and sends."""
    sending = (Listen("sent", "/notes$"), Click("#send", publishes=True), Answer("sent", {"noteId": "id", TAKEN: "id"}))
    return Stage("Write it", (Goto("/write"), Fill("#box", parameters.text))), Stage("Send it", sending)


def proof(parameters: WriteNote) -> Proof:
    """Reads it back."""
    look = look_back("/notes/{noteId}", ("#note",), ("#missing",), parameters.text, goal="Read it back")
    return Proof(look, {"output": Reading("noteId"), "noteId": Reading("noteId"), "shown": Reading("shown")})


tool = Tool(
    name="board.writeNote",
    summary="Write a note.",
    parameters=WriteNote,
    result=Note,
    goal=lambda parameters: parameters.text,
    effect="publish",
    example=WriteNote(text=TEXT),
    playbook=playbook,
    proof=proof,
    content=lambda parameters: parameters.text,
)
SITE = Site(
    id="board",
    name="Board",
    home="https://board.example",
    hosts=("board.example",),
    login_url="https://board.example/login",
    logged_in=Signs(selectors=("#me",)),
    who=Who("#me"),
)


@dataclass
class Board:
    """A site whose page for writing does harm besides."""

    folder: Path
    outside: Canary
    engine: LiteEngine = field(init=False)
    harm: str = ""
    notes: list[str] = field(default_factory=list[str])

    async def write(self, _: Request) -> Response:
        return HTMLResponse(WRITE + self.harm.replace("OUTSIDE", f"127.0.0.1:{self.outside.port}"))

    async def publish(self, request: Request) -> Response:
        self.notes.append((await request.body()).decode())
        return JSONResponse({"id": len(self.notes)})

    async def note(self, request: Request) -> Response:
        return HTMLResponse(f"<b id=me>alice</b><p id=note>{self.notes[request.path_params['number'] - 1]}</p>")

    async def download(self, _: Request) -> Response:
        return Response("x" * 1000, headers={"Content-Disposition": "attachment; filename=x.bin"})

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/write", self.write),
                Route("/notes", self.publish, methods=["POST"]),
                Route("/notes/{number:int}", self.note),
                Route("/download", self.download),
            ]
        )

    async def play(self, harm: str, desk: Notebook) -> Outcome:
        """Writes one note on a page that does this."""
        self.harm = harm
        self.notes.clear()
        login = Login("acc", "main", identity="alice", state={"cookies": [], "origins": []})
        given = Assignment("task", tool, SITE, WriteNote(text=TEXT), Options(), self.folder, login=login)
        return await self.engine.carry_out(given, desk)


@pytest.fixture(scope="module")
async def board(chromium_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Board]:
    folder = tmp_path_factory.mktemp("hostile")
    async with canary() as outside:
        board = Board(folder, outside)
        async with served(board.app()) as origin:
            board.engine = LiteEngine(chromium_path, folder / "run", Origins({SITE.home: origin}), patience=HASTY)
            yield board
            await board.engine.close()


HARMLESS = {
    "calls other hosts in every way": """<img src=http://OUTSIDE/img><iframe src=http://OUTSIDE/frame></iframe><script>
      fetch('http://OUTSIDE/fetch', { mode: 'no-cors' }); navigator.sendBeacon('http://OUTSIDE/beacon'); new WebSocket('ws://OUTSIDE/socket');
      new EventSource('http://OUTSIDE/events'); open('http://OUTSIDE/window')</script>""",
    "opens windows without end": "<script>setInterval(() => open('/notes/0'), 300)</script>",
    "starts downloads": "<script>for (let i = 0; i < 20; i++) { const a = document.createElement('a'); a.href = '/download?' + i;"
    " a.download = 'x'; document.body.append(a); a.click() }</script>",
    "will not be left": "<script>onbeforeunload = (event) => { event.preventDefault(); return 'stay' }</script>",
    "asks and asks": "<script>setTimeout(() => { alert('one'); confirm('two'); prompt('three') })</script>",
    "hides a button of the same name": "<script>send.insertAdjacentHTML('beforebegin', '<button id=send hidden>Send</button>')</script>",
    "shows the text before it was published": f"<p id=note>{TEXT}</p><p id=missing></p>",
    "says more than fits": "<p id=long></p><script>long.textContent = 'lorem ipsum '.repeat(2e5)</script>",
    "writes backwards": "<p>\u202e\u2066\u2067reversed\u2069\u200f</p>",
    "lies about its address": "<script>history.pushState(0, '', '/notes/99')</script>",
}


@pytest.mark.parametrize("harm", HARMLESS)
async def test_what_a_page_does_besides_changes_nothing(harm: str, board: Board) -> None:
    desk = Notebook()
    outcome = await board.play(HARMLESS[harm], desk)
    assert outcome.result == {"output": "1", "noteId": "1", "shown": TEXT}
    assert board.notes == [TEXT]
    assert board.outside.heard == []
    assert "\u202e" not in desk.everything


STOPPED: dict[str, tuple[str, type[Failure], str]] = {
    "leads to another host": (
        "<script>setTimeout(() => { location = 'http://OUTSIDE/away' })</script>",
        WrongPage,
        "led to",
    ),
    "shows two buttons of the same name": (
        "<script>send.insertAdjacentHTML('beforebegin', '<button id=send style=opacity:0.01>Send</button>')</script>",
        PageChanged,
        "2 elements",
    ),
    "lies over the button": (
        "<div style='position:fixed;inset:0;z-index:9'></div><style>textarea { position: relative; z-index: 10 }</style>",
        PageChanged,
        "did not take the click",
    ),
    "opens dialogs without end": (
        "<script>box.oninput = () => { for (;;) alert('again') }</script>",
        BrowserFailed,
        "froze",
    ),
}


@pytest.mark.parametrize("harm", STOPPED)
async def test_what_cannot_be_got_round_ends_the_task_before_anything_is_published(
    harm: str, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player, "FROZEN_SECONDS", 5.0)
    html, kind, words = STOPPED[harm]
    desk = Notebook()
    with pytest.raises(kind, match=words):
        await board.play(html, desk)
    assert board.notes == []
    assert desk.armed == 0
    assert board.outside.heard == []
