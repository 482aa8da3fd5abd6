"""The practice site's pages: feed, editor, posts, members, login, challenge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import wraps

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from server.practice.state import COOKIE, MAX_TEXT, MEMBERS
from server.practice.visit import back, render, turned_away, visit

PENDING = "practice_login"
CODE_MINUTES = 5

Handler = Callable[[Request], Awaitable[Response]]


def members_only(handler: Handler) -> Handler:
    """A page that only a member sees."""

    @wraps(handler)
    async def guarded(request: Request) -> Response:
        return await turned_away(request) or await handler(request)

    return guarded


@members_only
async def home(request: Request) -> Response:
    """The feed, with an editor above it."""
    site = visit(request).site
    return render(request, "home.html", posts=site.feed()[:40], users=site.users, limit=MAX_TEXT)


@members_only
async def compose(request: Request) -> Response:
    """The editor alone."""
    return render(request, "compose.html", limit=MAX_TEXT)


@members_only
async def post(request: Request) -> Response:
    """One post; 404 where there is none that can be seen."""
    site = visit(request).site
    found = site.visible(request.path_params["id"])
    if found is None:
        return render(request, "missing.html", 404, what="post")
    return render(request, "post.html", post=found, users=site.users)


@members_only
async def member(request: Request) -> Response:
    """A member and what they posted."""
    site = visit(request).site
    found = site.users.get(request.path_params["name"])
    if found is None:
        return render(request, "missing.html", 404, what="member")
    return render(request, "member.html", member=found, posts=site.feed(author=found.name), users=site.users)


async def missing(request: Request, _: Exception) -> Response:
    """No such page."""
    return render(request, "missing.html", 404, what="page")


async def login(request: Request) -> Response:
    """The login form, and what it sends."""
    who = visit(request)
    if request.method == "GET":
        return RedirectResponse(back(request), 302) if who.session else render(request, "login.html", members=MEMBERS)
    form = await request.form()
    name = str(form.get("username", "")).strip().removeprefix("@").lower()
    user = MEMBERS.get(name)
    if user is None or str(form.get("password", "")) != user.password:
        return render(request, "login.html", 401, members=MEMBERS, wrong=True, name=name)
    if user.totp is not None:
        answer = RedirectResponse(f"/login/code?next={back(request)}", 303)
        answer.set_cookie(PENDING, who.site.await_code(user.name), httponly=True, samesite="lax")
        return answer
    return welcome(request, user.name)


async def code(request: Request) -> Response:
    """The second page of the login of members with one-time codes."""
    site = visit(request).site
    name, since = site.awaited.get(request.cookies.get(PENDING, ""), ("", datetime.min.replace(tzinfo=UTC)))
    if not name or datetime.now(UTC) - since > timedelta(minutes=CODE_MINUTES):
        return RedirectResponse(f"/login?next={back(request)}", 303)
    if request.method == "GET":
        return render(request, "code.html")
    form = await request.form()
    if not MEMBERS[name].code_fits(str(form.get("code", ""))):
        return render(request, "code.html", 401, wrong=True)
    site.awaited.pop(request.cookies[PENDING])
    return welcome(request, name)


def welcome(request: Request, name: str) -> Response:
    """Logs the member in and leads them to where they wanted to go."""
    answer = RedirectResponse(back(request), 303)
    answer.set_cookie(COOKIE, visit(request).site.log_in(name), httponly=True, samesite="lax")
    answer.delete_cookie(PENDING)
    return answer


async def logout(request: Request) -> Response:
    """Ends the session."""
    who = visit(request)
    who.site.log_out(who.token or "")
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


async def challenge(request: Request) -> Response:
    """Asks for a person; pressing its button is enough."""
    who = visit(request)
    if who.session is None:
        return RedirectResponse(f"/login?next={back(request)}", 302)
    if request.method == "GET":
        return render(request, "challenge.html")
    who.session.solved = True
    return RedirectResponse(back(request), 303)


routes = [
    Route("/", home),
    Route("/compose", compose),
    Route("/posts/{id}", post),
    Route("/users/{name}", member),
    Route("/login", login, methods=["GET", "POST"]),
    Route("/login/code", code, methods=["GET", "POST"]),
    Route("/logout", logout, methods=["POST"]),
    Route("/challenge", challenge, methods=["GET", "POST"]),
]
