"""What the four replicas share: who is logged in, what was really published, faults, and a server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import jinja2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from tests.replicas.faults import MEANWHILE, Fault

PAGES = Path(__file__).parent / "pages"
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(PAGES), autoescape=True, variable_start_string="[[", variable_end_string="]]"
)
T = TypeVar("T")
LOGIN_FORM = "<form method=post action=/signed-in><input name=member><button>OK</button></form>"
SLOWNESS = 0.3
"""How long a slow replica thinks before each answer (seconds)."""
LATENESS = 3.0
"""How long it takes for the answer to what publishes when that is late (seconds)."""


@dataclass
class Post:
    """Something that was really published."""

    id: str
    author: str
    text: str
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Moment:
    """The last moment before the click: an open page waits for it, does its mischief, and says so."""

    def __init__(self) -> None:
        self.reset()
        self.routes = [Route("/armed", self.armed), Route("/applied", self.applied, methods=["POST"])]

    def reset(self) -> None:
        """Nobody waits for anything."""
        self.awaited = self.come = self.over = False

    async def pass_by(self) -> None:
        """The act is armed: returns when the page that waited for it, if any, has done what it will."""
        self.come = self.awaited
        async with asyncio.timeout(10):
            while self.awaited and not self.over:  # noqa: ASYNC110  # it happens in another thread
                await asyncio.sleep(0.01)

    async def armed(self, request: Request) -> Response:
        """Answers the page when the moment has come."""
        self.awaited = True
        while not self.come and not await request.is_disconnected():  # noqa: ASYNC110  # it comes from another thread
            await asyncio.sleep(0.01)
        return Response(status_code=204)

    async def applied(self, _: Request) -> Response:
        """The page has done it."""
        self.over = True
        return Response(status_code=204)


class Replica:
    """A stand-in for one platform. `published` holds what really came to be, `faults` what it does wrong now."""

    platform: ClassVar[str]
    member: ClassVar[str] = "alice"
    stranger: ClassVar[str] = "mallory"
    entrance: ClassVar[str]
    """Where the site leads those who have just logged in."""
    publishing: ClassVar[str]
    """How the address begins to which its pages send what they publish."""
    login_path: ClassVar[str]

    def __init__(self) -> None:
        self.origin = ""
        self.faults: set[Fault] = set()
        self.published: list[Post] = []
        self.requests: list[str] = []
        self.moment = Moment()
        self._numbers = itertools.count(1_900_000_000_000_000_001)
        self.reset()
        entry = Route("/signed-in", self.signed_in, methods=["POST"])
        challenge = Route("/challenge", self.challenge, methods=["GET", "POST"])
        self.app = self._watched(Starlette(routes=[*_shared, entry, challenge, *self.moment.routes, *self.routes()]))

    def routes(self) -> list[BaseRoute]:
        """The platform's own addresses."""
        raise NotImplementedError

    def cookies(self, member: str) -> dict[str, str]:
        """The cookies of a browser in which that member is logged in."""
        raise NotImplementedError

    async def login(self, _: Request) -> Response:
        """The login's form. Nobody has a password here."""
        return HTMLResponse(LOGIN_FORM)

    async def signed_in(self, request: Request) -> Response:
        """Whoever fills the form in is logged in."""
        member = str((await request.form())["member"])
        answer = RedirectResponse(self.entrance, 303)
        for name, value in self.cookies(member).items():
            answer.set_cookie(name, value)
        return answer

    def reset(self, *faults: Fault) -> None:
        """Forgets everything, and misbehaves as told from now on."""
        self.faults = set(faults)
        self.published.clear()
        self.requests.clear()
        self.moment.reset()

    def login_state(self) -> dict[str, Any]:
        """A browser's storage state in which the member is logged in; with WRONG_ACCOUNT it is somebody else."""
        who = self.stranger if Fault.WRONG_ACCOUNT in self.faults else self.member
        cookies = [
            {"name": name, "value": value, "domain": "127.0.0.1", "path": "/", "expires": -1, "httpOnly": False}
            | {"secure": False, "sameSite": "Lax"}
            for name, value in self.cookies(who).items()
        ]
        return {"cookies": cookies, "origins": []}

    def publish(self, author: str, text: str, **more: Any) -> Post:
        """Makes a post come to be."""
        if Fault.OTHER_AUTHOR in self.faults:
            author = self.stranger
        if Fault.OTHER_TEXT in self.faults:
            text = "Something else altogether"
        post = Post(str(next(self._numbers)), author, text, more)
        self.published.append(post)
        return post

    def post(self, number: str) -> Post | None:
        """The published post of that number."""
        return next((post for post in self.published if post.id == number), None)

    async def solved(self) -> None:
        """Somebody does what the site asked for: it behaves from now on."""
        self.faults.clear()

    async def challenge(self, request: Request) -> Response:
        """An open page asks (GET) whether somebody has dealt with the challenge that lies over it, or says (POST) that it took it away."""
        return JSONResponse(Fault.CHALLENGE in self.faults)

    def shown_faults(self) -> dict[str, Any]:
        """The faults that a page plays by itself, as its template calls them; `meanwhile`: what happens at the last moment."""
        names = {
            "moved": Fault.MOVED,
            "locked": Fault.LOCKED,
            "drop": Fault.SILENT_DROP,
            "slider": Fault.CHALLENGE,
            "after": Fault.CHALLENGE_AFTER,
            "translated": Fault.TRANSLATED,
        }
        meanwhile = next((fault for fault in MEANWHILE if fault in self.faults), None)
        other = self.cookies(self.stranger)
        return {name: fault in self.faults for name, fault in names.items()} | {"meanwhile": meanwhile, "other": other}

    def said(self, sentence: str | None) -> str | None:
        """What the site says to people, in its language of the day."""
        return "That did not work" if sentence and Fault.TRANSLATED in self.faults else sentence

    def refusal(self, sentences: Mapping[Fault, T]) -> T | None:
        """What the site says instead of publishing; None: it publishes."""
        return next((sentences[fault] for fault in sentences if fault in self.faults), None)

    async def answer(self, request: Request, body: Mapping[str, Any]) -> Response:
        """The answer to what was published; with CUT it breaks off."""
        return await cut(request) if Fault.CUT in self.faults else JSONResponse(dict(body))

    def blank(self) -> HTMLResponse | None:
        """With BLANK, what stands in the place of a post's page."""
        return HTMLResponse("<p></p>") if Fault.BLANK in self.faults else None

    def page(self, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page from its template; what it plays by itself it finds in `page`, a JSON object of these values."""
        data = json.dumps(values).replace("</", "<\\/")
        return HTMLResponse(_TEMPLATES.get_template(name).render(page=data, **values), status)

    def _watched(self, app: Starlette) -> Any:
        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                self.requests.append(f"{scope['method']} {scope['path']}")
            if Fault.SLOW in self.faults:
                await asyncio.sleep(SLOWNESS)
            publishes = self._publishes(scope)
            if publishes and Fault.LATE in self.faults:
                await asyncio.sleep(LATENESS)
            instead = self._instead() if publishes else None
            await (instead or app)(scope, receive, send)

        return watched

    def _publishes(self, scope: Scope) -> bool:
        return scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith(self.publishing)

    def _instead(self) -> Response | None:
        """What comes in the place of the site's own answer, and nothing is published."""
        statuses = {Fault.FORBIDDEN: 403, Fault.BROKEN: 500, Fault.NONSENSE: 200}
        for fault in self.faults & statuses.keys():
            return HTMLResponse("<!doctype html><h1>Something is wrong</h1>", statuses[fault])
        return RedirectResponse(self.login_path, 302) if Fault.LOGIN_AFTER in self.faults else None


async def cut(request: Request) -> Response:
    """Breaks the connection off in the middle of the answer."""
    transport = cast("Any", request.receive).__self__.transport
    transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{")
    transport.close()
    await asyncio.sleep(0.05)
    return JSONResponse({})


async def _nothing(_: Request) -> Response:
    return Response(status_code=204)


async def _editors(_: Request) -> Response:
    return FileResponse(PAGES / "editors.js")


_shared: list[BaseRoute] = [Route("/favicon.ico", _nothing), Route("/editors.js", _editors)]


@contextlib.contextmanager
def serving(*replicas: Replica) -> Generator[None]:
    """Serves the replicas, each on a free port of 127.0.0.1, in a thread with a loop of its own."""
    servers = [_server(replica) for replica in replicas]

    async def serve() -> None:
        await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in servers))

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="replicas")
    thread.start()
    try:
        yield
    finally:
        for server, _ in servers:
            server.should_exit = True
        thread.join()
        for _, listener in servers:
            listener.close()


def _server(replica: Replica) -> tuple[uvicorn.Server, socket.socket]:
    listener = socket.create_server(("127.0.0.1", 0))
    replica.origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(replica.app, log_level="error", lifespan="off", ws="none", timeout_graceful_shutdown=1)
    return uvicorn.Server(config), listener
