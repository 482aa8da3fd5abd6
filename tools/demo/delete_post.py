"""Deletes a post of the account's own on the practice site."""

from __future__ import annotations

from pydantic import Field

from tools.demo.post import LOGGED_IN, MISSING, POST, REFUSALS, PostUrl, open_post
from tools.playbook import Answer, Click, Expect, Goto, Listen, Playbook, Read, Reading, Stage
from tools.proof import Proof
from tools.tool import Parameters, Result, Tool

DELETE = "[data-testid=delete]"
CONFIRM = "[data-testid=delete-confirm]"


class DeletePost(Parameters):
    """Which post to delete."""

    post_url: PostUrl


class Deletion(Result):
    """The post that is gone."""

    post_url: str | None = Field(default=None, description="The URL where the post was.")


def goal(p: DeletePost) -> str:
    """What to do, in words."""
    return (
        f"Delete the post at the path {p.post_url} of the practice site, and confirm that in the dialog. "
        "If it is not the account's own post, say so and stop."
    )


def playbook(p: DeletePost) -> Playbook:
    """Asks for the deletion, then confirms it."""
    return (
        open_post(p.post_url),
        Stage(
            "Check that the post is the account's own",
            (
                Expect(
                    f"{POST}[data-own=true]",
                    seconds=0,
                    failure="PLATFORM_ERROR",
                    message="Only its author can delete a post.",
                ),
                Read("postUrl", POST, attribute="data-url"),
            ),
        ),
        Stage(
            "Delete the post",
            (
                Click(DELETE),
                Listen("deleted", r"/api/posts/\d+$", method="DELETE"),
                Click(CONFIRM, publishes=True),
                Answer("deleted", refusals=REFUSALS),
            ),
            word="deleting",
        ),
    )


def proof(p: DeletePost) -> Proof:
    """The post's page is gone, while the account is still logged in."""
    return Proof(
        stages=(
            Stage(
                "See that the post's page is gone",
                (Goto(p.post_url), LOGGED_IN, Expect(MISSING, seconds=3, message="The post's page is still there.")),
                word="verifying",
            ),
        ),
        result={"output": f"Deleted {p.post_url}; its page is gone.", "postUrl": Reading("postUrl")},
    )


tool = Tool(
    name="demo.deletePost",
    summary="Delete one of the account's own posts on the practice site, for good.",
    parameters=DeletePost,
    result=Deletion,
    goal=goal,
    effect="delete",
    example=DeletePost(post_url="/posts/105"),
    playbook=playbook,
    proof=proof,
)
