"""Browsers in which people sign in, and logins are looked at: a Chromium apart from the tasks', gone with its last user."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from playwright.async_api import Dialog, Page, Response
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from agent.domains import covers
from agent.engine import Login, Viewport, Window
from agent.lite.finder import Finder
from agent.lite.login import Entrance
from agent.lite.navigation import go, unreachable
from agent.lite.pool import SharedChromium
from agent.lite.signs import Lookout
from agent.lite.untrusted import plain
from agent.lite.watch import Detour, Patience, Watch
from agent.origins import Origins
from agent.rooms import Furnishing, Room, Rooms
from agent.signs import Sight
from agent.wall import Wall
from tools.errors import AuthenticationFailed, BrowserFailed, ChallengeRequired, PageChanged, Unreachable
from tools.site import Site

LOAD_MS = 30_000
STATE_SECONDS = 10.0
NOTHING = Sight(frozenset(), None)

State = Mapping[str, Any]


class LoginBrowsers:
    """Opens browsers at a platform's own pages, each in a context of its own behind a gate of the site's hosts.

    `find` answers the program, or raises BrowserFailed. `folder`: the run folder. `private_network`: whether a platform's hosts may
    lead to private addresses.
    """

    def __init__(
        self,
        find: Callable[[], Path],
        folder: Path,
        origins: Origins,
        *,
        sandbox: bool | None = None,
        private_network: bool = False,
        patience: Patience | None = None,
    ) -> None:
        self._pool = SharedChromium(find, folder, sandbox=sandbox)
        self._rooms = Rooms(self._pool, ahead=False)
        self._origins = origins
        self._private = private_network
        self._patience = patience or Patience()
        self._users = 0
        self._turn = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def guest(self, site: Site, viewport: Viewport) -> AsyncGenerator[Guest]:
        """A browser for a person, with nobody logged in. Raises BrowserFailed."""
        async with self._room(site, viewport, None) as room:
            yield Guest(room, site, self._origins)

    async def check(self, site: Site, login: Login) -> tuple[State, str | None]:
        """Opens the site with a login, and logs in with its credentials where that is needed and possible.

        Returns the storage state and who is logged in. Raises AuthenticationFailed or AccountSuspended when the login does not
        hold, and another Failure when that could not be found out.
        """
        async with self._room(site, Viewport(), login.state) as room:
            try:
                return await Check(room, site, login, self._origins, self._patience).run()
            except PlaywrightError:
                raise BrowserFailed from None  # its text may hold what was typed

    async def close(self) -> None:
        """Ends every browser, and Playwright's own process. It may be used again afterwards."""
        await self._rooms.close()
        await self._pool.close()

    @contextlib.asynccontextmanager
    async def _room(self, site: Site, viewport: Viewport, state: State | None) -> AsyncGenerator[Room]:
        wall = Wall(site.hosts, private=self._private, opened=self._origins.opened(site.hosts))
        async with self._turn:
            self._users += 1
        try:
            async with self._rooms.room(Furnishing(viewport, site.locale, site.timezone), wall, state=state) as room:
                yield room
        finally:
            async with self._turn:
                self._users -= 1
                if not self._users:
                    await self.close()


class Guest:
    """A person's browser: what it shows is for the live view, where it stands with the site is looked at from here."""

    def __init__(self, room: Room, site: Site, origins: Origins) -> None:
        self._room = room
        self._site = site
        self._origins = origins
        self._lookouts: dict[Page, Lookout] = {}
        # A listener that does nothing leaves dialogs to the person; without one Playwright dismisses them.
        room.context.on("dialog", leave)

    @property
    def window(self) -> Window:
        """The browser, for the live view."""
        return self._room.window

    @property
    def alive(self) -> bool:
        """Whether its Chromium still runs."""
        return self._room.warm.chromium.alive

    @property
    def blocked(self) -> str | None:
        """The host that the page in front wanted to go to and may not."""
        host = urlsplit(self._front.url).hostname or "" if self._pages else ""
        return plain(host, 100) if host in self._room.gate.blocked else None

    async def open_login(self) -> None:
        """Opens the login page. Raises Unreachable or BlockedByWall."""
        await self._open(self._site.login_url)

    async def open_home(self) -> None:
        """Opens the home page, which says who is logged in. Raises Unreachable or BlockedByWall."""
        await self._open("/")

    async def look(self) -> Sight:
        """What the site's pages show: of several, one that shows somebody logged in."""
        sights = [await self._look(page) for page in self._pages if self._is_sites(page)]
        return next((sight for sight in reversed(sights) if "logged_in" in sight), sights[-1] if sights else NOTHING)

    async def state(self) -> State:
        """The storage state: cookies, and what the site keeps in the browser. Raises BrowserFailed."""
        try:
            async with asyncio.timeout(STATE_SECONDS):
                return cast("State", await self._room.context.storage_state())
        except (PlaywrightError, TimeoutError):
            raise BrowserFailed("The login could not be read out of the browser: try again") from None

    @property
    def _pages(self) -> list[Page]:
        return [page for page in self._room.context.pages if not page.is_closed()]

    @property
    def _front(self) -> Page:
        return self._pages[-1]

    def _is_sites(self, page: Page) -> bool:
        host = urlsplit(self._origins.document(page.url)).hostname or ""
        return any(covers(pattern, host) for pattern in self._site.hosts)

    async def _look(self, page: Page) -> Sight:
        lookout = self._lookouts.get(page)
        if lookout is None:
            lookout = self._lookouts[page] = Lookout(page, self._site, self._origins)
        try:
            return await lookout.look()
        except (PlaywrightError, BrowserFailed):
            return NOTHING  # it is on its way to another page, shows a dialog, or was closed

    async def _open(self, url: str) -> None:
        url, gate = self._origins.resolve(url, self._site), self._room.gate
        page = self._front if self._pages else await self._room.context.new_page()
        before = len(gate.blocked)
        try:
            answer: Response | None = await page.goto(url, wait_until="domcontentloaded", timeout=LOAD_MS)
        except PlaywrightTimeoutError:
            raise Unreachable(f"{self._site.name} did not answer within {LOAD_MS // 1000} seconds") from None
        except PlaywrightError as error:
            if "interrupted by another navigation" in error.message:
                return
            raise unreachable(gate, url, error.message, before) from None
        if answer is not None and answer.status >= 500:
            raise Unreachable(f"{self._site.name} answered with status {answer.status}")


class Check:
    """One look at a login."""

    def __init__(self, room: Room, site: Site, login: Login, origins: Origins, patience: Patience) -> None:
        self._room = room
        self._site = site
        self._login = login
        self._origins = origins
        lookout = Lookout(room.page, site, origins)
        self._watch = Watch(room.page, site, lookout, login=login, patience=patience, session=room.session)
        self._at = Finder(self._watch, origins, {}, room.gate)

    async def run(self) -> tuple[State, str | None]:
        """The storage state and who is logged in; raises as LoginBrowsers.check."""
        try:
            await self._open()
        except Detour as detour:
            if detour.kind == "challenge":
                raise ChallengeRequired(f"{detour} Reconnect the account, and deal with it there.") from None
            await self._enter(detour)
        return cast("State", await self._room.context.storage_state()), self._watch.identity

    async def _open(self) -> None:
        """Opens the home page and waits until it says who is logged in."""
        await go(self._at, self._origins.resolve("/", self._site))
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._watch.patience.element
        while not (self._watch.logged_in and (self._watch.identity or self._site.who is None)):
            if loop.time() >= ends:
                if self._watch.logged_in:
                    return
                raise PageChanged(f"{self._site.name} does not show whether anybody is logged in")
            await asyncio.sleep(0.2)
            await self._watch.check()

    async def _enter(self, detour: Detour) -> None:
        """Logs in with the credentials, where there are any."""
        form = self._site.login_form
        if form is None or not self._login.credentials:
            name = plain(self._login.account_name, 60)
            raise AuthenticationFailed(f"{detour} Reconnect the account '{name}'.") from None
        await Entrance(self._at, self._login, form, nobody).enter()
        try:
            await self._open()
        except Detour as again:
            raise AuthenticationFailed(f"{again} Reconnect the account.") from None


async def nobody(_reason: object, message: str) -> None:
    """There is nobody to ask."""
    raise ChallengeRequired(f"{message} Sign the account in on its page instead.")


def leave(_dialog: Dialog) -> None:
    """Leaves a dialog open."""
