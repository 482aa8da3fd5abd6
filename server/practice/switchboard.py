"""The practice site's switchboard: misbehaviour on demand, for programs (JSON) and for people (a form)."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from server.practice.faults import Faults
from server.practice.state import DemoSite, Session
from server.practice.visit import render, visit


class FaultsFor(Faults):
    """Faults, and whom they are for."""

    scope: str = Field(default="site", description="`site`, `session` (the asking one) or a member's name.")


def assign(site: DemoSite, scope: str, session: Session | None, faults: Faults) -> None:
    """Sets the faults of one scope. Raises ValueError where there is no such scope."""
    if scope == "site":
        site.faults = faults
    elif scope == "session" and session is not None:
        session.faults = faults
    elif scope in site.users:
        site.faults_of[scope] = faults
    else:
        raise ValueError("The scope is 'site', 'session' (while logged in) or a member's name.")
    for known in site.sessions.values():
        known.solved = False


def behave(site: DemoSite) -> None:
    """Ends all misbehaviour."""
    site.faults = Faults()
    site.faults_of.clear()
    for session in site.sessions.values():
        session.faults, session.solved = None, False


def state(site: DemoSite) -> Response:
    """What misbehaves, as JSON."""
    members = {name: faults.model_dump() for name, faults in site.faults_of.items()}
    return JSONResponse({"site": site.faults.model_dump(), "members": members})


async def api(request: Request) -> Response:
    """/api/faults: GET what misbehaves, PUT {"scope", ...faults}, DELETE to behave."""
    who = visit(request)
    if request.method == "DELETE":
        behave(who.site)
    if request.method == "PUT":
        try:
            wish = FaultsFor.model_validate_json(await request.body())
            assign(who.site, wish.scope, who.session, Faults(**wish.model_dump(exclude={"scope"})))
        except ValueError as wrong:
            return JSONResponse({"error": "bad_request", "message": str(wrong)}, 422)
    return state(who.site)


async def page(request: Request) -> Response:
    """/faults: the same for people, for the whole site."""
    site = visit(request).site
    if request.method == "GET":
        return render(request, "faults.html", fields=Faults.model_fields, site_faults=site.faults)
    wish: dict[str, Any] = {name: value for name, value in (await request.form()).items() if value}
    behave(site)
    if "behave" not in wish:
        try:
            site.faults = Faults.model_validate(wish)
        except ValidationError:
            return render(request, "faults.html", 422, fields=Faults.model_fields, site_faults=site.faults, wrong=True)
    return RedirectResponse("/faults", 303)


routes = [
    Route("/api/faults", api, methods=["GET", "PUT", "DELETE"]),
    Route("/faults", page, methods=["GET", "POST"]),
]
