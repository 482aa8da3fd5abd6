"""What a request may hold and a database or JSON cannot: a NUL character, half a surrogate pair, NaN."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

Loc = tuple[str | int, ...]


def unstorable(given: Any) -> Iterator[Loc]:
    """Where there is something that PostgreSQL or JSON cannot hold: a NUL character, half a surrogate pair, NaN."""
    waiting: list[tuple[Loc, Any]] = [((), given)]
    while waiting:  # not by recursion: JSON may be nested deeper than Python likes
        loc, value = waiting.pop()
        if isinstance(value, Mapping):
            for key, item in cast("Mapping[Any, Any]", value).items():
                if not storable(key):
                    yield loc
                waiting.append(((*loc, str(key)), item))
        elif isinstance(value, list):
            waiting.extend(((*loc, place), item) for place, item in enumerate(cast("list[Any]", value)))
        elif not storable(value):
            yield loc


def storable(value: Any) -> bool:
    """Whether a text or number can be kept."""
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, str) or encodable(value)


def encodable(text: str) -> bool:
    """Whether a text can be written as UTF-8 and kept by PostgreSQL."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text
