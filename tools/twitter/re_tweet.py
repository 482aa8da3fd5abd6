"""Reposts a post on X."""

from __future__ import annotations

from tools.playbook import Answer, Click, Listen, Playbook, Wait
from tools.proof import Proof
from tools.tool import Tool
from tools.twitter import moves, page
from tools.twitter.parameters import OnePost
from tools.twitter.published import Engaged


class ReTweet(OnePost):
    """A post to repost."""


class Repost(Engaged):
    """The repost, as the post shows it."""

    done = "Reposted"


def goal(parameters: ReTweet) -> str:
    """What the full engine's agent is told."""
    return (
        f"Repost the post at {parameters.tweet_url} on X, without a comment. When it is reposted already, change nothing "
        "and say so. Report the post's number and address."
    )


def playbook(parameters: ReTweet) -> Playbook:
    """Opens the post; reposts it unless that was done before."""
    post = parameters.post
    repost, reposted = page.of(page.REPOST, post.id), page.of(page.REPOSTED, post.id)
    act = (
        Click(repost),
        Wait(page.CONFIRM),
        Listen("reposted", r"/graphql/[^/?]+/CreateRetweet"),
        Click(page.CONFIRM, publishes=True),
        Answer(
            "reposted", {"answer": "data.create_retweet.retweet_results.result.rest_id"}, page.REFUSALS, optional=True
        ),
    )
    return moves.engage(post, repost, reposted, act, order="Repost it", word="reposted")


def proof(parameters: ReTweet) -> Proof:
    """Opens the post again: it must stand there as reposted."""
    return moves.engaged(parameters.post, page.REPOSTED, word="reposted")


tool = Tool(
    name="twitter.reTweet",
    summary="Repost a post on X (Twitter).",
    parameters=ReTweet,
    result=Repost,
    goal=goal,
    effect="engage",
    example=ReTweet(tweet_url="https://x.com/jack/status/20"),
    playbook=playbook,
    proof=proof,
)
