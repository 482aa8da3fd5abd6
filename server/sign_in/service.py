"""Signing accounts in: a one-time link to a page with a live browser at the platform's login. And looking whether a login holds.

An attempt lives in the process that made its link. Nothing of its browser is left but the login, in the vault.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from agent.engine import Viewport
from agent.lite.untrusted import plain
from server.accounts import AccountService
from server.auth import Caller
from server.sign_in.attempt import SignIn
from server.signing import Signer
from storage.tables import Account
from tools.catalog import Catalog
from tools.errors import (
    AccountSuspended,
    AuthenticationFailed,
    Conflict,
    Failure,
    Internal,
    RateLimited,
    TimedOut,
)

if TYPE_CHECKING:  # Playwright is imported with the first browser: a server that never opens one starts faster
    from agent.sign_in import Guest, LoginBrowsers

PURPOSE = "sign-in"
_CHECK_S = 90.0
_CHECKS = 2
_BUSY_S = 60
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SignInSettings:
    """How sign-in pages behave. Durations in seconds."""

    open: float = 600
    """A link may wait for so long to be opened, and its browser then runs for as long."""
    lost: float = 60
    """A browser whose page is not open any more ends after so long."""
    kept: float = 600
    """For so long the page says how it ended."""
    at_once: int = 3
    """Browsers that may be open at once."""


class SignInService:
    """Sign-ins and checks, as every facade sees them. `browsers` is called when the first one is needed."""

    def __init__(
        self,
        accounts: AccountService,
        catalog: Catalog,
        signer: Signer,
        public_url: str,
        browsers: Callable[[], LoginBrowsers],
        settings: SignInSettings | None = None,
    ) -> None:
        self.settings = settings or SignInSettings()
        self._accounts = accounts
        self._catalog = catalog
        self._signer = signer
        self._public_url = public_url
        self._make_browsers = browsers
        self._browsers: LoginBrowsers | None = None
        self._attempts: dict[str, SignIn] = {}
        self._checks = asyncio.Semaphore(_CHECKS)

    async def begin(self, caller: Caller, account_id: str) -> str:
        """A one-time link at which a person signs the account in. It ends the account's earlier one. Raises AccountNotFound."""
        caller.need("write")
        account = await self._accounts.mine(caller, account_id)
        earlier = self.of(account_id)
        if earlier is not None:
            await _stop(earlier, "A newer link was made for this account: use that one.")
        attempt = SignIn(
            account_id=account.id,
            account_name=account.name,
            site=self._catalog.site(account.platform),
            identity=account.identity,
            expires=time.time() + self.settings.open,
        )
        self._attempts[attempt.id] = attempt
        return self.link(attempt)

    async def allow(self, caller: Caller, attempt: SignIn) -> None:
        """Raises AccountNotFound where the attempt's account is somebody else's."""
        await self._accounts.get(caller, attempt.account_id)

    def link(self, attempt: SignIn) -> str:
        """The attempt's one-time link."""
        # The token outlives link and browser, so that the page can say how it ended.
        ends = attempt.expires + self.settings.open + self.settings.kept
        return f"{self._public_url}/sign-in/{self._signer.sign(PURPOSE, attempt.id, expires=int(ends))}"

    def of(self, account_id: str) -> SignIn | None:
        """The account's present or last attempt, as long as it is known."""
        self._sweep()
        attempts = reversed(self._attempts.values())
        return next((one for one in attempts if one.account_id == account_id), None)

    def find(self, attempt_id: str) -> SignIn | None:
        """The attempt of that id, as long as it is known."""
        self._sweep()
        return self._attempts.get(attempt_id)

    def named(self, token: str) -> SignIn | None:
        """The attempt that a link's token is for."""
        signed = self._signer.verify(PURPOSE, token)
        return self.find(signed.subject) if signed is not None else None

    def start(self, attempt: SignIn, viewport: Viewport) -> str:
        """Opens the browser. Returns the claim by which its page is known again. Raises Conflict or RateLimited."""
        if attempt.state != "waiting":
            message = "This link was used already: ask for a new one."
            raise Conflict(message)
        if sum(one.state == "open" for one in self._attempts.values()) >= self.settings.at_once:
            message = "Too many people are signing in right now: try again in a minute."
            raise RateLimited(message, retry_after=_BUSY_S)
        attempt.state, attempt.claim = "open", secrets.token_urlsafe(24)
        attempt.expires = time.time() + self.settings.open
        attempt.job = job = asyncio.create_task(self._run(attempt, viewport), name=attempt.id)
        job.add_done_callback(lambda done: _broke(attempt, done))
        return attempt.claim

    async def cancel(self, attempt: SignIn) -> None:
        """The person does not want to; returns when the browser is gone."""
        await _stop(attempt, "You cancelled it: the account is as it was before.")

    async def forget(self, account_id: str) -> None:
        """The account is gone, and so is its attempt."""
        attempt = self.of(account_id)
        if attempt is not None:
            await _stop(attempt, "The account was deleted.")

    async def check(self, caller: Caller, account_id: str) -> Account:
        """Opens the site with the account's login: it becomes `active` when that holds, else `error` with a code.

        Raises AccountNotFound, Conflict where there is no login yet, and what kept us from finding out: SITE_UNREACHABLE,
        CHALLENGE_REQUIRED, RATE_LIMITED, PAGE_CHANGED, BROWSER_FAILED, TIMEOUT. The account is then as it was before.
        """
        caller.need("write")
        account = await self._accounts.mine(caller, account_id)
        login = self._accounts.login(account)
        if not login.state and not login.credentials:
            message = f"Account '{account.name}' has no login yet: sign in first."
            raise Conflict(message, details={"accountId": account_id})
        site = self._catalog.site(account.platform)
        try:
            async with self._checks, asyncio.timeout(_CHECK_S):
                state, who = await self._open_browsers().check(site, login)
        except (AuthenticationFailed, AccountSuspended) as failure:
            await self._accounts.broke(account.id, failure.code, failure.message)
        except TimeoutError:
            message = f"{site.name} was too slow to be checked: try again."
            raise TimedOut(message) from None
        else:
            await self._accounts.holds(account.id, state, plain(who, 100) if who else None)
        return await self._accounts.mine(caller, account_id)

    async def close(self) -> None:
        """Ends every attempt and browser."""
        for attempt in list(self._attempts.values()):
            await _stop(attempt, "The server was stopped.")
        if self._browsers is not None:
            await self._browsers.close()

    async def _run(self, attempt: SignIn, viewport: Viewport) -> None:
        """Carries an attempt to its end."""
        try:
            async with asyncio.timeout(self.settings.open):
                async with self._open_browsers().guest(attempt.site, viewport) as guest:
                    await self._accompany(attempt, guest)
        except TimeoutError:
            attempt.end("expired", "The time is over, and nobody had signed in: ask for a new link.")
        except Failure as failure:
            attempt.end("failed", f"{failure.message.rstrip('.')}. Ask for a new link.")

    async def _accompany(self, attempt: SignIn, guest: Guest) -> None:
        """Shows the browser to the person until they are signed in, or gone. The end is told before the browser has closed."""
        from server.sign_in.watch import SignInWatch  # it looks through Playwright

        attempt.show(guest.window)
        try:
            await guest.open_login()
            if not await SignInWatch(attempt, guest, self.settings.lost).signed_in():
                attempt.end("cancelled", "The page was closed: the account is as it was before.")
                return
            await self._accounts.signed_in(attempt.account_id, await guest.state(), attempt.who)
            attempt.end("connected", f"You are connected as {attempt.who}." if attempt.who else "You are connected.")
        finally:
            attempt.show(None)

    def _sweep(self) -> None:
        """Lets links end that nobody opened, and forgets what ended long ago."""
        now = time.time()
        for attempt in list(self._attempts.values()):
            if attempt.state == "waiting" and attempt.expires < now:
                attempt.end("expired", "This link has expired: ask for a new one.")
            if attempt.over and attempt.ended_at + self.settings.kept < now:
                del self._attempts[attempt.id]

    def _open_browsers(self) -> LoginBrowsers:
        if self._browsers is None:
            self._browsers = self._make_browsers()
        return self._browsers


async def _stop(attempt: SignIn, message: str) -> None:
    """Cancels an attempt; returns when its browser is gone."""
    attempt.end("cancelled", message)
    if attempt.job is not None:
        attempt.job.cancel()
        await asyncio.gather(attempt.job, return_exceptions=True)


def _broke(attempt: SignIn, job: asyncio.Task[None]) -> None:
    """A defect must not leave the page waiting for ever."""
    if not job.cancelled() and (error := job.exception()) is not None:
        _log.error("sign_in.broke", attempt=attempt.id, exc_info=error)
        attempt.end("failed", Internal().message)
