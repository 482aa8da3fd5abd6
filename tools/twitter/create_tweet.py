"""Publishes a post on X."""

from __future__ import annotations

from tools.playbook import Playbook
from tools.proof import Proof
from tools.tool import Tool
from tools.twitter import moves
from tools.twitter.parameters import Written
from tools.twitter.published import Published


class CreateTweet(Written):
    """A new post."""


def goal(parameters: CreateTweet) -> str:
    """What the full engine's agent is told."""
    return parameters.told("Publish one new post on X")


def playbook(parameters: CreateTweet) -> Playbook:
    """Opens the composer, writes, sends."""
    return moves.open_composer(), *moves.publish(parameters)


def proof(parameters: CreateTweet) -> Proof:
    """Reads the post back by its number."""
    return moves.read_back(parameters.text)


tool = Tool(
    name="twitter.createTweet",
    summary="Publish a post on X (Twitter).",
    parameters=CreateTweet,
    result=Published,
    goal=goal,
    effect="publish",
    example=CreateTweet(text="Hello World!"),
    playbook=playbook,
    proof=proof,
    content=lambda parameters: parameters.text,
)
