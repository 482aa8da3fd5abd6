"""Tasks in the words of people: what the pages show of names, steps and results."""

from __future__ import annotations

import json
import re
from typing import Any

from storage.tables import Step
from tools.catalog import Catalog

_SPELLED = {"url": "URL", "id": "ID", "ai": "AI", "totp": "TOTP"}


def in_words(name: str) -> str:
    """`createPost`, `reTweet` and `start_url` as people write them."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").lower().split()
    if words[:1] == ["re"]:
        words = ["".join(words[:2]), *words[2:]]
    spelled = [_SPELLED.get(word, word) for word in words]
    return " ".join([spelled[0][:1].upper() + spelled[0][1:], *spelled[1:]]) if spelled else name


def platform_name(platform: str, catalog: Catalog) -> str:
    """The platform as people call it."""
    site = catalog.sites.get(platform)
    return site.name if site is not None else platform


def outcome(step: Step, then: Step | None) -> str:
    """What came of a step: what it says itself when it stopped, else what the next one found."""
    stopped = next((str(said["stopped"]) for said in step.results if said.get("stopped")), None)
    if stopped is not None:
        return stopped
    found = then.evaluation_previous_goal if then is not None else ""
    return "" if found.removeprefix("Success: ") == step.next_goal else found


def readable(output: Any) -> str:
    """A JSON result on several lines; any other text as it is."""
    try:
        value: Any = json.loads(str(output))
    except (ValueError, RecursionError):
        return str(output)
    return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict | list) else str(output)
