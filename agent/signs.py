"""What a site's signs say of a page: logged in or out, challenged, locked, slowed down; and who is logged in.

The one reading of `tools.site.Signs`, whoever asks the page: `LOOK` is put to it, `SiteSigns.read` says what the answer means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict
from urllib.parse import unquote, urlsplit

from agent.domains import covers
from agent.origins import Origins
from tools.playbook import Selector
from tools.site import Signs, Site

CONDITIONS = ("suspended", "challenge", "rate", "logged_out", "logged_in")

# Answers for each selector whether something visible fits it (null: the selector is Playwright's own and not the page's to
# answer), and what the element says that names the member. `:text-matches()` at a selector's end and `text=` mean what they
# do to Playwright: the smallest elements whose text fits.
LOOK = """([selectors, who]) => {
  const visible = (one) => {
    const box = one.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && one.checkVisibility({ visibilityProperty: true });
  };
  const textOf = (one) => one.textContent.replace(/\\s+/g, ' ').trim();
  const smallest = (fits) => (one) => fits(textOf(one)) && ![...one.children].some((child) => fits(textOf(child)));
  const read = (selector) => {
    const [, css, pattern, flags] = /^(.+):text-matches\\('([^'\\\\]+)'(?:, *'([a-z]*)')?\\)$/.exec(selector) || [];
    if (css) return [css, smallest((text) => new RegExp(pattern, flags).test(text))];
    const [, words] = /^text=([^"'/].*)$/.exec(selector) || [];
    if (words) return ['body *', smallest((text) => text.toLowerCase().includes(words.trim().toLowerCase()))];
    return [selector, () => true];
  };
  const seen = (selector) => {
    try {
      const [css, says] = read(selector);
      return [...document.querySelectorAll(css)].some((one) => visible(one) && says(one));
    } catch { return null }
  };
  let name = null;
  try {
    const one = who && who[0].map((selector) => document.querySelector(selector)).find((found) => found);
    name = one && (who[1] ? one.getAttribute(who[1]) : one.innerText);
  } catch { name = false }
  const [navigation] = performance.getEntriesByType('navigation');
  return { seen: selectors.map(seen), name: name ?? null, url: location.href, status: navigation ? navigation.responseStatus : 0,
    document: performance.timeOrigin };
}"""


class Looked(TypedDict):
    """What LOOK answers; `name` is False where the page could not be asked. `status`: of the page's own answer, 0: unknown.

    `document`: when the document began, which tells it from the one before.
    """

    seen: list[bool | None]
    name: str | bool | None
    url: str
    status: int
    document: float


@dataclass(frozen=True)
class Sight:
    """What was seen: the conditions that hold, the member's name as the page spells it, the document, its site's session cookies."""

    conditions: frozenset[str]
    who: str | None
    document: float = 0.0
    session: frozenset[tuple[str, str]] = frozenset()

    def __contains__(self, condition: str) -> bool:
        return condition in self.conditions


@dataclass
class Tenure:
    """Under which login a document stands: once another member logs in elsewhere, it goes on showing the name it was drawn with."""

    document: float = 0.0
    session: frozenset[tuple[str, str]] = frozenset()

    def holds(self, sight: Sight) -> bool:
        """Whether the session cookies are still those with which this document was first seen."""
        if sight.document != self.document or not self.session:
            self.document, self.session = sight.document, sight.session
        return self.session == sight.session


class SiteSigns:
    """One site's signs: `asked` is the argument of LOOK, `wants_cookies` says whether they are needed to read the answer."""

    def __init__(self, site: Site, origins: Origins) -> None:
        self._site = site
        self._origins = origins
        self._signs: dict[str, Signs] = {name: getattr(site, name) for name in CONDITIONS}
        self.selectors = list(dict.fromkeys(one for signs in self._signs.values() for one in signs.selectors))
        cookies = (*(one for signs in self._signs.values() for one in signs.cookies), site.who and site.who.cookie)
        self.wants_cookies = any(cookies) or bool(site.session)

    @property
    def asked(self) -> list[Any]:
        """What LOOK is given."""
        who = self._site.who
        return [self.selectors, [candidates(who.selector), who.attribute] if who and who.selector else None]

    def read(self, looked: Looked, url: str, status: int, cookies: Mapping[str, str]) -> Sight:
        """What holds on the page at that URL, whose own answer had that status (0: unknown)."""
        visible = {one for one, seen in zip(self.selectors, looked["seen"], strict=True) if seen}
        urls = (url, self._origins.document(url))
        held = {
            name
            for name, signs in self._signs.items()
            if any(re.search(pattern, url) for pattern in signs.urls for url in urls)
            or any(selector in visible for selector in signs.selectors)
            or status in signs.statuses
            or any(has(cookies, cookie) for cookie in signs.cookies)
        }
        session = frozenset((name, cookies[name]) for name in self._site.session if cookies.get(name))
        # Strangers get the cookie that names a member too, with a number of their own: it counts for members alone.
        member = "logged_in" in held or not self._signs["logged_in"].cookies
        who = self._name(looked["name"], cookies if member else {})
        return Sight(frozenset(held), who, looked["document"], session)

    def jar(self, cookies: Iterable[Mapping[str, Any]]) -> dict[str, str]:
        """The cookies of the site's hosts and of the host that stands for them."""
        hosts = [*self._site.hosts, urlsplit(self._origins.resolve("/", self._site)).hostname or ""]
        return {
            one["name"]: one["value"]
            for one in cookies
            if any(covers(host, one["domain"].lstrip(".")) for host in hosts)
        }

    def _name(self, said: str | bool | None, cookies: Mapping[str, str]) -> str | None:
        """The member's name, out of the element or the cookie."""
        who = self._site.who
        if who is None:
            return None
        if not isinstance(said, str) and who.cookie:
            said = unquote(cookies.get(who.cookie, "")) or None
        found = re.search(who.pattern, said) if isinstance(said, str) else None
        return (found[1] if found.re.groups else found[0]) if found else None


def candidates(selector: Selector) -> tuple[str, ...]:
    """A selector's candidates, best first."""
    return (selector,) if isinstance(selector, str) else selector


def has(cookies: Mapping[str, str], wanted: str) -> bool:
    """Whether a cookie `name` is there and not empty, or `name=value` as it says."""
    name, given, value = wanted.partition("=")
    return cookies.get(name) == value if given else bool(cookies.get(name))


def same(one: str, other: str) -> bool:
    """Whether two spellings name the same member."""
    return one.strip().removeprefix("@").casefold() == other.strip().removeprefix("@").casefold()
