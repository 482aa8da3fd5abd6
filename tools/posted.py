"""What the posting tools of the finance sites answer."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from tools.readback import ReadBack


class Posted(ReadBack):
    """A new post, read back at its own address, or waiting there for the site's review."""

    post_url: str = Field(description="The address of the new post.")
    post_id: str = Field(description="The number that the site gave to the new post.")
    review: bool = Field(default=False, description="True: the site took the post and may still be reviewing it.")

    @classmethod
    def worded(cls, readings: Mapping[str, str]) -> dict[str, object]:
        """Out of `postUrl`, `postId` and `shown`: what stood at the address; without it the post is in review."""
        review = "shown" not in readings
        note = ": the site took it and may still be reviewing it" if review else ""
        known = {name: value for name, value in readings.items() if name != "shown"}
        return {**known, "output": f"Posted {readings.get('postUrl', '')}{note}".strip(), "review": review}
