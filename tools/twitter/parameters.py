"""What several tools of X want to know."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from tools.disclosure import AiGenerated
from tools.tool import Parameters
from tools.twitter.address import Address, parse
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


class OnePost(Parameters):
    """A post that is there already."""

    tweet_url: TweetUrl

    @property
    def post(self) -> Address:
        """The post's number and author."""
        return parse(self.tweet_url)


class Written(Parameters):
    """Something to be written."""

    text: Words
    ai_generated: AiGenerated = False

    def told(self, order: str) -> str:
        """What the full engine's agent is told: the order, then the text between lines."""
        mark = " Set X's mark for AI-generated content first." if self.ai_generated else ""
        return (
            f"{order}, once, with exactly the text between the lines, unchanged and complete; then open the new post and "
            f"report its number and address.{mark}\n---\n{self.text}\n---"
        )
