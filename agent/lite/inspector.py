"""Looks on while a playbook is played up to its publishing act, and says of each of its selectors what is on the page."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from playwright.async_api import Error as PlaywrightError

from agent.lite.finder import Finder
from agent.lite.stages import LOOKING
from tools.errors import Failure, PageChanged
from tools.inspection import Use, rehearsed, uses_of
from tools.playbook import Move, Playbook, Read, Selector, Upload
from tools.rewriting import selectors
from tools.site import Site

Standing = Literal["found", "missing", "not needed", "not reached"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One selector in one move, and what became of it. `candidate`: the one that is on the page, as the playbook would take it.

    `not needed`: its stage was done already. `not reached`: the playbook stopped before it, where nothing fits it either.
    """

    use: Use
    standing: Standing
    candidate: str | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """One tool's playbook, looked at. `identity`: who was seen logged in. `stopped`: why it did not come to its publishing act."""

    tool: str
    seen: tuple[Seen, ...]
    identity: str | None
    stopped: Failure | None

    @property
    def fine(self) -> bool:
        """Whether the playbook came to its publishing act."""
        return self.stopped is None


class Inspector:
    """A witness (agent.lite.player.Witness) that notes which candidate of each selector is there."""

    def __init__(self, playbook: Playbook, site: Site, at: Finder) -> None:
        self._at = at
        self._moves = [(move, uses_of(stage, move, site)) for stage, move in rehearsed(playbook)]
        self._noted: dict[tuple[int, str], str] = {}
        self._reached = -1

    async def before(self, move: Move) -> None:
        """Notes what an acting move needs while it is still there. Raises PageChanged or WrongPage where it does not come."""
        self._reached = place = self._place(move)
        if isinstance(move, LOOKING):
            return  # it waits by itself, and may well do without
        for field in self._moves[place][1]:
            await self._at.find(**self._found_by(place, field))
            await self._note(place, field)

    async def after(self, move: Move) -> None:
        """Notes what a looking move has found: it left the page as it is."""
        if isinstance(move, LOOKING):
            place = self._place(move)
            for field in self._moves[place][1]:
                await self._note(place, field)

    async def seen(self, stopped: Failure | None) -> tuple[Seen, ...]:
        """Everything that was noted; where the page was not as known, also whatever is on it of what comes after the stop."""
        look = isinstance(stopped, PageChanged)  # anywhere else it would find what belongs to another page
        seen: list[Seen] = []
        for place, (_, uses) in enumerate(self._moves):
            for field, use in uses.items():
                if look and place >= self._reached and (place, field) not in self._noted:
                    await self._note(place, field)
                candidate = self._noted.get((place, field))
                seen.append(Seen(use, "found" if candidate else self._lacking(place, stopped), candidate))
        return tuple(seen)

    def _lacking(self, place: int, stopped: Failure | None) -> Standing:
        if stopped is None or place < self._reached:
            return "not needed"
        return "missing" if place == self._reached else "not reached"

    def _place(self, move: Move) -> int:
        return next(place for place, (known, _) in enumerate(self._moves) if known is move)

    async def _note(self, place: int, field: str) -> None:
        by = self._found_by(place, field)
        try:
            candidates = itertools.cycle(self._at.selectors(by["selector"]))  # once for each element around them
            for candidate, found in zip(candidates, self._at.every(**by), strict=False):
                if await found.count():
                    self._noted[place, field] = candidate
                    return
        except (PlaywrightError, Failure):
            return  # the page is gone, or a reading is not known: it is not there

    def _found_by(self, place: int, field: str) -> dict[str, Any]:
        """How the finder is asked for one of a move's selectors."""
        move = self._moves[place][0]
        parts: Mapping[str, Selector] = selectors(move)
        around = {name: parts[name] for name in ("frame", "within") if name in parts and field == "selector"}
        return {"selector": parts[field], "visible": not isinstance(move, Read | Upload), **around}
