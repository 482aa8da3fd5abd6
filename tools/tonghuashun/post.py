"""Publishes an article in Tonghuashun's community. Experimental: only code for articles is public."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from tools.disclosure import AiGenerated
from tools.length import at_most
from tools.playbook import Answer, Click, Expect, Fill, Goto, Listen, Playbook, Reading, Stage, Wait
from tools.posted import Posted
from tools.proof import Proof
from tools.readback import TAKEN, look_back
from tools.tonghuashun import page
from tools.tool import Parameters, Tool
from tools.wording import refusals

LIMIT = 20_000
TITLE_LIMIT = 36
SENT = r"/newcircle/[^?#]*(?:publish|submit|save|add|create)(?!\w*[Dd]raft)"
"""Where a new article goes. A GUESS until a real account shows it: the site's own address for it is not publicly documented."""
AI_LINE = "(本文由AI生成)"
"""The site has no mark of its own for AI-generated text, so the article says it in its last line."""
NO_RIGHTS = (
    "Tonghuashun led to its guide for creators instead of the editor: this account has no creator rights there "
    "(apply for them on the site), or its login has run out"
)


class Post(Parameters):
    """A new article."""

    text: Annotated[str, AfterValidator(at_most(LIMIT, "Tonghuashun"))] = Field(
        min_length=1, description=f"The text, at most {LIMIT} characters."
    )
    title: Annotated[str, AfterValidator(at_most(TITLE_LIMIT, "Tonghuashun", "title"))] | None = Field(
        default=None,
        description=f"The title, at most {TITLE_LIMIT} characters. Left out, it is the beginning of the text's first line.",
    )
    ai_generated: AiGenerated = False

    @property
    def heading(self) -> str:
        """The title that the article gets."""
        first = next(line.strip() for line in self.text.splitlines() if line.strip())
        return self.title or first[:TITLE_LIMIT]

    @property
    def body(self) -> str:
        """The text that the article gets."""
        return f"{self.text}\n{AI_LINE}" if self.ai_generated else self.text


class Article(Posted):
    """The new article, read back at its own address."""

    @classmethod
    def worded(cls, readings: Mapping[str, str]) -> dict[str, object]:
        """Puts the address together from the article's number."""
        if "postId" not in readings:
            return super().worded(readings)
        return super().worded({**readings, "postUrl": f"https://t.10jqka.com.cn/pid_{readings['postId']}.shtml"})


def goal(parameters: Post) -> str:
    """What the full engine's agent is told."""
    return (
        "Publish one new article in Tonghuashun's community (https://t.10jqka.com.cn/newcircle/creation/postAll), once, with "
        f"the title '{parameters.heading}' and exactly the text between the lines, unchanged and complete; then report its "
        f"number and its address, which is https://t.10jqka.com.cn/pid_NUMBER.shtml.\n---\n{parameters.body}\n---"
    )


def playbook(parameters: Post) -> Playbook:
    """Opens the editor, writes title and text, goes on to the last page, publishes."""
    editor = Expect(
        url=r"/newcircle/creation/(?!adviserEnterGuide)", failure="PLATFORM_ERROR", message=NO_RIGHTS, seconds=2
    )
    number = ("result.pid", "result.id", "result.postId", "data.pid", "data.id")
    sent = refusals("errorMsg", unless="result.pid", code="errorCode")
    return (
        Stage(
            "Open the workplace for creators", (Goto("/newcircle/creation/postAll"), editor, Wait(page.NEW)), "opening"
        ),
        Stage("Open the editor", (Click(page.NEW), Wait(page.TITLE)), "opening", skip_if=page.TITLE),
        Stage(
            "Write the article",
            (
                Fill(page.TITLE, parameters.heading),
                Fill(page.BODY, parameters.body, frame=page.FRAME),
                Click(page.NEXT),
            ),
            "writing",
        ),
        Stage(
            "Publish the article",
            (
                Wait(page.PUBLISH),
                Listen("sent", SENT),
                Click(page.PUBLISH, publishes=True),
                Answer("sent", {"postId": number, TAKEN: number}, sent),
            ),
            "publishing",
        ),
    )


def proof(parameters: Post) -> Proof:
    """Opens the article at its own address; while it is reviewed it does not stand there yet."""
    look = look_back("/pid_{postId}.shtml", page.POST_TEXT, page.MISSING, parameters.text, goal="Read the article back")
    return Proof(look, {name: Reading(name) for name in ("postId", "shown")})


tool = Tool(
    name="tonghuashun.post",
    summary="Publish an article in Tonghuashun's community (experimental).",
    parameters=Post,
    result=Article,
    goal=goal,
    effect="publish",
    example=Post(text="今天的市场观察", title="市场观察"),
    playbook=playbook,
    proof=proof,
    content=lambda parameters: f"{parameters.heading}\n\n{parameters.body}",
)
