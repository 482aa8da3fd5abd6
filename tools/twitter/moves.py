"""The stages that several tools of X share: open a post, write, send, read back."""

from __future__ import annotations

from tools.landmark import pattern
from tools.playbook import Answer, Click, Expect, Fill, Goto, Listen, Read, Reading, Stage, Wait
from tools.proof import Proof
from tools.twitter import page
from tools.twitter.address import Address


def open_composer(post: str | None = None) -> Stage:
    """Opens the box for a new post, or for an answer to the post of that number, which must then stand above the box."""
    if post is None:
        return Stage("Open the box for a new post", (Goto("/compose/post"), Wait(page.DIALOG)), "opening")
    above = Expect(page.ANSWERED, message="the post to answer does not stand above the box")
    return Stage(
        "Open the box for the reply", (Goto(f"/compose/post?in_reply_to={post}"), Wait(page.DIALOG), above), "opening"
    )


def open_post(address: Address) -> Stage:
    """Opens the post and makes sure that it is there."""
    post = page.of(page.POST, address.id)
    gone = f"There is no post at {address.url}, or this account may not see it"
    moves = (
        Goto(address.path),
        Wait((*post, *page.NO_POST)),
        Expect(post, failure="NOT_FOUND", message=gone, seconds=0),
    )
    return Stage("Open the post", moves, "opening")


def write(text: str, *, ai_generated: bool) -> Stage:
    """Writes the text into the open dialog, behind X's own mark where the caller asks for it."""
    unmarked = "X's mark for AI-generated posts could not be set, so nothing was published"
    mark = (Click(page.AI_MARK, within=page.DIALOG), Expect(page.AI_MARKED, message=unmarked)) if ai_generated else ()
    return Stage("Write the text", (*mark, Fill(page.BOX, text, within=page.DIALOG)), "writing")


def send() -> tuple[Stage, Stage]:
    """Sends what the dialog holds and learns the new post's number: from the answer, else from the link in the toast."""
    sending = (
        Listen("sent", r"/graphql/[^/?]+/CreateTweet"),
        Click(page.SEND, within=page.DIALOG, publishes=True),
        Answer("sent", {"tweetId": page.MADE}, page.REFUSALS, optional=True),
    )
    link = Read("tweetId", page.TOAST_LINK, attribute="href", pattern=r"/status/(\d+)", seconds=5.0)
    return (
        Stage("Send it", sending, "publishing"),
        Stage("Look for the link to the new post", (link,), "publishing", unless="tweetId"),
    )


def read_back(text: str) -> Proof:
    """Opens the new post and reads it. The number that X gave it shows that X took it, even while X does not show it."""
    post, words = page.of(page.POST, "{tweetId}"), page.of(page.TEXT, "{tweetId}")
    moves = (
        Goto("/i/status/{tweetId}", "read_back"),
        Read("there", (*post, *page.NO_POST), optional=True),
        Read("shown", words, pattern=f"({pattern(text)})", optional=True, seconds=2.0),
        Read(
            "author",
            page.of(page.AUTHOR, "{tweetId}"),
            attribute="href",
            pattern=r"/(\w+)/status/",
            optional=True,
            seconds=0,
        ),
    )
    readings = {name: Reading(name) for name in ("tweetId", "author", "shown")}
    return Proof((Stage("Read the post back", moves, "verifying"),), readings)
