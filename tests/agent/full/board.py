"""The site that the full engine's tests play on: a note board with a login, and pages that mean harm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any

from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tools.playbook import Expect, Goto, Read, Reading, Stage
from tools.proof import Proof
from tools.site import Signs, Site, Who
from tools.tool import Parameters, Result, Tool

PASSWORD = "correct-horse/battery&staple"
SITE = Site(
    id="board",
    name="Note board",
    home="https://board.example",
    hosts=("board.example",),
    login_url="https://board.example/login",
    logged_in=Signs(selectors=("#who",)),
    logged_out=Signs(selectors=("#stranger",)),
    challenge=Signs(urls=(r"^https?://[^/]+/challenge",), selectors=("#captcha",)),
    suspended=Signs(
        urls=(r"^https?://[^/]+/locked",), selectors=("[role=alert]:text-matches('limited|gesperrt', 'i')",)
    ),
    rate=Signs(statuses=(429,)),
    who=Who("#who", pattern=r"You are (\w+)"),
)


@dataclass
class Journal:
    """What the site saw. `mood` makes it lose what is sent."""

    origin: str = ""
    visits: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    sent: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    mood: str = ""
    held: Callable[[], None] | None = None


def page(title: str, body: str) -> HTMLResponse:
    return HTMLResponse(f"<!doctype html><title>{title}</title><body>{body}</body>")


class Board:
    """The site."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    async def home(self, request: Request) -> Response:
        return page("Board", '<h1>Board</h1><a href="/write">Write</a> <a href="/login">Log in</a>')

    async def login(self, request: Request) -> Response:
        if request.method == "POST":
            form = dict(await request.form())
            self.journal.sent.append({name: str(value) for name, value in form.items()})
            answer = RedirectResponse("/me", 303)
            answer.set_cookie("who", "member", httponly=True)
            return answer
        return page(
            "Log in",
            "<form method=post><input name=user aria-label=User><input type=password name=word aria-label=Password>"
            "<input name=code aria-label=Code><textarea name=free aria-label=Free></textarea><button>Log in</button></form>",
        )

    async def me(self, request: Request) -> Response:
        return page(
            "Me", f"<p id=who>You are {escape(request.cookies.get('who', 'nobody'))}</p><a href='/write'>Write</a>"
        )

    async def write(self, request: Request) -> Response:
        return page(
            "Write",
            "<form action=/publish method=post><textarea name=text aria-label=Note></textarea><button>Publish</button></form>",
        )

    async def publish(self, request: Request) -> Response:
        text = str((await request.form())["text"])
        if self.journal.mood == "loses":
            return page("Published", "<p>Published, or so it seems.</p>")
        self.journal.notes.append(text)
        return RedirectResponse(f"/notes/{len(self.journal.notes)}", 303)

    async def note(self, request: Request) -> Response:
        number = int(request.path_params["number"])
        if not 0 < number <= len(self.journal.notes):
            return HTMLResponse("<title>Missing</title><p id=missing>There is no such note.</p>", 404)
        return page("Note", f"<p id=note data-id={number}>{escape(self.journal.notes[number - 1])}</p>")

    async def check(self, request: Request) -> Response:
        asking = "<p id=captcha>Are you a robot?</p><script>setTimeout(() => location.reload(), 200)</script>"
        return page("Check", asking if self.journal.mood == "checks" else "<script>fetch('/welcomed')</script>")

    async def text(self, request: Request) -> Response:
        return page("Text", escape(request.query_params["say"]))

    async def raw(self, request: Request) -> Response:
        return HTMLResponse(request.query_params["html"], int(request.query_params.get("status", 200)))

    async def world(self, request: Request) -> Response:
        said = "Intl.DateTimeFormat().resolvedOptions().timeZone, navigator.language, (1234.5).toLocaleString()"
        return page(
            "World",
            f"<p>{escape(request.headers.get('accept-language', ''))}</p><p id=out></p>"
            f"<script>out.textContent = 'world ' + [{said}].join(' ')</script><a href=/world target=_blank>Again</a>",
        )

    async def download(self, request: Request) -> Response:
        name = request.query_params.get("name", "report.csv")
        return Response(
            "a,b\n1,2\n", media_type="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )

    async def upload(self, request: Request) -> Response:
        if request.method == "GET":
            return page(
                "Upload",
                "<form method=post enctype=multipart/form-data><input type=file name=file><button>Send</button></form>",
            )
        async with request.form() as form:
            sent: Any = form["file"]
            self.journal.sent.append({"name": sent.filename, "content": (await sent.read()).decode()})
        return page("Uploaded", "Thanks")

    async def slow(self, request: Request) -> Response:
        await asyncio.sleep(float(request.query_params["seconds"]))
        return page("Slow", "At last")

    async def storage(self, request: Request) -> Response:
        return HTMLResponse(
            "<title>Storage</title><p id=out></p><script>out.textContent = 'kept: ' + localStorage.getItem('mark');"
            "localStorage.setItem('mark', 'new-' + (localStorage.getItem('mark') ?? ''))</script>"
        )

    async def anything(self, request: Request) -> Response:
        return page(request.url.path.strip("/").capitalize(), f"This is {escape(request.url.path)}")

    def app(self) -> ASGIApp:
        """What is served."""
        app = Starlette(
            routes=[
                Route("/", self.home),
                Route("/login", self.login, methods=["GET", "POST"]),
                Route("/me", self.me),
                Route("/write", self.write),
                Route("/publish", self.publish, methods=["POST"]),
                Route("/notes/{number:int}", self.note),
                Route("/check", self.check),
                Route("/text", self.text),
                Route("/raw", self.raw),
                Route("/world", self.world),
                Route("/download", self.download),
                Route("/upload", self.upload, methods=["GET", "POST"]),
                Route("/slow", self.slow),
                Route("/storage", self.storage),
                Route("/{rest:path}", self.anything),
            ]
        )

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                self.journal.visits.append(scope["path"])
            await app(scope, receive, send)

        return noting


class WriteNote(Parameters):
    """What to write."""

    text: str = Field(min_length=1)


class Note(Result):
    """The note as read back."""

    note_id: str | None = None
    text: str | None = None


def note_proof(p: WriteNote) -> Proof:
    return Proof(
        stages=(
            Stage(
                "Read the note back",
                (
                    Goto(Reading("noteId", before="/notes/")),
                    Expect("#note", text=p.text, seconds=1),
                    Read("text", "#note"),
                ),
            ),
        ),
        result={"output": Reading("text", before="Read back: "), "noteId": Reading("noteId"), "text": Reading("text")},
    )


write_note = Tool(
    name="board.writeNote",
    summary="Writes a note.",
    parameters=WriteNote,
    result=Note,
    goal=lambda p: f"Write a note on the board with this text: {p.text}",
    effect="publish",
    example=WriteNote(text="Hello"),
    content=lambda p: p.text,
    proof=note_proof,
)
