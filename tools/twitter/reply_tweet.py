"""Answers a post on X."""

from __future__ import annotations

from tools.disclosure import AiGenerated
from tools.playbook import Playbook
from tools.proof import Proof
from tools.tool import Parameters, Tool
from tools.twitter import moves
from tools.twitter.address import parse
from tools.twitter.parameters import TweetUrl, Words
from tools.twitter.published import Published


class ReplyTweet(Parameters):
    """An answer to a post."""

    tweet_url: TweetUrl
    text: Words
    ai_generated: AiGenerated = False


class Reply(Published):
    """The new answer, read back by its number."""

    done = "Replied"


def goal(parameters: ReplyTweet) -> str:
    """What the full engine's agent is told."""
    mark = " Set X's mark for AI-generated content first." if parameters.ai_generated else ""
    return (
        f"Reply on X to the post at {parameters.tweet_url}, once, with exactly the text between the lines, unchanged and "
        f"complete; then open your reply and report its number and address.{mark}\n---\n{parameters.text}\n---"
    )


def playbook(parameters: ReplyTweet) -> Playbook:
    """Sees that the post is there, opens the composer for a reply, writes, sends."""
    post = parse(parameters.tweet_url)
    written = moves.write(parameters.text, ai_generated=parameters.ai_generated)
    return moves.open_post(post), moves.open_composer(post.id), written, *moves.send()


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
