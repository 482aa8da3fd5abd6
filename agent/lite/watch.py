"""Keeps watch while a playbook is played: what a site's signs mean for the run, and waiting that notices them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from playwright.async_api import Page
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from agent.answers import RATE_SECONDS
from agent.engine import Login
from agent.lite.pool import Session
from agent.lite.signs import Lookout
from agent.lite.untrusted import plain
from agent.signs import Sight, Tenure, same
from tools.errors import AccountSuspended, AuthenticationFailed, PageChanged, RateLimited
from tools.patience import seconds_to_wait
from tools.site import Site

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long a run waits (seconds)."""

    navigation: float = 30.0
    element: float = 15.0
    act: float = 10.0
    """For an element that is there to be ready for a click or text."""
    glance: float = 1.5
    """For an element before the page is searched for signs that say why it does not come."""
    identity: float = 5.0
    login: float = 20.0
    proofs: int = 2
    """How often the proof is tried: what was just published may take a moment to show."""
    between_proofs: float = 2.0


class Detour(Exception):
    """The run needs a person or a login before it can go on."""

    def __init__(self, kind: Literal["challenge", "login"], message: str) -> None:
        super().__init__(message)
        self.kind: Literal["challenge", "login"] = kind


class Missing(Exception):
    """What was waited for did not come."""


@dataclass
class Watch:
    """What is known of the run's standing. `login` None: the tool needs no account, so nobody has to be logged in.

    `acted`: the publishing act went out; from then on only a challenge stops the run, everything else is left to the proof.
    `session`: of the page, by which its endless scripts are stopped; None: they are not.
    """

    page: Page
    site: Site
    lookout: Lookout
    login: Login | None = None
    patience: Patience = field(default_factory=Patience)
    session: Session | None = None
    acted: bool = False
    identity: str | None = None
    logged_in: bool = False
    tenure: Tenure = field(default_factory=Tenure)

    async def check(self) -> Sight:
        """Looks for signs, and raises what they mean: a Failure, or a Detour."""
        sight = await self.lookout.look()
        if "challenge" in sight:
            raise Detour("challenge", f"{self.site.name} asks for a person.")
        if self.acted:
            return sight
        if "suspended" in sight:
            raise AccountSuspended(f"{self.site.name} has locked or limited {self._account}: sort it out there first")
        if "rate" in sight:
            wait = seconds_to_wait(self.lookout.headers.get("retry-after"))
            raise RateLimited(f"{self.site.name} asks to slow down", retry_after=wait or RATE_SECONDS)
        if self.login is not None:
            self._check_login(self.login, sight)
        return sight

    def _check_login(self, login: Login, sight: Sight) -> None:
        if "logged_out" in sight and "logged_in" not in sight:
            raise Detour("login", f"{self.site.name} shows that {self._account} is not logged in.")
        if not self.tenure.holds(sight):
            raise AuthenticationFailed(
                f"The login at {self.site.name} changed under the open page, so nothing was published as {self._account}: reconnect it"
            )
        self.logged_in = self.logged_in or "logged_in" in sight
        if sight.who is None:
            return
        self.identity = sight.who
        if login.identity is not None and not same(login.identity, sight.who):
            raise AuthenticationFailed(
                f"{self.site.name} shows {plain(sight.who, 60)} logged in, but {self._account} is"
                f" {plain(login.identity, 60)}: reconnect it"
            )

    @property
    def _account(self) -> str:
        return f"the account '{plain(self.login.account_name, 60)}'" if self.login else "this browser"

    async def until(self, attempt: Callable[[float], Awaitable[T]], seconds: float) -> T:
        """Repeats an attempt (given milliseconds) until it succeeds; raises what the page's signs mean, or Missing."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        piece = self.patience.glance
        while True:
            try:
                return await attempt(1000 * max(0.25, min(piece, ends - loop.time())))
            except (PlaywrightTimeoutError, AssertionError, TimeoutError):
                await self.check()
                if loop.time() >= ends:
                    raise Missing from None
                piece *= 2

    async def wait_for_challenge(self, ms: float) -> None:
        """Gives a site that announced a challenge the time to show it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ms / 1000):
                while "challenge" not in await self.lookout.look():  # noqa: ASYNC110  # it happens in the page
                    await asyncio.sleep(0.1)

    async def make_sure_who(self) -> None:
        """Before anything is published: the page must have said who is logged in, where the site has a place for that."""
        if self.login is None or self.site.who is None or self.acted:
            return
        loop = asyncio.get_running_loop()
        ends = loop.time() + self.patience.identity
        while (await self.check()).who is None:
            if loop.time() >= ends:
                raise PageChanged(f"{self.site.name} does not show who is logged in, so nothing was published")
            await asyncio.sleep(0.2)
