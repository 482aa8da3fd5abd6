"""Publishes a post on the practice site."""

from __future__ import annotations

from pydantic import Field

from tools.demo.post import LOGGED_IN, MISSING, POST, POST_TEXT, REFUSALS
from tools.playbook import Answer, Click, Expect, Fill, Goto, Listen, Playbook, Read, Reading, Stage, Wait
from tools.proof import Proof
from tools.tool import Parameters, Result, Tool

EDITOR = "[data-testid=editor]"
PUBLISH = "[data-testid=publish]"


class CreatePost(Parameters):
    """What to publish."""

    text: str = Field(min_length=1, max_length=500, pattern=r"\S", description="The post's text, 1 to 500 characters.")


class Post(Result):
    """The post as its own page shows it."""

    post_url: str | None = Field(default=None, description="The post's URL.")
    post_id: str | None = Field(default=None, description="The post's id.")
    text: str | None = Field(default=None, description="The text as read back from the post's page.")


def goal(p: CreatePost) -> str:
    """What to do, in words."""
    return (
        f"Publish one new post on the practice site, with exactly the text below, and give its URL and id.\n\n{p.text}"
    )


def playbook(p: CreatePost) -> Playbook:
    """Opens the editor, types, publishes, and takes the id from the answer behind the button."""
    return (
        Stage("Open the editor as the account", (Goto("/compose"), LOGGED_IN), word="authenticating"),
        Stage("Write the post", (Fill(EDITOR, p.text), Expect(f"{PUBLISH}[aria-disabled=false]")), word="writing"),
        Stage(
            "Publish the post",
            (
                Listen("created", r"/api/posts$"),
                Click(PUBLISH, publishes=True),
                Answer("created", readings={"postId": "id"}, refusals=REFUSALS),
            ),
            word="publishing",
        ),
    )


def proof(p: CreatePost) -> Proof:
    """The post's page shows the text."""
    return Proof(
        stages=(
            Stage(
                "Read the post back from its page",
                (
                    Goto(Reading("postId", before="/posts/")),
                    Wait((POST, MISSING)),
                    Expect(POST_TEXT, text=p.text, seconds=0, message="The post's page does not show the text."),
                    Read("text", POST_TEXT),
                    Read("postUrl", POST, attribute="data-url"),
                ),
                word="verifying",
            ),
        ),
        result={
            "output": Reading("postId", before="Published post ", after=" and read it back from its page."),
            "postUrl": Reading("postUrl"),
            "postId": Reading("postId"),
            "text": Reading("text"),
        },
    )


tool = Tool(
    name="demo.createPost",
    summary="Publish a post on the practice site and read it back from its page.",
    parameters=CreatePost,
    result=Post,
    goal=goal,
    effect="publish",
    example=CreatePost(text="Hello from Webhand!"),
    playbook=playbook,
    proof=proof,
    content=lambda p: p.text,
)
