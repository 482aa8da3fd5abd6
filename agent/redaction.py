"""Keeps secrets out of everything that is shown, stored or sent to a model."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast
from urllib.parse import quote, quote_plus

import pyotp

SHORTEST = 3
"""Shorter values are ordinary words and numbers: hiding them would hide half of every page."""
SHORTEST_INSIDE_WORDS = 5
"""Shorter values are only hidden where they stand alone."""


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """The same JSON value with every text in it, keys included, changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value).items()
        return {change(str(key)): mapped(item, change) for key, item in pairs}
    if isinstance(value, list | tuple):
        return [mapped(item, change) for item in cast("Sequence[Any]", value)]
    return value


class Secret(Protocol):
    """What is hidden, under which name."""

    @property
    def name(self) -> str:
        """What stands in its place: `<secret>name</secret>`."""
        ...

    @property
    def value(self) -> str:
        """The text itself."""
        ...

    @property
    def totp(self) -> bool:
        """Whether the codes made from it are hidden as well."""
        ...


@dataclass(frozen=True, slots=True)
class Hidden:
    """A secret of which only the value itself is hidden."""

    name: str
    value: str
    totp: bool = False


def spellings(value: str) -> Iterator[str]:
    """The ways in which a value shows up: as it is, in a URL, in HTML, in JSON, line by line."""
    for text in (value, value.strip(), *(line.strip() for line in value.splitlines() if len(line.strip()) >= 8)):
        yield from (text, quote(text, safe=""), quote(text), quote_plus(text), html.escape(text))
        yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])


def pattern_of(text: str) -> str:
    """The regular expression that finds one spelling."""
    found = re.escape(text)
    return found if len(text) >= SHORTEST_INSIDE_WORDS else rf"(?<!\w){found}(?!\w)"


class Redactor:
    """Replaces every secret by `<secret>name</secret>`."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        kept = list(secrets)
        self.names = {spelling: s.name for s in kept for spelling in spellings(s.value) if len(spelling) >= SHORTEST}
        self.totps = [(s.name, pyotp.TOTP(s.value.replace(" ", ""))) for s in kept if s.totp]
        longest_first = sorted(self.names, key=len, reverse=True)
        self.pattern = re.compile("|".join(map(pattern_of, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        """The text without secrets."""
        if self.pattern:
            text = self.pattern.sub(lambda found: self.mark(self.names[found.group(0)]), text)
        for name, codes in self.totps:
            text = re.sub("|".join(self.codes(codes)), self.mark(name), text)
        return text

    def tree(self, value: Any) -> Any:
        """The same JSON value with every text in it, keys included, redacted."""
        return mapped(value, self.text)

    @staticmethod
    def mark(name: str) -> str:
        """What stands in a secret's place."""
        return f"<secret>{name}</secret>"

    @staticmethod
    def codes(totp: pyotp.TOTP) -> list[str]:
        """The codes that a page may be showing: those of this half minute and of its neighbours."""
        now = int(time.time())
        return [rf"(?<!\d){totp.at(now + shift)}(?!\d)" for shift in (-60, -30, 0, 30)]
