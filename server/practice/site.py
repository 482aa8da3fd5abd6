"""The embedded practice site: a small social site to try Webhand on, and to test it against.

`create_demo_site` is the application, `serve_demo_site` runs it on loopback. Its state is a `DemoSite` (server.practice.state), its
misbehaviour `Faults` (server.practice.faults). Members and their practice passwords stand on its login page.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from server.practice import api as demo_api
from server.practice import pages as demo_pages
from server.practice import switchboard as demo_switchboard
from server.practice import workshop as demo_workshop
from server.practice.state import DemoSite

PAGES = Path(__file__).parent.parent / "pages" / "demo"
POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)


def create_demo_site(site: DemoSite | None = None) -> Starlette:
    """The practice site as an ASGI application; its `state.site` is the DemoSite given, or a new one."""
    routes: list[BaseRoute] = [
        *demo_pages.routes,
        *demo_api.routes,
        *demo_switchboard.routes,
        *demo_workshop.routes,
        Mount("/static", StaticFiles(directory=PAGES / "static"), name="static"),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(SameSite)],
        exception_handlers={404: demo_pages.missing, 405: demo_pages.missing},
    )
    app.state.site = site or DemoSite()
    app.state.templates = templates()
    return app


def templates() -> Jinja2Templates:
    """The site's templates, with the words they use."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    env.filters["ago"] = ago
    return Jinja2Templates(env=env)


def ago(then: datetime) -> str:
    """How long ago, as a feed says it."""
    minutes = int((datetime.now(UTC) - then).total_seconds() // 60)
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 1440 else f"{minutes // 1440} d"


class SameSite:
    """Keeps the site to itself: acts that another site's page starts are refused, and nothing is loaded from other hosts."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the request through, or refuses it."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
                headers.setdefault("Cache-Control", "no-cache" if scope["path"].startswith("/static/") else "no-store")
            await send(message)

        asked = Headers(scope=scope)
        foreign = scope["method"] != "GET" and urlsplit(asked.get("origin", "")).netloc not in ("", asked.get("host"))
        app = PlainTextResponse("Another site's page may not act here.", 403) if foreign else self.app
        await app(scope, receive, sending)


class Severable(H11Protocol):
    """HTTP whose requests can cut their own connection: `scope["extensions"]["practice.cut"]()`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # as uvicorn types it
        """Hands every request of the connection the way to cut it."""
        super().connection_made(transport)
        served = self.app

        async def severable(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})["practice.cut"] = transport.abort
            await served(scope, receive, send)

        self.app = severable


class Server(uvicorn.Server):
    """A uvicorn server inside a process that has its own ideas about signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leaves the process's signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says when it answers."""
        await super().startup(sockets)
        self.ready.set()


@contextlib.asynccontextmanager
async def serve_demo_site(
    site: DemoSite | None = None, *, port: int = 0, host: str = "127.0.0.1"
) -> AsyncGenerator[str]:
    """Serves the practice site while the context lasts and gives its base URL. Port 0: a free one. Raises OSError when taken."""
    listener = socket.create_server((host, port))
    config = uvicorn.Config(
        create_demo_site(site),
        http=Severable,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = Server(config)
    running = asyncio.create_task(server.serve([listener]))
    ready = asyncio.create_task(server.ready.wait())
    try:
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        ready.cancel()
        server.should_exit = True
        await running
