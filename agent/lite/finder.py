"""Finds elements by a playbook's selectors and says why one is not there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import reduce

from playwright.async_api import FrameLocator, Locator, Page

from agent.lite.untrusted import plain
from agent.lite.watch import Missing, Watch
from agent.origins import Origins
from agent.signs import candidates
from agent.wall import Gate
from tools.errors import Failure, PageChanged, WrongPage
from tools.playbook import Reading, Selector, Text, with_readings

Root = Page | FrameLocator | Locator


class UnknownReading(Exception):
    """A text that the playbook needs was never read. The name is its only argument."""


class Finder:
    """Finds on one page, with what was read so far put into selectors and texts.

    `went`: the URL that the run last asked for; `went_at`: when (the event loop's time).
    """

    def __init__(self, watch: Watch, origins: Origins, readings: Mapping[str, str], gate: Gate | None) -> None:
        self.page = watch.page
        self.watch = watch
        self.origins = origins
        self.readings = dict(readings)
        self.gate = gate
        self.went = ""
        self.went_at = float("-inf")

    def text(self, text: Text) -> str:
        """A text with its reading put in. Raises UnknownReading."""
        if not isinstance(text, Reading):
            return text
        if text.name not in self.readings:
            raise UnknownReading(text.name)
        return f"{text.before}{self.readings[text.name]}{text.after}"

    def url(self, url: Text) -> str:
        """A URL with the readings put in. Raises UnknownReading."""
        if isinstance(url, Reading):
            return self.text(url)
        (put,) = self.selectors(url)
        if unknown := re.search(r"\{(\w+)\}", put):
            raise UnknownReading(unknown[1])
        return put

    def selectors(self, selector: Selector) -> tuple[str, ...]:
        """A selector's candidates with their readings put in."""
        try:
            return candidates(with_readings(selector, self.readings))
        except ValueError as error:
            raise PageChanged(f"The site said something unexpected: {error}") from None

    async def find(
        self,
        selector: Selector,
        *,
        within: Selector | None = None,
        frame: Selector | None = None,
        visible: bool = True,
        seconds: float | None = None,
        alone: bool = False,
    ) -> Locator:
        """The first candidate that is on the page. Raises PageChanged or WrongPage when none comes in time.

        `alone`: one that several elements fit, of which any may be the wrong one, is no candidate: PageChanged.
        """
        every = self.every(selector, within, frame, visible=visible)
        anyone = reduce(Locator.or_, every).first
        state = "visible" if visible else "attached"
        try:
            await self.watch.until(
                lambda ms: anyone.wait_for(state=state, timeout=ms),
                self.watch.patience.element if seconds is None else seconds,
            )
        except Missing:
            raise self.missing(self.selectors(selector)) from None
        for candidate in every if alone else every[:-1]:
            if count := await candidate.count():
                if alone and count > 1:
                    known = " or ".join(self.selectors(selector))
                    raise PageChanged(
                        f"{shown(self.page.url)} has {count} elements that fit {known}: one of them must be wrong"
                    )
                return candidate.first
        return every[-1].first

    async def now(
        self, selector: Selector, *, within: Selector | None = None, frame: Selector | None = None
    ) -> Locator | None:
        """The first candidate that is visible right now; None: there is none."""
        for candidate in self.every(selector, within, frame):
            if await candidate.count():
                return candidate.first
        return None

    async def shows(self, selector: Selector) -> bool:
        """Whether something visible fits it right now."""
        return await reduce(Locator.or_, self.every(selector)).count() > 0

    def every(
        self, selector: Selector, within: Selector | None = None, frame: Selector | None = None, *, visible: bool = True
    ) -> list[Locator]:
        """A locator for each candidate inside a `frame`; with `within`, for each inside the first element of each of its own."""
        root: Root = self.page
        if frame is not None:
            root = root.frame_locator(", ".join(self.selectors(frame)))
        around: list[Root] = [root]
        if within is not None:
            around = [root.locator(one).filter(visible=True).first for one in self.selectors(within)]
        found = [place.locator(one) for place in around for one in self.selectors(selector)]
        return [one.filter(visible=True) for one in found] if visible else found

    def missing(self, selectors: Sequence[str]) -> Failure:
        """Why an element is not there: the site led elsewhere, or has changed."""
        details: dict[str, object] = {"selectors": list(selectors), "url": shown(self.page.url)}
        if self.gate and self.gate.blocked:
            details["blocked"] = [plain(host, 100) for host in self.gate.blocked[:10]]
        if self.went and path(self.went) != path(self.page.url):
            return WrongPage(f"The site led to {shown(self.page.url)} instead of {shown(self.went)}", details=details)
        return PageChanged(f"{shown(self.page.url)} has no {' or '.join(selectors)}", details=details)


def path(url: str) -> str:
    """A URL without its query and fragment."""
    return re.split(r"[?#]", url, maxsplit=1)[0].rstrip("/")


def shown(url: str) -> str:
    """A URL for a message: without its query, which may hold secrets."""
    return plain(path(url))
