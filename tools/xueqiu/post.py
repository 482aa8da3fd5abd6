"""Publishes a post on Xueqiu."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from tools.disclosure import AiGenerated, disclosed
from tools.length import at_most
from tools.playbook import Answer, Click, Fill, Goto, Listen, Playbook, Reading, Stage, Wait
from tools.posted import Posted
from tools.proof import Proof
from tools.readback import TAKEN, look_back
from tools.tool import Parameters, Tool
from tools.wording import refusals
from tools.xueqiu import page

LIMIT = 10_000


class Post(Parameters):
    """A new post on the home page."""

    text: Annotated[str, AfterValidator(at_most(LIMIT, "Xueqiu"))] = Field(
        min_length=1,
        description=f"The text, at most {LIMIT} characters. A stock is named like this: $贵州茅台(SH600519)$.",
    )
    ai_generated: AiGenerated = False


class XueqiuPost(Posted):
    """The new post, read back at its own address."""

    author: str = Field(description="The author's number on Xueqiu: the address is https://xueqiu.com/AUTHOR/NUMBER.")

    @classmethod
    def worded(cls, readings: Mapping[str, str]) -> dict[str, object]:
        """Puts the address together from the author's number and the post's."""
        if "author" not in readings:
            return super().worded(readings)
        address = f"https://xueqiu.com/{readings['author']}/{readings.get('postId', '')}"
        return super().worded({**readings, "postUrl": address})


def goal(parameters: Post) -> str:
    """What the full engine's agent is told."""
    mark = " Tick the box that declares AI-generated content first." if parameters.ai_generated else ""
    return (
        "Publish one new post on Xueqiu (the box on the home page, then the button that publishes), once, with exactly the "
        "text between the lines, unchanged and complete; then open the new post and report its number and its address, "
        f"which is https://xueqiu.com/AUTHOR/NUMBER.{mark}\n---\n{parameters.text}\n---"
    )


def playbook(parameters: Post) -> Playbook:
    """Wakes the editor on the home page, writes, publishes."""
    mark = disclosed(page.AI_MARK, page.AI_MARKED, "Xueqiu") if parameters.ai_generated else ()
    number = ("id", "data.id", "status.id")
    readings = {"postId": number, TAKEN: number, "author": ("user_id", "data.user_id", "user.id")}
    sent = refusals("error_description", unless="id", code="error_code")
    return (
        Stage("Open the home page", (Goto("/"), Wait((*page.PLACEHOLDER, *page.BOX))), "opening"),
        Stage("Wake the editor", (Click(page.PLACEHOLDER), Wait(page.BOX)), "opening", skip_if=page.BOX),
        Stage("Write the post", (Fill(page.BOX, parameters.text), *mark), "writing"),
        Stage(
            "Publish the post",
            (
                Listen("sent", r"/statuses/update\.json"),
                Click(page.READY, publishes=True),
                Answer("sent", readings, sent),
            ),
            "publishing",
        ),
    )


def proof(parameters: Post) -> Proof:
    """Opens the post at its own address; while it is reviewed it does not stand there yet."""
    look = look_back("/{author}/{postId}", page.POST_TEXT, page.MISSING, parameters.text, goal="Read the post back")
    return Proof(look, {name: Reading(name) for name in ("postId", "author", "shown")}, by="author")


tool = Tool(
    name="xueqiu.post",
    summary="Publish a post on Xueqiu.",
    parameters=Post,
    result=XueqiuPost,
    goal=goal,
    effect="publish",
    example=Post(text="今天继续学习价值投资 $贵州茅台(SH600519)$"),
    playbook=playbook,
    proof=proof,
    content=lambda parameters: parameters.text,
)
