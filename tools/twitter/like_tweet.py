"""Likes a post on X."""

from __future__ import annotations

from tools.playbook import Answer, Click, Listen, Playbook
from tools.proof import Proof
from tools.tool import Tool
from tools.twitter import moves, page
from tools.twitter.parameters import OnePost
from tools.twitter.published import Engaged


class LikeTweet(OnePost):
    """A post to like."""


class Like(Engaged):
    """The like, as the post shows it."""

    done = "Liked"


def goal(parameters: LikeTweet) -> str:
    """What the full engine's agent is told."""
    return (
        f"Like the post at {parameters.tweet_url} on X. When it is liked already, change nothing and say so. "
        "Report the post's number and address."
    )


def playbook(parameters: LikeTweet) -> Playbook:
    """Opens the post; likes it unless that was done before."""
    post = parameters.post
    like, liked = page.of(page.LIKE, post.id), page.of(page.LIKED, post.id)
    act = (
        Listen("liked", r"/graphql/[^/?]+/FavoriteTweet"),
        Click(like, publishes=True),
        Answer("liked", {"answer": "data.favorite_tweet"}, page.REFUSALS, optional=True),
    )
    return moves.engage(post, like, liked, act, order="Like it", word="liked")


def proof(parameters: LikeTweet) -> Proof:
    """Opens the post again: it must stand there as liked."""
    return moves.engaged(parameters.post, page.LIKED, word="liked")


tool = Tool(
    name="twitter.likeTweet",
    summary="Like a post on X (Twitter).",
    parameters=LikeTweet,
    result=Like,
    goal=goal,
    effect="engage",
    example=LikeTweet(tweet_url="https://x.com/jack/status/20"),
    playbook=playbook,
    proof=proof,
)
