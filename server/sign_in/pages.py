"""The sign-in page: GET /sign-in/<token> offers to open the browser, shows it to whoever opened it, and says how it ended.

Opening takes a click, so that programs that only look at links use none up. Whoever opens it gets a cookie; the link is then dead for
everybody else.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from agent.engine import Viewport
from server.dashboard.door import PAGES, guarded, is_secure, make_sure_ours, templates
from server.errors import status_of
from server.live.door import CONTROL
from server.live.door import PURPOSE as LIVE
from server.live.tasks import LiveSettings
from server.live.view import Live
from server.sign_in.attempt import SignIn
from server.sign_in.live import LiveSignIns
from server.sign_in.service import SignInService
from server.signing import Signer
from tools.errors import Failure

COOKIE = "webhand_sign_in"
_VIEWPORT = Viewport(1280, 800)
_SIDES = {"width": (360, 1600), "height": (420, 1200)}
_UNKNOWN = "This link is not valid any more. Sign-in links work once and not for long: ask for a new one."
_USED = "This link was opened in another browser already. Sign-in links work once: ask for a new one."

Handler = Callable[[Request, SignIn], Awaitable[Response]]


class SignInPages:
    """The page and its live view. Mount `routes`; `close` ends what is open."""

    def __init__(self, sign_ins: SignInService, signer: Signer, public_url: str) -> None:
        self._sign_ins = sign_ins
        self._signer = signer
        self._public_url = public_url
        self._templates = templates("sign_in")
        # Nobody waits for a person who is slow to sign in: their time is the attempt's.
        looks = LiveSettings(frame_ancestors="'none'", public_url=public_url, idle=sign_ins.settings.open)
        self._live = Live(LiveSignIns(sign_ins), signer, looks)

    @property
    def routes(self) -> list[BaseRoute]:
        """Everything below /sign-in, and the page's static files."""
        below: list[BaseRoute] = [
            Route("/{token}", self._of_attempt(self.page)),
            Route("/{token}/start", self._of_attempt(self.start), methods=["POST"]),
            Route("/{token}/cancel", self._of_attempt(self.cancel), methods=["POST"]),
            *self._live.routes,
        ]
        static = StaticFiles(directory=PAGES / "sign_in" / "static")
        return [Mount("/sign-in", routes=below), Mount("/static/sign-in", static)]

    async def close(self) -> None:
        """Ends every browser and its view."""
        await self._sign_ins.close()
        await self._live.close()

    async def page(self, request: Request, attempt: SignIn) -> Response:
        """Where the attempt stands, for whoever may know."""
        if attempt.state == "waiting":
            minutes = round(self._sign_ins.settings.open / 60)
            return self._shown("start.html", attempt=attempt, here=request.url.path, minutes=minutes)
        if not is_holder(request, attempt):
            return self._over(_USED, 410)
        if attempt.over:
            return self._over(attempt.message, connected=attempt.state == "connected", site=attempt.site.name)
        token = self._signer.sign(LIVE, attempt.id, expires=int(attempt.expires), rights=[CONTROL])
        left = max(0, round(attempt.expires - time.time()))
        live = f"/sign-in/live/{token}"
        return self._shown("browser.html", attempt=attempt, here=request.url.path, live=live, left=left)

    async def start(self, request: Request, attempt: SignIn) -> Response:
        """Opens the browser for the person who asks first."""
        form = await request.form()
        sides = {name: side(form.get(name), *limits) for name, limits in _SIDES.items()}
        viewport = Viewport(sides["width"] or _VIEWPORT.width, sides["height"] or _VIEWPORT.height)
        claim = self._sign_ins.start(attempt, viewport)
        back = request.url.path.removesuffix("/start")
        answer = RedirectResponse(back, 303)
        answer.set_cookie(
            COOKIE,
            claim,
            path=back,
            httponly=True,
            samesite="strict",
            secure=is_secure(request, self._public_url),
        )
        return answer

    async def cancel(self, request: Request, attempt: SignIn) -> Response:
        """Ends the attempt, opened or not."""
        if attempt.state == "waiting" or is_holder(request, attempt):
            await self._sign_ins.cancel(attempt)
            return self._over(attempt.message)
        return self._over(_USED, 410)

    def _of_attempt(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """The handler with the attempt that the link is for; what goes wrong is a page too."""

        async def endpoint(request: Request) -> Response:
            attempt = self._sign_ins.named(request.path_params["token"])
            if attempt is None:
                return self._over(_UNKNOWN, 404)
            try:
                if request.method == "POST":
                    make_sure_ours(request, self._public_url)
                return guarded(await handler(request, attempt))
            except Failure as failure:
                return self._over(failure.message, status_of(failure))

        return endpoint

    def _over(self, message: str, status: int = 200, *, connected: bool = False, site: str = "") -> Response:
        return self._shown("over.html", status, message=message, connected=connected, site=site)

    def _shown(self, name: str, status: int = 200, **context: object) -> Response:
        return guarded(HTMLResponse(self._templates.get_template(name).render(**context), status))


def is_holder(request: Request, attempt: SignIn) -> bool:
    """Whether the request comes from the browser that opened the page."""
    return bool(attempt.claim) and secrets.compare_digest(
        request.cookies.get(COOKIE, "").encode(), attempt.claim.encode()
    )


def side(given: object, least: int, most: int) -> int | None:
    """A side of the person's own window in CSS pixels, kept within reason; None: it was not told."""
    try:
        return min(most, max(least, int(str(given))))
    except ValueError:
        return None
