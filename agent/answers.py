"""What a site answered to a request that its page made, and what that means: a no with its code, or readings.

Both engines hear such answers, each through its own connection to the browser, and read them here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from agent.lite.untrusted import plain
from agent.origins import Origins
from tools.errors import AuthenticationFailed, Failure, PlatformError, RateLimited, every_failure
from tools.patience import seconds_to_wait
from tools.playbook import Answer, Listen, Refusal

RATE_SECONDS = 900
"""How long to wait where a site that slows us down does not say."""
READING_CHARS = 20_000
FAILURES: Mapping[str, type[Failure]] = {failure.code: failure for failure in every_failure()}


@dataclass(frozen=True)
class Heard:
    """An answer: its status, headers (lower case) and JSON; {} for what is no JSON."""

    status: int
    headers: Mapping[str, str]
    said: Any

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> Heard:
        """An answer with that body."""
        try:
            return cls(status, headers, json.loads(body))
        except (ValueError, RecursionError):
            return cls(status, headers, {})

    def at(self, path: str) -> Any:
        """What stands at a dotted path (`data.items.0.id`); None where there is nothing."""
        value = self.said
        for part in path.split("."):
            if isinstance(value, dict):
                value = cast("dict[str, Any]", value).get(part)
            elif isinstance(value, list) and part.isdigit():
                items = cast("list[Any]", value)
                value = items[int(part)] if int(part) < len(items) else None
            else:
                return None
        return value


def meant(move: Listen, method: str, url: str, origins: Origins) -> bool:
    """Whether a request is the one that is listened for, at the site itself or at its stand-in."""
    return method == move.method and any(re.search(move.url, one) for one in (url, origins.document(url)))


def refusal_in(heard: Heard, move: Answer) -> Failure | None:
    """What the answer refuses with: one of the playbook's refusals, or a status that cannot mean yes. None: no refusal."""
    for refusal in move.refusals:
        if fits(refusal, heard):
            return failure(refusal, heard)
    if heard.status == 429:
        wait = seconds_to_wait(heard.headers.get("retry-after"))
        return RateLimited(retry_after=wait or RATE_SECONDS)
    if heard.status == 401:
        return AuthenticationFailed("The site answered that nobody is logged in: reconnect the account")
    if 400 <= heard.status < 500:
        return PlatformError(f"The site refused the request with status {heard.status}")
    return None


def fits(refusal: Refusal, heard: Heard) -> bool:
    """Whether the answer says this no."""
    if refusal.statuses and heard.status not in refusal.statuses:
        return False
    if refusal.unless is not None and heard.at(refusal.unless):
        return False
    if not refusal.path:
        return True
    value = heard.at(refusal.path)
    if not (bool(value) if refusal.values is None else any(alike(value, one) for one in refusal.values)):
        return False
    return refusal.pattern is None or re.search(refusal.pattern, str(value)) is not None


def alike(value: Any, wanted: str | int | bool) -> bool:
    """Whether both are the same value; a number may be written as text, but true is not 1."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return isinstance(value, str | int | float) and str(value) == str(wanted)


def failure(refusal: Refusal, heard: Heard) -> Failure:
    """The refusal as the task's failure."""
    kind = FAILURES.get(refusal.code, PlatformError)
    if refusal.message is not None and refusal.message.startswith("="):
        message = refusal.message[1:]
    else:
        said = heard.at(refusal.message or refusal.path) if refusal.message or refusal.path else None
        message = f"The site answered: {plain(said, 300)}" if said else None
    wait = None
    if refusal.retry_after is not None:
        asked = refusal.retry_after
        wait = seconds_to_wait(heard.headers.get(asked[1:].lower()) if asked.startswith("@") else heard.at(asked))
    if issubclass(kind, RateLimited):
        wait = wait or RATE_SECONDS
    return kind(message, retry_after=wait)


def readings_of(heard: Heard, move: Answer) -> dict[str, str]:
    """The readings that the answer holds; those it lacks are left out."""
    found: dict[str, str] = {}
    for name, paths in move.readings.items():
        for path in (paths,) if isinstance(paths, str) else paths:
            value = heard.at(path)
            if isinstance(value, str | int | float) and value != "":
                found[name] = str(value)[:READING_CHARS]
                break
    return found
