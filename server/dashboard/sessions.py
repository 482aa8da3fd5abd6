"""Who looks at the pages: a signed cookie that holds the id of the key somebody logged in with, and nothing else.

It is worth what the key is worth: a revoked key ends it with the next request.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from server.auth import Caller
from server.dashboard.door import guarded, is_secure, make_sure_ours
from server.errors import status_of
from server.state import reach
from tools.errors import Failure, Unauthorized

COOKIE = "webhand_session"
PURPOSE = "page"
LASTS_S = 7 * 24 * 3600

Handler = Callable[[Request, Caller], Awaitable[Response]]


async def visitor(request: Request) -> Caller | None:
    """Who is logged in."""
    state = reach(request)
    signed = state["signer"].verify(PURPOSE, request.cookies.get(COOKIE, ""))
    return await state["verifier"].of_key(signed.subject) if signed is not None else None


def let_in(request: Request, response: Response, caller: Caller) -> Response:
    """The response that logs the caller's browser in."""
    state = reach(request)
    token = state["signer"].sign(PURPOSE, caller.key_id, expires=int(time.time()) + LASTS_S)
    response.set_cookie(
        COOKIE,
        token,
        max_age=LASTS_S,
        httponly=True,
        samesite="strict",
        secure=is_secure(request, state["public_url"]),
    )
    return response


def let_out(response: Response) -> Response:
    """The response that logs the browser out."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def for_visitors(
    handler: Handler, *, refused: Callable[[Request, Failure], Response]
) -> Callable[[Request], Awaitable[Response]]:
    """The handler for whoever is logged in; others are led to the login, and `refused` makes a page of what goes wrong."""

    async def endpoint(request: Request) -> Response:
        try:
            if request.method not in {"GET", "HEAD"}:
                make_sure_ours(request, reach(request)["public_url"])
            caller = await visitor(request)
            response = await handler(request, caller) if caller is not None else to_login(request)
        except Failure as failure:
            response = told(failure) if is_script(request) else refused(request, failure)
        return guarded(response)

    return endpoint


def to_login(request: Request) -> Response:
    """The way to the login and back."""
    if is_script(request):
        return told(Unauthorized("You are logged out: load the page again."))
    here = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    wanted = here if request.method == "GET" else "/"
    return RedirectResponse(f"/login?next={quote(wanted, safe='')}", 303)


def is_script(request: Request) -> bool:
    """Whether a page's script asks, which wants to hear more than see."""
    return request.headers.get("accept", "").startswith(("application/json", "text/event-stream"))


def told(failure: Failure) -> Response:
    """A failure for a page's script."""
    return JSONResponse({"error": failure.message}, status_of(failure))


def local(path: str) -> str:
    """Where to go after the login: a path of ours, whatever the link says."""
    parts = urlsplit(path)
    ours = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc and "\\" not in path
    return path if ours and path.isprintable() else "/"
