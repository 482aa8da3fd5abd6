"""Likes a post on the practice site."""

from __future__ import annotations

from pydantic import Field

from tools.demo.post import POST, REFUSALS, PostUrl, open_post
from tools.playbook import Answer, Click, Expect, Listen, Playbook, Read, Reading, Stage
from tools.proof import Proof
from tools.tool import Parameters, Result, Tool

LIKE = "[data-testid=like]"
LIKED = "[data-testid=unlike]"


class LikePost(Parameters):
    """Which post to like."""

    post_url: PostUrl


class Like(Result):
    """The post that the account likes now."""

    post_url: str | None = Field(default=None, description="The post's URL.")
    post_id: str | None = Field(default=None, description="The post's id.")


def goal(p: LikePost) -> str:
    """What to do, in words."""
    return f"Like the post at the path {p.post_url} of the practice site; if it is liked already, leave it so."


def playbook(p: LikePost) -> Playbook:
    """Presses the heart, unless it is full already."""
    return (
        open_post(p.post_url),
        Stage(
            "Like the post",
            (
                Listen("liked", r"/api/posts/\d+/like$", method="PUT"),
                Click(LIKE, publishes=True),
                Answer("liked", refusals=REFUSALS),
            ),
            word="liking",
            skip_if=LIKED,
        ),
    )


def proof(p: LikePost) -> Proof:
    """The post's page, opened afresh, shows the like."""
    afresh = open_post(p.post_url)
    return Proof(
        stages=(
            Stage(
                "Read the like back from the post's page",
                (
                    *afresh.moves,
                    Expect(LIKED, seconds=3, message="The post's page does not show the like."),
                    Read("postUrl", POST, attribute="data-url"),
                    Read("postId", POST, attribute="data-post-id"),
                ),
                word="verifying",
            ),
        ),
        result={
            "output": Reading("postId", before="Liked post ", after="; its page shows the like."),
            "postUrl": Reading("postUrl"),
            "postId": Reading("postId"),
        },
    )


tool = Tool(
    name="demo.likePost",
    summary="Like a post on the practice site; one that is liked already stays liked.",
    parameters=LikePost,
    result=Like,
    goal=goal,
    effect="engage",
    example=LikePost(post_url="/posts/103"),
    playbook=playbook,
    proof=proof,
)
