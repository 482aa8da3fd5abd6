"""Logging in by a site's own form, for accounts that have credentials instead of a stored login."""

from __future__ import annotations

import asyncio
import binascii
import time
from collections.abc import Awaitable, Callable
from functools import reduce
from urllib.parse import urlsplit

import pyotp
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Locator, Page

from agent.domains import covers
from agent.engine import Login, Reason
from agent.lite.finder import Finder
from agent.lite.navigation import go, keep_gap
from agent.lite.untrusted import plain
from agent.lite.watch import Detour
from tools.errors import AuthenticationFailed, BrowserFailed, WrongPage
from tools.site import LoginForm

CODE_SECONDS_LEFT = 3.0
"""A one-time code that is about to expire is not sent."""
ANSWER_SECONDS = 2.0
LOOK_SECONDS = 0.2
REFUSED_SECONDS = 1.5
"""For so long a form may still stand there after the site has answered it."""

Ask = Callable[[Reason, str], Awaitable[None]]


class Entrance:
    """One attempt to log in. `ask` pauses the run until a person has done what the message says."""

    def __init__(self, at: Finder, login: Login, form: LoginForm, ask: Ask) -> None:
        self._at = at
        self._login = login
        self._form = form
        self._ask = ask
        self._coded = False
        self._ms = 1000 * at.watch.patience.act
        self._account = f"the account '{plain(login.account_name, 60)}'"

    async def enter(self) -> None:
        """Logs in. Raises AuthenticationFailed, BrowserFailed, or what the site's signs mean."""
        credentials = self._login.credentials or {}
        if not await self._at.shows(self._form.username):
            await self._open()
        self._check_place()
        answered = Answered(self._at)
        try:
            await self._type(self._form.username, credentials.get("username", ""))
            await self._type(self._form.password, credentials.get("password", ""))
            await self._submit()
            await self._get_in(answered)
        except PlaywrightError:
            if not await self._page_answers():
                raise BrowserFailed from None  # a login that nobody refused is not to be given up
            raise AuthenticationFailed(
                f"The login form of {self._at.watch.site.name} did not work: reconnect {self._account}"
            ) from None  # Playwright's own text holds what was typed
        finally:
            answered.close()

    async def _page_answers(self) -> bool:
        """Whether the browser, and the page's own thread, still answer."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._at.watch.page.evaluate("0")
        except (PlaywrightError, TimeoutError):
            return False
        return True

    def _check_place(self) -> None:
        """Credentials are typed on the site's own pages only."""
        host = urlsplit(self._at.origins.document(self._at.page.url)).hostname or ""
        if not any(covers(pattern, host) for pattern in self._at.watch.site.hosts):
            raise WrongPage(f"{self._at.watch.site.name} led to {plain(host, 100)} instead of its login page")

    async def _open(self) -> None:
        """Opens the login page; being logged out there is no news."""
        try:
            await go(self._at, self._at.origins.resolve(self._at.watch.site.login_url, self._at.watch.site))
        except Detour as detour:
            if detour.kind != "login":
                raise

    async def _type(self, selector: str | tuple[str, ...], text: str) -> None:
        field = reduce(Locator.or_, self._at.every(selector)).first
        await field.fill(text, timeout=self._ms)

    async def _submit(self) -> None:
        await keep_gap(self._at)
        await reduce(Locator.or_, self._at.every(self._form.submit)).first.click(timeout=self._ms)

    async def _get_in(self, answered: Answered) -> None:
        """Waits for the site to let us in; sends the one-time code that it may ask for."""
        while not answered.long_ago(self._at.watch.patience.login):
            if self._form.otp is not None and not self._coded and await self._at.shows(self._form.otp):
                await self._send_code()
                answered.again()
            try:
                if "logged_in" in await self._at.watch.check():
                    return
            except Detour as detour:
                if detour.kind == "challenge":
                    await self._ask("challenge", f"{detour} Solve it in the live view, then continue.")
                    answered.again()
            await asyncio.sleep(LOOK_SECONDS)
        raise AuthenticationFailed(
            f"{self._at.watch.site.name} did not let {self._account} in: check its user name and password, and reconnect it"
        )

    async def _send_code(self) -> None:
        """Types the one-time code, or lets a person do it where we hold no secret for it."""
        self._coded = True
        secret = (self._login.credentials or {}).get("totp_secret")
        if not secret:
            await self._ask("two_factor", f"{self._at.watch.site.name} asks {self._account} for a one-time code.")
            return
        try:
            code = pyotp.TOTP(secret.replace(" ", ""))
            left = code.interval - time.time() % code.interval
            if left < CODE_SECONDS_LEFT:
                await asyncio.sleep(left)
            now = code.now()
        except (binascii.Error, ValueError):
            raise AuthenticationFailed(f"The secret for one-time codes of {self._account} is not base32") from None
        if self._form.otp is not None:
            await self._type(self._form.otp, now)
            await self._submit()


class Answered:
    """Notices that the site has answered a form, with a new page that does not let us in, or not at all."""

    def __init__(self, at: Finder) -> None:
        self._page = at.page
        self._loop = asyncio.get_running_loop()
        self._sent = self._loop.time()
        self._loaded: float | None = None
        self._page.on("domcontentloaded", self._on_load)

    def _on_load(self, _: Page) -> None:
        self._loaded = self._loop.time()

    def again(self) -> None:
        """A new form was sent."""
        self._sent, self._loaded = self._loop.time(), None

    def long_ago(self, patience: float) -> bool:
        """Whether its answer has stood there for a while, or none came in time (seconds)."""
        now = self._loop.time()
        return now - self._sent > patience or (self._loaded is not None and now - self._loaded > REFUSED_SECONDS)

    def close(self) -> None:
        """Stops noticing."""
        self._page.remove_listener("domcontentloaded", self._on_load)
