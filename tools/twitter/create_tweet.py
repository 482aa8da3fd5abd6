"""Publishes a post on X."""

from __future__ import annotations

from tools.disclosure import AiGenerated
from tools.playbook import Playbook
from tools.proof import Proof
from tools.tool import Parameters, Tool
from tools.twitter import moves
from tools.twitter.parameters import Words
from tools.twitter.published import Published


class CreateTweet(Parameters):
    """A new post."""

    text: Words
    ai_generated: AiGenerated = False


def goal(parameters: CreateTweet) -> str:
    """What the full engine's agent is told."""
    mark = " Set X's mark for AI-generated content first." if parameters.ai_generated else ""
    return (
        "Publish one new post on X, once, with exactly the text between the lines, unchanged and complete; then open the "
        f"new post and report its number and address.{mark}\n---\n{parameters.text}\n---"
    )


def playbook(parameters: CreateTweet) -> Playbook:
    """Opens the composer, writes, sends."""
    written = moves.write(parameters.text, ai_generated=parameters.ai_generated)
    return moves.open_composer(), written, *moves.send()


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
