"""The stages that several tools of X share: open a post, write and send, act on a post, read back."""

from __future__ import annotations

from tools.disclosure import disclosed
from tools.playbook import Answer, Click, Expect, Fill, Goto, Listen, Move, Read, Reading, Stage, Wait
from tools.proof import Proof
from tools.readback import TAKEN, look_back
from tools.twitter import page
from tools.twitter.address import Address
from tools.twitter.parameters import Written


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


def publish(written: Written, *first: Move, goal: str = "Write the text") -> tuple[Stage, ...]:
    """Writes into the open dialog, after the moves that opened it in the same stage, behind X's own mark where the caller asks for it.

    Then sends it, and learns the new post's number: from the answer, else from the link in the toast.
    """
    mark = disclosed(page.AI_MARK, page.AI_MARKED, "X", within=page.DIALOG) if written.ai_generated else ()
    sending = (
        Listen("sent", r"/graphql/[^/?]+/CreateTweet"),
        Click(page.SEND, within=page.DIALOG, publishes=True),
        Answer("sent", {"tweetId": page.MADE, TAKEN: page.MADE}, page.REFUSALS, optional=True),
    )
    link = Read("tweetId", page.TOAST_LINK, attribute="href", pattern=r"/status/(\d+)", seconds=5.0)
    return (
        Stage(goal, (*first, *mark, Fill(page.BOX, written.text, within=page.DIALOG)), "writing"),
        Stage("Send it", sending, "publishing"),
        Stage("Look for the link to the new post", (link,), "publishing", unless="tweetId"),
    )


def engage(
    post: Address, todo: tuple[str, ...], done: tuple[str, ...], act: tuple[Move, ...], *, order: str, word: str
) -> tuple[Stage, ...]:
    """Opens the post and acts on it, unless that was done before: then its button stands there as `done` instead of `todo`."""
    look = Stage(f"See whether it is {word} already", (Read("was", (*todo, *done), attribute="data-testid"),))
    return open_post(post), look, Stage(order, act, "publishing", skip_if=done)


def engaged(post: Address, done: tuple[str, ...], *, word: str) -> Proof:
    """Opens the post again: its button must stand there as `done`."""
    look = Stage(f"See that it is {word}", (Goto(post.path, "read_back"), Wait(page.of(done, post.id))), "verifying")
    return Proof((look,), {"tweetUrl": post.url, "tweetId": post.id, "was": Reading("was")})


def read_back(text: str) -> Proof:
    """Reads the new post back by its number, and who wrote it: this account."""
    post, words = page.of(page.POST, "{tweetId}"), page.of(page.TEXT, "{tweetId}")
    author = Read(
        "author",
        page.of(page.AUTHOR, "{tweetId}"),
        attribute="href",
        pattern=r"/(\w+)/status/",
        optional=True,
        seconds=0,
    )
    look = look_back("/i/status/{tweetId}", words, (*post, *page.NO_POST), text, author, goal="Read the post back")
    return Proof(look, {name: Reading(name) for name in ("tweetId", "author", "shown")}, by="author")
