"""The part of a text by which it is known again on a page that redraws the rest.

Sites shorten URLs, show pictures for emoji and [emoticons], and turn $tags$, #topics# and @names into links of their own
making; everything else of a text stands on the page as it was written.
"""

from __future__ import annotations

import re

import regex

from tools.emoji import EMOJI

_REDRAWN = regex.compile(
    rf"https?://\S+|[^\s.]+\.[a-z]{{2,}}\S*|\[[^\[\]\s]+\]|\$[^$\s]+\$?|#[^#\s]+#?|@\S+|{EMOJI.pattern}", regex.I
)
_LONGEST = 60


def landmark(text: str) -> str:
    """The longest stretch of the text (60 characters at most) that a site shows as it was written; it may be empty."""
    pieces = (piece for line in text.splitlines() for piece in _REDRAWN.split(line))
    return max((" ".join(piece.split())[:_LONGEST].strip() for piece in pieces), key=len, default="")


def pattern(text: str) -> str:
    """A regular expression that finds the text's landmark on a page; anything visible where it has none."""
    words = landmark(text).split()
    return r"\s+".join(map(re.escape, words)) if words else r"\S"
