"""Likes a post on X."""

from __future__ import annotations

from tools.playbook import Answer, Click, Goto, Listen, Playbook, Read, Reading, Stage, Wait
from tools.proof import Proof
from tools.tool import Parameters, Tool
from tools.twitter import moves, page
from tools.twitter.address import parse
from tools.twitter.parameters import TweetUrl
from tools.twitter.published import Engaged


class LikeTweet(Parameters):
    """A post to like."""

    tweet_url: TweetUrl


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
    post = parse(parameters.tweet_url)
    like, liked = page.of(page.LIKE, post.id), page.of(page.LIKED, post.id)
    look = Stage("See whether it is liked already", (Read("was", (*like, *liked), attribute="data-testid"),))
    act = (
        Listen("liked", r"/graphql/[^/?]+/FavoriteTweet"),
        Click(like, publishes=True),
        Answer("liked", {"answer": "data.favorite_tweet"}, page.REFUSALS, optional=True),
    )
    return moves.open_post(post), look, Stage("Like it", act, "publishing", skip_if=liked)


def proof(parameters: LikeTweet) -> Proof:
    """Opens the post again: it must stand there as liked."""
    post = parse(parameters.tweet_url)
    look = Stage(
        "See that it is liked", (Goto(post.path, "read_back"), Wait(page.of(page.LIKED, post.id))), "verifying"
    )
    return Proof((look,), {"tweetUrl": post.url, "tweetId": post.id, "was": Reading("was")})


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
