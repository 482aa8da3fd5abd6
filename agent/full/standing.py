"""Where the agent's page stands, by the platform's own signs: asked before each step, and before anything is published."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, Literal

from agent.answers import RATE_SECONDS
from agent.cdp import Gone, Refused
from agent.engine import Login
from agent.full.watch import Watch
from agent.lite.untrusted import plain
from agent.origins import Origins
from agent.signs import LOOK, Sight, SiteSigns, Tenure, same
from tools.errors import AccountSuspended, AuthenticationFailed, PageChanged, RateLimited
from tools.site import Site

LOOK_SECONDS = 2.0
LASTING_LOOKS = 6
BETWEEN_LOOKS = 0.5
LONGEST_NAME = 60


class Standing:
    """What one platform's pages say. `login` None: the tool needs no account. `named`: what was seen when a page last named the member."""

    def __init__(self, site: Site, origins: Origins, watch: Watch, login: Login | None) -> None:
        self.site = site
        self.signs = SiteSigns(site, origins)
        self.watch = watch
        self.login = login
        self.named: Sight | None = None
        self.tenure = Tenure()

    @property
    def identity(self) -> str | None:
        """Who was last seen logged in."""
        return self.named.who if self.named else None

    async def make_sure_who(self, target: str) -> None:
        """Before anything leaves that publishes: the login must still be the account's. Raises what else it is, or PageChanged.

        A tab that does not name the member, or does not answer, is taken by the name and the session cookies of the last that did.
        """
        if self.login is None or self.site.who is None:
            return
        sight = await self.look(target)
        if sight is not None:
            self.check(sight)
        known = self.named is not None and (sight is None or sight.session == self.named.session != frozenset())
        if not known and (sight is None or sight.who is None):
            raise PageChanged(f"{self.site.name} does not show who is logged in, so nothing was published")

    async def wants(self, target: str, *, acted: bool) -> Literal["challenge", "sign_in"] | None:
        """Looks at that tab, and answers what a person is wanted for there.

        Raises AccountSuspended, RateLimited or AuthenticationFailed, unless the publishing act went out: then the proof decides.
        """
        sight = await self.look(target)
        if sight is None:
            return None
        if not acted:
            self.check(sight)
            if self.logged_out(sight) and await self.stays_logged_out(target):
                return "sign_in"
        return "challenge" if "challenge" in sight else None

    def check(self, sight: Sight) -> None:
        """Raises what the signs mean."""
        if "suspended" in sight:
            raise AccountSuspended(f"{self.site.name} has locked or limited {self.account}: sort it out there first")
        if "rate" in sight:
            raise RateLimited(f"{self.site.name} asks to slow down", retry_after=RATE_SECONDS)
        login = self.login
        if login is None:
            return
        if not self.tenure.holds(sight):
            raise AuthenticationFailed(
                f"The login at {self.site.name} changed under the open page, so nothing was published as {self.account}: reconnect it"
            )
        if login.identity is not None and sight.who is not None and not same(login.identity, sight.who):
            shown, wanted = plain(sight.who, LONGEST_NAME), plain(login.identity, LONGEST_NAME)
            raise AuthenticationFailed(
                f"{self.site.name} shows {shown} logged in, but {self.account} is {wanted}: reconnect it"
            )

    @property
    def can_log_in(self) -> bool:
        """Whether the agent has something to log in with."""
        return self.login is not None and bool(self.login.credentials)

    def logged_out(self, sight: Sight) -> bool:
        """Whether it shows nobody logged in, and the agent has nothing to log in with."""
        wanted = self.login is not None and not self.can_log_in
        return wanted and "logged_out" in sight and "logged_in" not in sight

    async def stays_logged_out(self, target: str) -> bool:
        """Whether that lasts: many a site shows its login for a moment, until its scripts have found the member."""
        for _ in range(LASTING_LOOKS):
            await asyncio.sleep(BETWEEN_LOOKS)
            sight = await self.look(target)
            if sight is None or not self.logged_out(sight):
                return False
        return True

    async def look(self, target: str) -> Sight | None:
        """What that tab shows; None while it is between two pages, or not the site's to ask."""
        session = next((session for session, tab in self.watch.pages.items() if tab == target), None)
        if session is None:
            return None
        asked = {"expression": f"({LOOK})({json.dumps(self.signs.asked)})", "returnByValue": True}
        with suppress(Gone, Refused, TimeoutError):
            answer = await self.watch.cdp.call("Runtime.evaluate", asked, session, seconds=LOOK_SECONDS)
            looked: Any = answer["result"].get("value")
            if not looked:
                return None
            cookies = self.signs.jar(await self.watch.cookies()) if self.signs.wants_cookies else {}
            sight = self.signs.read(looked, looked["url"], looked["status"], cookies)
            self.named = sight if sight.who else self.named
            return sight
        return None

    @property
    def account(self) -> str:
        """The account, for a message."""
        return f"the account '{plain(self.login.account_name, LONGEST_NAME)}'" if self.login else "this browser"
