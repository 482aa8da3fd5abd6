"""The pages for people: tasks, one task as it runs, accounts, the login. Server-rendered; scripts only freshen what is there.

Everything goes through the services with the rights of the key that somebody logged in with.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from server.dashboard import accounts as dashboard_accounts
from server.dashboard import create as dashboard_create
from server.dashboard import tasks as dashboard_tasks
from server.dashboard.door import PAGES, guarded, make_sure_ours
from server.dashboard.page import problem, shown
from server.dashboard.sessions import for_visitors, let_in, let_out, local, visitor
from server.state import reach
from tools.errors import Failure, Unauthorized


async def login(request: Request) -> Response:
    """The login form, and what it sends."""
    to = local(request.query_params.get("next", "/"))
    if request.method == "GET":
        if await visitor(request) is not None:
            return guarded(RedirectResponse(to, 303))
        return guarded(shown(request, None, "login.html", to=to, wrong=""))
    try:
        make_sure_ours(request, reach(request)["public_url"])
        form = await request.form()
        caller = await reach(request)["verifier"].verify(str(form.get("key", "")).strip())
    except Unauthorized:
        wrong = "This key is not known, or was revoked."
        return guarded(shown(request, None, "login.html", status=401, to=to, wrong=wrong))
    except Failure as failure:
        return guarded(problem(request, failure))
    return guarded(let_in(request, RedirectResponse(to, 303), caller))


async def logout(request: Request) -> Response:
    """Ends the session of this browser."""
    try:
        make_sure_ours(request, reach(request)["public_url"])
    except Failure as failure:
        return guarded(problem(request, failure))
    return guarded(let_out(RedirectResponse("/login", 303)))


async def session(request: Request) -> Response:
    """Whether this browser is logged in. A link from another site brings no cookie with it; the login page asks here instead."""
    return guarded(JSONResponse({"in": await visitor(request) is not None}))


def dashboard_routes() -> list[BaseRoute]:
    """To be mounted at the root."""
    pages = [
        Route(path, for_visitors(handler, refused=problem), methods=list(methods))
        for group in (dashboard_tasks.PAGES, dashboard_accounts.PAGES, dashboard_create.PAGES)
        for path, handler, methods in group
    ]
    return [
        Route("/login", login, methods=["GET", "POST"]),
        Route("/logout", logout, methods=["POST"]),
        Route("/session", session),
        *pages,
        Mount("/static/dashboard", StaticFiles(directory=PAGES / "dashboard" / "static")),
    ]
