"""What the tools of X answer, made out of what was read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from tools.readback import ReadBack
from tools.twitter.address import Address


class Published(ReadBack):
    """A new post on X, read back by its number."""

    done: ClassVar[str] = "Posted"
    tweet_url: str = Field(description="The address of the new post.")
    tweet_id: str = Field(description="The number that X gave to the new post.")
    review: bool = Field(default=False, description="True: X took the post but does not show it at present.")

    @classmethod
    def worded(cls, readings: Mapping[str, str]) -> dict[str, object]:
        """Out of `tweetId`, `author` and `shown`; without a number there is no result."""
        number = readings.get("tweetId")
        if not number:
            return dict(readings)
        url = Address(id=number, user=readings.get("author")).url
        review = "shown" not in readings
        note = ": X took it but does not show it at present" if review else ""
        return {"output": f"{cls.done} {url}{note}", "tweetUrl": url, "tweetId": number, "review": review}


class Engaged(ReadBack):
    """A like or a repost, seen on the post afterwards."""

    done: ClassVar[str]
    tweet_url: str = Field(description="The address of the post.")
    tweet_id: str = Field(description="The post's number.")
    already: bool = Field(default=False, description="True: it had been done before, so nothing was changed now.")

    @classmethod
    def worded(cls, readings: Mapping[str, str]) -> dict[str, object]:
        """Out of `tweetUrl`, `tweetId`, and `was`: the button's test id before the click."""
        already = readings.get("was", "").startswith("un")
        before = f"{cls.done} before, so nothing was changed:" if already else cls.done
        known = {name: value for name, value in readings.items() if name != "was"}
        return {**known, "already": already, "output": f"{before} {readings.get('tweetUrl', '')}".strip()}
