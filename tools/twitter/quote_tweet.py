"""Quotes a post on X in a new one."""

from __future__ import annotations

from tools.playbook import Click, Expect, Playbook, Wait
from tools.proof import Proof
from tools.tool import Tool
from tools.twitter import moves, page
from tools.twitter.parameters import OnePost, Written
from tools.twitter.published import Published


class QuoteTweet(Written, OnePost):
    """A new post that shows another one."""


class Quote(Published):
    """The new post, read back by its number."""

    done = "Quoted in"


def goal(parameters: QuoteTweet) -> str:
    """What the full engine's agent is told."""
    return parameters.told(f"Quote on X the post at {parameters.tweet_url} (its repost button, then Quote)")


def playbook(parameters: QuoteTweet) -> Playbook:
    """Opens the post, chooses to quote it, sees that the dialog shows it, writes, sends."""
    post = parameters.post
    card = Expect(page.CARD, message="the dialog does not show the post that is to be quoted")
    either = (*page.of(page.REPOST, post.id), *page.of(page.REPOSTED, post.id))
    choose = (Click(either), Click(page.QUOTE), Wait(page.DIALOG), card)
    return moves.open_post(post), *moves.publish(parameters, *choose, goal="Choose to quote it, and write the text")


def proof(parameters: QuoteTweet) -> Proof:
    """Reads the new post back by its number."""
    return moves.read_back(parameters.text)


tool = Tool(
    name="twitter.quoteTweet",
    summary="Quote a post on X (Twitter) with a text of your own.",
    parameters=QuoteTweet,
    result=Quote,
    goal=goal,
    effect="publish",
    example=QuoteTweet(tweet_url="https://x.com/jack/status/20", text="Where it all began"),
    playbook=playbook,
    proof=proof,
    content=lambda parameters: parameters.text,
)
