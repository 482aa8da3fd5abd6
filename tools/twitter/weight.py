"""How long X thinks a text is.

The rules are those of the public twitter-text configuration, version 3: the text in Unicode's composed form (NFC); most
Latin, Cyrillic, Arabic and similar characters weigh 1, all others 2; a URL weighs 23 whatever its length, with or without
`https://`; an emoji weighs 2, however many code points it is made of.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import regex

from tools.emoji import EMOJI

LIMIT = 280
"""The most that a post may weigh."""
URL_WEIGHT = 23
EMOJI_WEIGHT = 2

_LONGEST_URL = 4096
_LONGEST_LABEL = 63
_LONGEST_SLUG = 40
_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
_FORBIDDEN = "\ufffe\ufeff\uffff"
_DIRECTIONS = r"\u202a-\u202e\u061c\u200e\u200f\u2066-\u2069"
_IN_NAME = rf"[^\s!'#%&()*+,\\\-./:;<=>?@\[\]^_{{|}}~$\"{_FORBIDDEN}{_DIRECTIONS}]"
_HOST = rf"(?:{_IN_NAME}(?:[-_]|{_IN_NAME})*\.)+{_IN_NAME}(?:-|{_IN_NAME})*"
_START = regex.compile(
    rf"(?<![A-Za-z0-9@\uff20$#\uff03{_FORBIDDEN}])(?P<scheme>https?://)?(?P<host>{_HOST})", regex.IGNORECASE
)
_IN_PATH = r"[\p{Latin}\p{Cyrillic}\p{M}0-9!*';:=+,.$/%#\[\]\-\u2013_~@|&]"
_BRACKETS = rf"\((?:{_IN_PATH}|\({_IN_PATH}*\))+\)"
_REST = regex.compile(
    rf"(?::[0-9]+)?(?:/(?:(?:{_IN_PATH}|{_BRACKETS})*(?:[\p{{Latin}}\p{{Cyrillic}}\p{{M}}0-9=_#/+\-]|{_BRACKETS}))?)?"
    r"(?:\?[a-z0-9!?*'@();:&=+$/%#\[\]\-_.,~|]*[a-z0-9\-_&=#/])?",
    regex.IGNORECASE,
)
_SHORTENED = regex.compile(
    r"https?://t\.co/(?P<slug>[a-z0-9]+)(?:\?[a-z0-9!?*'@();:&=+$/%#\[\]\-_.,~|]*[a-z0-9\-_&=#/])?", regex.IGNORECASE
)
_BARE_NAME = regex.compile(r"[-0-9\p{Latin}\p{M}]+(?:\.[-0-9\p{Latin}\p{M}]+)+")


def check(text: str) -> str:
    """The text, if X would take it. Raises ValueError that says the count and the limit."""
    if not text.strip():
        raise ValueError("the text is empty: X wants at least one character")
    if bad := sorted({f"U+{ord(sign):04X}" for sign in text if sign in _FORBIDDEN}):
        raise ValueError(f"the text holds characters that X refuses: {', '.join(bad)}")
    if (count := weighted_length(text)) > LIMIT:
        raise ValueError(
            f"the text counts {count} of at most {LIMIT} on X "
            f"(a URL counts {URL_WEIGHT}, Chinese characters and emoji count 2): shorten it by {count - LIMIT}"
        )
    return text


def weighted_length(text: str) -> int:
    """What the text weighs on X, in units of which a post may have 280."""
    composed = unicodedata.normalize("NFC", text)
    spans = url_spans(composed)
    return URL_WEIGHT * len(spans) + sum(_weight(piece) for piece in _between(composed, spans))


def url_spans(text: str) -> list[tuple[int, int]]:
    """Where X sees URLs in a composed text: start and end of each."""
    spans: list[tuple[int, int]] = []
    at = 0
    while found := _START.search(text, at):
        span = _with_scheme(text, found) if found["scheme"] else _bare(text, found)
        at = span[1] if span else found.end()
        if span and span[1] - span[0] <= _LONGEST_URL:
            spans.append(span)
    return spans


def _with_scheme(text: str, found: regex.Match[str]) -> tuple[int, int] | None:
    length = _length_of_name(found["host"])
    if not length:
        return None
    if short := _SHORTENED.match(text, found.start()):
        return (found.start(), short.end()) if len(short["slug"]) <= _LONGEST_SLUG else None
    return found.start(), _end_of_url(text, found.start("host") + length)


def _bare(text: str, found: regex.Match[str]) -> tuple[int, int] | None:
    """Without `https://` only a Latin name counts, and not right after one of -_./"""
    for name in _BARE_NAME.finditer(found["host"]):
        start = found.start("host") + name.start()
        length = _length_of_name(name[0])
        if not length or (start == found.start() and text[start - 1 : start] in ("-", "_", ".", "/")):
            continue
        if text[start + length : start + length + 1] not in ("@", "+", "-"):
            return start, _end_of_url(text, start + length)
    return None


def _end_of_url(text: str, end_of_name: int) -> int:
    rest = _REST.match(text, end_of_name)
    return rest.end() if rest else end_of_name


def _length_of_name(host: str) -> int:
    """How much of it is a host name that ends in a known top-level domain; 0: none of it."""
    labels = host.split(".")
    while len(labels) > 1:
        if ending := _known_ending(labels[-1]):
            labels[-1] = ending
            return len(".".join(labels)) if all(map(_fits, labels)) and "_" not in labels[-2] else 0
        labels.pop()
    return 0


def _known_ending(label: str) -> str:
    """The label if it is a top-level domain, or that part of it which is one before other letters than a-z."""
    if label.lower() in _endings():
        return label
    latin = regex.match(r"[a-z0-9-]*", label, regex.IGNORECASE)
    start = latin[0] if latin else ""
    return start if start.lower() in _endings() else ""


def _fits(label: str) -> bool:
    if not label or label[0] in "-_" or label[-1] in "-_":
        return False
    if label.isascii():
        return len(label) <= _LONGEST_LABEL
    return not label.lower().startswith("xn--") and len(label.encode("punycode")) + 4 <= _LONGEST_LABEL


@cache
def _endings() -> frozenset[str]:
    # Imported at first use: the library loads an HTTP client, which every start would pay for. The list is the
    # snapshot inside the library; nothing is fetched.
    from tldextract import TLDExtract

    names = TLDExtract(suffix_list_urls=(), cache_dir=None).tlds
    return frozenset(name.rpartition(".")[2] for name in names) | {"onion"}


def _between(text: str, spans: list[tuple[int, int]]) -> list[str]:
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    return [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _weight(piece: str) -> int:
    rest, emoji = EMOJI.subn("", piece)
    return EMOJI_WEIGHT * emoji + sum(_of(ord(sign)) for sign in rest)


def _of(point: int) -> int:
    return 1 if any(low <= point <= high for low, high in _LIGHT) else 2
