"""Results that word themselves out of what was read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pydantic import model_validator

from tools.landmark import pattern
from tools.playbook import Goto, Read, Selector, Stage
from tools.tool import Result


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


def look_back(url: str, words: tuple[str, ...], missing: tuple[str, ...], text: str, *, goal: str) -> Stage:
    """Opens what was published at its own address and reads it as `shown`; while a site reviews it, it is not there yet."""
    there: Selector = (*words, *missing)
    moves = (
        Goto(url, "read_back"),
        Read("there", there, optional=True),
        Read("shown", words, pattern=f"({pattern(text)})", optional=True, seconds=2.0),
    )
    return Stage(goal, moves, "verifying")
