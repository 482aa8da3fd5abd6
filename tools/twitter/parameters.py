"""What several tools of X want to know."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from tools.twitter.address import parse
from tools.twitter.weight import LIMIT, check

Words = Annotated[
    str,
    Field(
        min_length=1,
        description=f"The text, at most {LIMIT} characters as X counts them: a URL counts 23, Chinese characters and emoji 2.",
    ),
    AfterValidator(check),
]
TweetUrl = Annotated[
    str,
    Field(description="The post's address, for example https://x.com/jack/status/20."),
    AfterValidator(lambda url: parse(url).url),
]
