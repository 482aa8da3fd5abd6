"""Where a page stands: a site's signs of being logged in or out, challenged, locked or slowed down, and who is logged in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypedDict, cast
from urllib.parse import unquote, urlsplit

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, Response

from agent.domains import covers
from agent.origins import Origins
from tools.errors import BrowserFailed
from tools.playbook import Selector
from tools.site import Signs, Site, Who

LOOK_SECONDS = 10.0
TRIES = 5
CONDITIONS = ("suspended", "challenge", "rate", "logged_out", "logged_in")

# Answers for each selector whether something visible fits it (null: the selector is Playwright's own and not the page's to
# answer), and what the element says that names the member.
LOOK = """([selectors, who]) => {
  const visible = (one) => {
    const box = one.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && one.checkVisibility({ visibilityProperty: true });
  };
  const seen = (selector) => {
    try { return [...document.querySelectorAll(selector)].some(visible) } catch { return null }
  };
  let name = null;
  try {
    const one = who && who[0].map((selector) => document.querySelector(selector)).find((found) => found);
    name = one && (who[1] ? one.getAttribute(who[1]) : one.innerText);
  } catch { name = false }
  return { seen: selectors.map(seen), name };
}"""


class Looked(TypedDict):
    """What LOOK answers; `name` is False where the page could not be asked."""

    seen: list[bool | None]
    name: str | bool | None


@dataclass(frozen=True)
class Sight:
    """What was seen: the conditions that hold, and the member's name as the page spells it."""

    conditions: frozenset[str]
    who: str | None

    def __contains__(self, condition: str) -> bool:
        return condition in self.conditions


class Lookout:
    """Looks at a page for its site's signs, in one round trip where it can.

    `landed` tells it the answer to the page's own request, for signs that are HTTP statuses.
    """

    def __init__(self, page: Page, site: Site, origins: Origins) -> None:
        self._page = page
        self._site = site
        self._origins = origins
        self._signs: dict[str, Signs] = {name: getattr(site, name) for name in CONDITIONS}
        self._selectors = list(dict.fromkeys(one for signs in self._signs.values() for one in signs.selectors))
        self._cookies = any(signs.cookies for signs in self._signs.values()) or bool(site.who and site.who.cookie)
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
        cookies = await self._jar() if self._cookies else {}
        looked = await self._ask()
        visible = {one for one, seen in zip(self._selectors, looked["seen"], strict=True) if seen}
        url = self._page.url
        urls = (url, self._origins.document(url))
        held = {name for name, signs in self._signs.items() if self._holds(signs, urls, visible, cookies)}
        return Sight(frozenset(held), self._name(looked["name"], cookies))

    def _holds(self, signs: Signs, urls: tuple[str, str], visible: set[str], cookies: dict[str, str]) -> bool:
        return (
            any(re.search(pattern, url) for pattern in signs.urls for url in urls)
            or any(selector in visible for selector in signs.selectors)
            or (self._status in signs.statuses and self._page.url == self._landed)
            or any(has(cookies, cookie) for cookie in signs.cookies)
        )

    def _name(self, said: str | bool | None, cookies: dict[str, str]) -> str | None:
        """The member's name, out of the element or the cookie."""
        who = self._site.who
        if who is None:
            return None
        if not isinstance(said, str) and who.cookie:
            said = unquote(cookies.get(who.cookie, "")) or None
        found = re.search(who.pattern, said) if isinstance(said, str) else None
        return (found[1] if found.re.groups else found[0]) if found else None

    async def _ask(self) -> Looked:
        """Asks the page; again when a navigation took its context away under the question."""
        who = self._site.who
        asked = [self._selectors, [candidates(who.selector), who.attribute] if who and who.selector else None]
        for left in reversed(range(TRIES)):
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    looked = cast("Looked", await self._page.evaluate(LOOK, asked))
                    return await self._complete(looked, who)
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
                found = self._page.locator(self._selectors[number]).filter(visible=True)
                looked["seen"][number] = await found.count() > 0
        if looked["name"] is False and who and who.selector:
            for selector in candidates(who.selector):
                found = self._page.locator(selector).first
                if await found.count():
                    looked["name"] = await (found.get_attribute(who.attribute) if who.attribute else found.inner_text())
                    break
        return looked

    async def _jar(self) -> dict[str, str]:
        """The cookies of the site's hosts and of the host that stands for them."""
        hosts = [*self._site.hosts, urlsplit(self._origins.resolve("/", self._site)).hostname or ""]
        jar = cast("Iterable[dict[str, Any]]", await self._page.context.cookies())
        return {
            one["name"]: one["value"] for one in jar if any(covers(host, one["domain"].lstrip(".")) for host in hosts)
        }


def candidates(selector: Selector) -> tuple[str, ...]:
    """A selector's candidates, best first."""
    return (selector,) if isinstance(selector, str) else selector


def has(cookies: dict[str, str], wanted: str) -> bool:
    """Whether a cookie `name` is there and not empty, or `name=value` as it says."""
    name, given, value = wanted.partition("=")
    return cookies.get(name) == value if given else bool(cookies.get(name))


def same(one: str, other: str) -> bool:
    """Whether two spellings name the same member."""
    return one.strip().removeprefix("@").casefold() == other.strip().removeprefix("@").casefold()
