"""How long a site wants one to wait, out of whatever it says: a number, a date, a header, a sentence."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_EPOCH = 1_000_000_000
"""Numbers from here on are a moment (Unix seconds), not a time to wait."""

_UNITS = {
    1: ("s", "sec", "secs", "second", "seconds", "秒", "秒钟"),
    60: ("m", "min", "mins", "minute", "minutes", "分", "分钟"),
    3600: ("h", "hr", "hrs", "hour", "hours", "小时", "个小时", "时"),
    86400: ("d", "day", "days", "天", "日"),
}
_SECONDS = {word: seconds for seconds, words in _UNITS.items() for word in words}
_SPAN = re.compile(rf"(\d+)\s*({'|'.join(sorted(_SECONDS, key=len, reverse=True))})(?![a-z])", re.IGNORECASE)


def seconds_to_wait(value: object, now: datetime | None = None) -> int | None:
    """The seconds to wait, at least 1; None where the value does not say.

    Understood are seconds (30, "30", 2.5), a moment as Unix seconds or milliseconds, an HTTP date, and sentences such
    as "请60秒后再试" or "try again in 5 minutes".
    """
    moment = now or datetime.now(UTC)
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _from_number(float(value), moment)
    return _from_text(str(value).strip(), moment)


def _from_number(number: float, now: datetime) -> int | None:
    if not math.isfinite(number) or number < 0:
        return None
    if number >= _EPOCH * 1000:
        number /= 1000
    if number >= _EPOCH:
        number -= now.timestamp()
    return max(1, math.ceil(number))


def _from_text(text: str, now: datetime) -> int | None:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return _from_number(float(text), now)
    spans = _SPAN.findall(text)
    if spans:
        return max(1, sum(int(count) * _SECONDS[unit.lower()] for count, unit in spans))
    try:
        then = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(1, math.ceil((then.replace(tzinfo=then.tzinfo or UTC) - now).total_seconds()))
