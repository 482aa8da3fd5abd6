"""What an emoji is: one picture on the screen, however many code points it is made of."""

from __future__ import annotations

import regex

_PICTURE = r"(?![©®](?!\uFE0F))\p{Extended_Pictographic}(?!\uFE0E)\uFE0F?\p{Emoji_Modifier}?"

EMOJI = regex.compile(
    r"\p{Regional_Indicator}{2}|[0-9#*]\uFE0F?\u20E3|\U0001F3F4[\U000E0020-\U000E007E]+\U000E007F"
    rf"|{_PICTURE}(?:\u200D{_PICTURE}){{0,3}}"
)
"""Flags, keycaps, and pictures joined to one by zero-width joiners, with skin tones.

Four pictures at most are joined to one: no sequence that screens know has more."""
