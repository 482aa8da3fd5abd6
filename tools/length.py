"""How long a text may be: said before it is queued, with the count and the limit."""

from __future__ import annotations

from collections.abc import Callable


def at_most(limit: int, site: str, what: str = "text") -> Callable[[str], str]:
    """A validator: the text, where it holds something visible and at most `limit` characters. Raises ValueError."""

    def check(text: str) -> str:
        if not text.strip():
            raise ValueError(f"the {what} is empty: {site} wants at least one visible character")
        if over := max(0, len(text) - limit):
            raise ValueError(
                f"the {what} has {len(text)} of at most {limit} characters on {site}: shorten it by {over}"
            )
        return text

    return check
