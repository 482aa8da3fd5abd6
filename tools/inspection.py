"""What a playbook looks for, move by move: for checking a platform without publishing, and for hearing what it publishes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tools.overrides import Swap
from tools.playbook import Answer, Click, Listen, Move, Playbook, Press, Stage
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
    for stage, move in rehearsed(playbook):
        yield from uses_of(stage, move, site).values()


def rehearsed(playbook: Playbook) -> Iterator[tuple[Stage, Move]]:
    """Every move with its stage, up to and with the publishing act."""
    for stage in playbook:
        for move in stage.moves:
            yield stage, move
            if publishes(move):
                return


def uses_of(stage: Stage, move: Move, site: Site) -> dict[str, Use]:
    """The selectors of one move by the field that holds them (frame, within, selector), from the outside in."""
    kind = type(move).__name__.lower()
    return {
        field: Use(stage.goal, kind, candidates(found), name_of(candidates(found), site), publishes(move))
        for field, found in selectors(move).items()
    }


def publishing_answers(playbook: Playbook) -> Iterator[tuple[Listen, Answer]]:
    """How the site answers the publishing act: what is listened for in the stage that makes it, and what it may say."""
    for stage in playbook:
        if any(map(publishes, stage.moves)):
            answers = {move.name: move for move in stage.moves if isinstance(move, Answer)}
            yield from (
                (move, answers[move.name]) for move in stage.moves if isinstance(move, Listen) and move.name in answers
            )


def publishing_controls(playbook: Playbook) -> Iterator[str]:
    """The candidates of what the playbook clicks to publish."""
    for stage in playbook:
        for move in stage.moves:
            if isinstance(move, Click) and move.publishes:
                yield from candidates(move.selector)


def publishes(move: Move) -> bool:
    """Whether this is the act that cannot be taken back."""
    return isinstance(move, Click | Press) and move.publishes


def name_of(selector: tuple[str, ...], site: Site) -> str | None:
    """The name that the site gives to these candidates, or to the first of them; None: it has none."""
    for name, known in site.selectors.items():
        if Swap(candidates(known), ()).fits(selector):
            return name
    return None
