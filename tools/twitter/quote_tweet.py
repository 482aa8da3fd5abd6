"""Quotes a post on X in a new one."""

from __future__ import annotations

from tools.disclosure import AiGenerated
from tools.playbook import Click, Expect, Playbook, Stage, Wait
from tools.proof import Proof
from tools.tool import Parameters, Tool
from tools.twitter import moves, page
from tools.twitter.address import parse
from tools.twitter.parameters import TweetUrl, Words
from tools.twitter.published import Published


class QuoteTweet(Parameters):
    """A new post that shows another one."""

    tweet_url: TweetUrl
    text: Words
    ai_generated: AiGenerated = False


class Quote(Published):
    """The new post, read back by its number."""

    done = "Quoted in"


def goal(parameters: QuoteTweet) -> str:
    """What the full engine's agent is told."""
    mark = " Set X's mark for AI-generated content first." if parameters.ai_generated else ""
    return (
        f"Quote on X the post at {parameters.tweet_url} (its repost button, then Quote), once, with exactly the text "
        "between the lines, unchanged and complete; then open your new post and report its number and address."
        f"{mark}\n---\n{parameters.text}\n---"
    )


def playbook(parameters: QuoteTweet) -> Playbook:
    """Opens the post, chooses to quote it, sees that the dialog shows it, writes, sends."""
    post = parse(parameters.tweet_url)
    card = Expect(page.CARD, message="the dialog does not show the post that is to be quoted")
    either = (*page.of(page.REPOST, post.id), *page.of(page.REPOSTED, post.id))
    quote = Stage("Choose to quote it", (Click(either), Click(page.QUOTE), Wait(page.DIALOG), card), "opening")
    written = moves.write(parameters.text, ai_generated=parameters.ai_generated)
    return moves.open_post(post), quote, written, *moves.send()


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
