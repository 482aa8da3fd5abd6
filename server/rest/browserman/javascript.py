"""JSON text that JavaScript reads and writes back unchanged: `JSON.stringify(JSON.parse(text)) === text`.

The documented receiver of webhooks parses a body, writes it again and hashes that (contract 1.8), so every difference between
Python's JSON and JavaScript's would look like a forged call.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_SAFE = 2**53 - 1
"""The largest whole number that JavaScript keeps exactly."""
_MOST_DIGITS = 21
_LEAST_POINT = -6
_INDEX = re.compile(r"0|[1-9]\d{0,9}")
_LARGEST_INDEX = 2**32 - 2
_HALF_PAIR = re.compile("[\ud800-\udfff]")


def javascript_json(value: Any) -> str:
    """A JSON value as JavaScript would write it. Whole numbers that it cannot hold exactly become text; NaN and infinity null."""
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value) if abs(value) <= _SAFE else _text(str(value))
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        members: list[tuple[str, Any]] = [(str(key), item) for key, item in value.items()]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # any JSON
        return "{" + ",".join(f"{_text(key)}:{javascript_json(item)}" for key, item in _in_order(members)) + "}"
    return "[" + ",".join(javascript_json(item) for item in value) + "]"


def _text(text: str) -> str:
    # A half of a surrogate pair has no UTF-8; JavaScript writes it as an escape (well-formed JSON.stringify).
    return _HALF_PAIR.sub(lambda half: f"\\u{ord(half[0]):04x}", json.dumps(text, ensure_ascii=False))


def _in_order(members: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Array indices first and ascending, then the others as they came: the order of every JavaScript object."""
    indices = [member for member in members if _is_index(member[0])]
    others = [member for member in members if not _is_index(member[0])]
    return sorted(indices, key=lambda member: int(member[0])) + others


def _is_index(key: str) -> bool:
    return _INDEX.fullmatch(key) is not None and int(key) <= _LARGEST_INDEX


def _number(value: float) -> str:
    """ECMAScript's Number::toString."""
    if not math.isfinite(value):
        return "null"
    if value == 0:
        return "0"
    sign, digit_tuple, exponent = Decimal(repr(value)).normalize().as_tuple()
    digits = "".join(map(str, digit_tuple))
    point = len(digits) + int(exponent)
    minus = "-" if sign else ""
    if len(digits) <= point <= _MOST_DIGITS:
        return minus + digits.ljust(point, "0")
    if 0 < point <= _MOST_DIGITS:
        return f"{minus}{digits[:point]}.{digits[point:]}"
    if _LEAST_POINT < point <= 0:
        return f"{minus}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{minus}{digits[0]}{fraction}e{point - 1:+d}"
