"""Looks at a person's browser, again and again, until the site shows that the right person is logged in."""

from __future__ import annotations

import contextlib
import time
from asyncio import timeout

from agent.lite.untrusted import plain
from agent.sign_in import Guest
from agent.signs import Sight, same
from server.sign_in.attempt import SignIn
from tools.errors import BrowserFailed

LOOK_S = 0.5
WHO_S = 3.0
"""After so long a page that shows somebody logged in, but not whom, is left for the home page."""
NAMELESS_S = 15.0
"""After so long a login without a name is taken as it is."""
NOTE_S = 8.0
_NAME = 100


class SignInWatch:
    """Watches one attempt. `lost`: a person whose page has been closed for so long (seconds) has given up."""

    def __init__(self, attempt: SignIn, guest: Guest, lost: float) -> None:
        self._attempt = attempt
        self._guest = guest
        self._site = attempt.site
        self._lost = lost
        self._seen_at = time.monotonic()
        self._nameless_since = 0.0
        self._went_home = False
        self._note_until = 0.0

    async def signed_in(self) -> bool:
        """True when the right person is in; False when nobody watches any more. Raises BrowserFailed or Unreachable."""
        while not self._deserted():
            if self._attempt.impatient.is_set():
                await self._hurry()
            if await self._is_right(await self._guest.look()):
                return True
            if not self._guest.alive:
                raise BrowserFailed("The browser has died.")
            with contextlib.suppress(TimeoutError):
                async with timeout(LOOK_S):
                    await self._attempt.impatient.wait()
        return False

    def _deserted(self) -> bool:
        if self._attempt.people:
            self._seen_at = time.monotonic()
        return time.monotonic() - self._seen_at > self._lost

    async def _hurry(self) -> None:
        """The person says that they are in: the home page knows."""
        self._attempt.impatient.clear()
        await self._guest.open_home()
        self._note_until = time.monotonic() + NOTE_S

    async def _is_right(self, sight: Sight) -> bool:
        """Whether a login is complete and the right person's; the person is told what else is wrong."""
        if "logged_in" not in sight or {"challenge", "suspended"} & sight.conditions:
            self._nameless_since, self._went_home = 0.0, False
            self._attempt.tell(self._obstacle(sight))
            return False
        who = plain(sight.who, _NAME) if sight.who else None
        if who is None and self._site.who is not None and not await self._may_be_nameless():
            return False
        wanted = self._attempt.identity
        if wanted is not None and (who is None or not same(wanted, who)):
            self._attempt.tell(
                f"{self._site.name} shows {who or 'somebody'} signed in, but this account is {wanted}. "
                f"Log out there, and sign in as {wanted}."
            )
            return False
        self._attempt.who = who
        return True

    def _obstacle(self, sight: Sight) -> str:
        """What keeps the person from being signed in, as far as it needs saying."""
        name = self._site.name
        if "suspended" in sight:
            return f"{name} has locked or limited this account: see what it says there."
        if self._guest.blocked:
            return f"{self._guest.blocked} is outside {name} and cannot be opened here: sign in another way."
        if "logged_in" not in sight and time.monotonic() < self._note_until:
            return f"{name} does not show yet that you are signed in."
        return ""

    async def _may_be_nameless(self) -> bool:
        """Whether the site had its chance to say who is logged in: here, and on its home page."""
        now = time.monotonic()
        self._nameless_since = self._nameless_since or now
        if now - self._nameless_since > WHO_S and not self._went_home:
            self._went_home = True
            await self._guest.open_home()
        return now - self._nameless_since > NAMELESS_S
