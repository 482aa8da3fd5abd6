"""A request to the practice site: whose it is, and what misbehaves for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.templating import Jinja2Templates

from server.practice.faults import Faults
from server.practice.state import COOKIE, DemoSite, Session, User


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks: their session (None: a stranger), the member they act as, and the faults that hold for them."""

    site: DemoSite
    token: str | None
    session: Session | None
    user: User | None
    faults: Faults


def visit(request: Request) -> Visit:
    """Reads the visit off the request's cookie."""
    site: DemoSite = request.app.state.site
    token = request.cookies.get(COOKIE)
    session = site.session(token)
    faults = site.faults_for(session)
    user = None
    if session is not None:
        user = site.users.get(faults.wrong_account or "") or site.users[session.user]
    return Visit(site, token, session, user, faults)


def render(request: Request, name: str, /, status: int = 200, **context: Any) -> Response:
    """A page of the site."""
    pages = cast("Jinja2Templates", request.app.state.templates)
    who = visit(request)
    shown = {
        "user": who.user,
        "faults": who.faults,
        "tid": who.faults.test_id,
        "path": request.url.path,
        "root": request.base_url,
        **context,
    }
    return pages.TemplateResponse(request, name, shown, status_code=status)


def back(request: Request) -> str:
    """Where to go afterwards: the path in `next`, never another site."""
    path = request.query_params.get("next", "/")
    there = urlsplit(path)
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and not there.netloc
    return path if safe else "/"


def here(request: Request) -> str:
    """The page's path and query, quoted to be handed on as `next`."""
    query = f"?{request.url.query}" if request.url.query else ""
    return quote(request.url.path + query, safe="/")


async def turned_away(request: Request) -> Response | None:
    """Where a request for a members' page is led instead: to the login or, when a person is asked for, to the challenge."""
    who = visit(request)
    await asyncio.sleep(who.faults.slow)
    if who.session is None:
        return RedirectResponse(f"/login?next={here(request)}", 302)
    if who.faults.challenge == "pages" and not who.session.solved:
        return RedirectResponse(f"/challenge?next={here(request)}", 302)
    return None
