"""Reposts a post on X."""

from __future__ import annotations

from tools.playbook import Answer, Click, Goto, Listen, Playbook, Read, Reading, Stage, Wait
from tools.proof import Proof
from tools.tool import Parameters, Tool
from tools.twitter import moves, page
from tools.twitter.address import parse
from tools.twitter.parameters import TweetUrl
from tools.twitter.published import Engaged


class ReTweet(Parameters):
    """A post to repost."""

    tweet_url: TweetUrl


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
    post = parse(parameters.tweet_url)
    repost, reposted = page.of(page.REPOST, post.id), page.of(page.REPOSTED, post.id)
    look = Stage("See whether it is reposted already", (Read("was", (*repost, *reposted), attribute="data-testid"),))
    act = (
        Click(repost),
        Wait(page.CONFIRM),
        Listen("reposted", r"/graphql/[^/?]+/CreateRetweet"),
        Click(page.CONFIRM, publishes=True),
        Answer(
            "reposted", {"answer": "data.create_retweet.retweet_results.result.rest_id"}, page.REFUSALS, optional=True
        ),
    )
    return moves.open_post(post), look, Stage("Repost it", act, "publishing", skip_if=reposted)


def proof(parameters: ReTweet) -> Proof:
    """Opens the post again: it must stand there as reposted."""
    post = parse(parameters.tweet_url)
    look = Stage(
        "See that it is reposted", (Goto(post.path, "read_back"), Wait(page.of(page.REPOSTED, post.id))), "verifying"
    )
    return Proof((look,), {"tweetUrl": post.url, "tweetId": post.id, "was": Reading("was")})


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
