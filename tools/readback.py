"""Results that word themselves out of what was read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from pydantic import model_validator

from tools.landmark import pattern
from tools.playbook import Goto, Move, Read, Selector, Stage, Wait
from tools.tool import Result

TAKEN = "taken"
"""The reading that holds the number of what was published, where the site's own answer to the publishing act said it."""


class ReadBack(Result):
    """A result whose fields follow from a proof's readings: a proof names the readings, `worded` makes the answer of them.

    What has an `output` already (an agent's structured answer, a stored result) is taken as it is.
    """

    @model_validator(mode="before")
    @classmethod
    def _out_of_readings(cls, given: object) -> object:
        if not isinstance(given, Mapping) or "output" in given:
            return cast("object", given)
        return cls.worded({str(name): str(value) for name, value in cast("Mapping[object, object]", given).items()})

    @classmethod
    def worded(cls, readings: Mapping[str, str]) -> dict[str, object]:
        """The fields of the result, by their wire names; a reading that stayed unknown is missing."""
        raise NotImplementedError


def look_back(
    url: str, words: tuple[str, ...], missing: tuple[str, ...], text: str, *more: Move, goal: str
) -> tuple[Stage, ...]:
    """Opens what was published at its own address and reads it as `shown`, then whatever `more` reads.

    While a site reviews it, it is not there yet, and nothing else is either. That is enough where the site's own answer said that it
    took it (the reading TAKEN). A number from anywhere else, a toast or an agent's word, may be that of something else: then the text
    has to stand there.
    """
    there: Selector = (*words, *missing)
    text_ = Read("shown", words, pattern=f"({pattern(text)})", seconds=2.0)
    moves = (Goto(url, "read_back"), Read("there", there, optional=True), replace(text_, optional=True), *more)
    return (
        Stage(goal, moves, "verifying"),
        Stage("See that it is ours", (text_,), "verifying", unless=TAKEN),
        Stage(
            "See that no other text stands there", (Wait(words, gone=True, seconds=2.0),), "verifying", unless="shown"
        ),
    )
