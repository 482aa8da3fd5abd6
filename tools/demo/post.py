"""What the practice site's tools share: where a post is, how its page is opened, and what its answers refuse."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from tools.playbook import Expect, Goto, Refusal, Stage, Wait

ACCOUNT = "[data-testid=account-name]"
POST = "[data-testid=post]"
POST_TEXT = "[data-testid=post-text]"
MISSING = "[data-testid=not-found]"

LOGGED_IN = Expect(ACCOUNT, failure="AUTHENTICATION_FAILED", message="Nobody is logged in on the practice site.")

REFUSALS = (
    Refusal("error", "RATE_LIMITED", ("rate_limited",), message="message", retry_after="retryAfter"),
    Refusal("error", "DUPLICATE_CONTENT", ("duplicate",), message="message"),
    Refusal("error", "CONTENT_REJECTED", ("rejected",), message="message"),
    Refusal("error", "AUTHENTICATION_FAILED", ("logged_out",), message="message"),
    Refusal("error", "CHALLENGE_REQUIRED", ("challenge",), message="message"),
    Refusal("error", "ACCOUNT_SUSPENDED", ("locked",), message="message"),
    Refusal("error", "NOT_FOUND", ("not_found",), message="message"),
    Refusal("error", "PLATFORM_ERROR", message="message"),
    Refusal("", "RATE_LIMITED", retry_after="@Retry-After", statuses=(429,)),
)
"""What the JSON behind the site's buttons says in its `error`; the last one is for a 429 that is no JSON."""


def path_of(address: str) -> str:
    """The path of a post, from its URL or path. Raises ValueError where there is no /posts/ID in it."""
    found = re.fullmatch(r"(?:https?://[^/?#\s]+)?/posts/(\d{1,12})/?(?:[?#]\S*)?", address.strip())
    if found is None:
        raise ValueError("must be the address of a post, for example /posts/101")
    return f"/posts/{found[1]}"


PostUrl = Annotated[
    str,
    AfterValidator(path_of),
    Field(description="The post's URL or path, for example /posts/101. Only the path counts.", max_length=500),
]


def open_post(path: str) -> Stage:
    """Opens the post's page as the account."""
    return Stage(
        "Open the post as the account",
        (
            Goto(path),
            LOGGED_IN,
            Wait((POST, MISSING)),
            Expect(POST, seconds=0, failure="NOT_FOUND", message=f"There is no post at {path} of the practice site."),
        ),
        word="authenticating",
    )
