"""What a playbook looks for, move by move: for checking a platform without publishing anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tools.overrides import Swap
from tools.playbook import Click, Playbook, Press
from tools.rewriting import candidates, selectors
from tools.site import Site


@dataclass(frozen=True, slots=True)
class Use:
    """One selector in one move: the stage's goal, the kind of move, the selector's name at the site where it has one."""

    goal: str
    move: str
    candidates: tuple[str, ...]
    name: str | None
    publishes: bool


def uses(playbook: Playbook, site: Site) -> Iterator[Use]:
    """Every selector of the playbook in the order in which it is played, up to and with the publishing act."""
    for stage in playbook:
        for move in stage.moves:
            publishes = isinstance(move, Click | Press) and move.publishes
            for selector in map(candidates, selectors(move).values()):
                yield Use(stage.goal, type(move).__name__.lower(), selector, name_of(selector, site), publishes)
            if publishes:
                return


def name_of(selector: tuple[str, ...], site: Site) -> str | None:
    """The name that the site gives to these candidates, or to the first of them; None: it has none."""
    for name, known in site.selectors.items():
        if Swap(candidates(known), ()).fits(selector):
            return name
    return None
