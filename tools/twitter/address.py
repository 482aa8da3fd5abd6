"""The address of a post on X, however it was copied."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SHAPE = re.compile(
    r"(?:https?://)?(?:www\.|mobile\.)?(?:x|twitter)\.com/(?P<user>i/web|i|[A-Za-z0-9_]{1,15})/status/(?P<id>[0-9]{1,25})"
    r"(?:/(?:photo|video)/[0-9]+)?/?(?:[?#]\S*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Address:
    """A post: its number, and its author where that is known."""

    id: str
    user: str | None = None

    @property
    def path(self) -> str:
        """The post's path below the site's home; X itself adds the author to it."""
        return f"/i/status/{self.id}"

    @property
    def url(self) -> str:
        """The post's address as people share it."""
        return f"https://x.com/{self.user or 'i'}/status/{self.id}"


def parse(url: str) -> Address:
    """The post that the URL names. Raises ValueError that shows the accepted shape."""
    found = _SHAPE.fullmatch(url.strip())
    if found is None:
        raise ValueError(
            "not the address of a post on X: use https://x.com/USER/status/NUMBER "
            "(also twitter.com, mobile.twitter.com, /i/status/NUMBER)"
        )
    user = found["user"]
    return Address(id=found["id"], user=None if user.lower() in ("i", "i/web") else user)
