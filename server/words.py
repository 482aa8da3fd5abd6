"""Names of the catalog as people write them."""

from __future__ import annotations

import re

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
