"""Looks at a page of Playwright's for its site's signs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, cast

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, Response

from agent.origins import Origins
from agent.signs import LOOK, Looked, Sight, SiteSigns, candidates
from tools.errors import BrowserFailed
from tools.site import Site, Who

LOOK_SECONDS = 30.0
"""Longer than an endless script runs until it is stopped."""
TRIES = 5


class Lookout:
    """Looks at a page for its site's signs, in one round trip where it can.

    `landed` tells it the answer to the page's own request, for signs that are HTTP statuses.
    """

    def __init__(self, page: Page, site: Site, origins: Origins) -> None:
        self._page = page
        self._site = site
        self._signs = SiteSigns(site, origins)
        self._landed = ""
        self._status = 0
        self.headers: dict[str, str] = {}

    def landed(self, response: Response | None) -> None:
        """Remembers the status and headers of the page's own answer."""
        self._landed = self._page.url
        self._status = response.status if response else 0
        self.headers = response.headers if response else {}

    async def look(self) -> Sight:
        """What holds now. Raises BrowserFailed when the page does not answer."""
        looked, cookies = await asyncio.gather(self._ask(), self._jar())
        url = self._page.url
        return self._signs.read(looked, url, self._status if url == self._landed else 0, cookies)

    async def _ask(self) -> Looked:
        """Asks the page; again when a navigation took its context away under the question."""
        for left in reversed(range(TRIES)):
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    looked = cast("Looked", await self._page.evaluate(LOOK, self._signs.asked))
                    return await self._complete(looked, self._site.who)
            except TimeoutError:
                raise BrowserFailed("The page froze: try again") from None
            except PlaywrightError:
                if not left or self._page.is_closed():
                    raise
                await self._page.wait_for_load_state("domcontentloaded")
        raise AssertionError  # the last try returns or raises

    async def _complete(self, looked: Looked, who: Who | None) -> Looked:
        """Answers with Playwright what the page itself could not."""
        for number, seen in enumerate(looked["seen"]):
            if seen is None:
                found = self._page.locator(self._signs.selectors[number]).filter(visible=True)
                looked["seen"][number] = await found.count() > 0
        if looked["name"] is False and who and who.selector:
            for selector in candidates(who.selector):
                found = self._page.locator(selector).first
                if await found.count():
                    looked["name"] = await (found.get_attribute(who.attribute) if who.attribute else found.inner_text())
                    break
        return looked

    async def _jar(self) -> dict[str, str]:
        if not self._signs.wants_cookies:
            return {}
        return self._signs.jar(cast("Iterable[dict[str, Any]]", await self._page.context.cookies()))
