"""What pages say, made fit for messages and records."""

from __future__ import annotations

import unicodedata

DOTS = "…"


def plain(text: object, limit: int = 200) -> str:
    """A page's words on one line: no control or direction marks, white space folded, cut at `limit` characters."""
    kept = (" " if char.isspace() else char for char in str(text)[: limit * 4])
    line = " ".join(
        "".join(char for char in kept if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co"}).split()
    )
    return line if len(line) <= limit else line[: limit - 1].rstrip() + DOTS


def fold(text: str) -> str:
    """Text for comparing: every run of white space, no-break spaces too, is one space; invisible joints are dropped."""
    return " ".join(text.replace("\u200b", "").replace("\ufeff", "").split())
