"""What a run has filled in. Pages draw their editors anew and lose what stood in them, so it is looked at again before it is sent."""

from __future__ import annotations

from agent.lite.editors import fill, holds
from agent.lite.finder import Finder, shown
from tools.errors import PageChanged
from tools.playbook import Fill


class Form:
    """The fills of the page that is open."""

    def __init__(self, at: Finder) -> None:
        self._at = at
        self._fills: dict[Fill, bool] = {}
        """Each with whether its field must still be there."""

    async def fill(self, move: Fill, ms: float) -> None:
        """Puts a move's text into its field, which may take `ms` to be ready. Raises PageChanged or WrongPage."""
        field = await self._at.find(move.selector, within=move.within, frame=move.frame)
        await fill(field, self._at.text(move.text), ms)
        self._fills[move] = True

    def leave(self) -> None:
        """Something was clicked: it may have led on, away from the fields."""
        self._fills = dict.fromkeys(self._fills, False)

    def forget(self) -> None:
        """Another page was opened."""
        self._fills.clear()

    async def restore(self, ms: float) -> None:
        """Fills in again what the page has lost. Raises PageChanged or WrongPage."""
        for move, needed in list(self._fills.items()):
            if await self._lost(move, needed=needed):
                await self.fill(move, ms)

    async def check(self) -> None:
        """Raises PageChanged unless every field holds its text now."""
        for move, needed in self._fills.items():
            if await self._lost(move, needed=needed):
                raise PageChanged(f"{shown(self._at.page.url)} did not keep the text that was filled in")

    async def _lost(self, move: Fill, *, needed: bool) -> bool:
        """Whether the text does not stand in the field, or the field is gone although it must be there."""
        field = await self._at.now(move.selector, within=move.within, frame=move.frame)
        return needed if field is None else not await holds(field, self._at.text(move.text))
