"""Answers a post on X."""

from __future__ import annotations

from tools.playbook import Playbook
from tools.proof import Proof
from tools.tool import Tool
from tools.twitter import moves
from tools.twitter.parameters import OnePost, Written
from tools.twitter.published import Published


class ReplyTweet(Written, OnePost):
    """An answer to a post."""


class Reply(Published):
    """The new answer, read back by its number."""

    done = "Replied"


def goal(parameters: ReplyTweet) -> str:
    """What the full engine's agent is told."""
    return parameters.told(f"Reply on X to the post at {parameters.tweet_url}")


def playbook(parameters: ReplyTweet) -> Playbook:
    """Sees that the post is there, opens the composer for a reply, writes, sends."""
    post = parameters.post
    return moves.open_post(post), moves.open_composer(post.id), *moves.publish(parameters)


def proof(parameters: ReplyTweet) -> Proof:
    """Reads the reply back by its number."""
    return moves.read_back(parameters.text)


tool = Tool(
    name="twitter.replyTweet",
    summary="Reply to a post on X (Twitter).",
    parameters=ReplyTweet,
    result=Reply,
    goal=goal,
    effect="publish",
    example=ReplyTweet(tweet_url="https://x.com/jack/status/20", text="Congratulations!"),
    playbook=playbook,
    proof=proof,
    content=lambda parameters: parameters.text,
)
