"""Publishes a post on a stock's board at Eastmoney."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, AliasChoices, Field

from tools import stock
from tools.disclosure import AiGenerated, disclosed
from tools.eastmoney import page
from tools.length import at_most
from tools.playbook import Answer, Click, Fill, Goto, Listen, Playbook, Reading, Stage, Wait
from tools.posted import Posted
from tools.proof import Proof
from tools.readback import TAKEN, look_back
from tools.tool import Parameters, Tool
from tools.wording import refusals

LIMIT = 5_000
SENT = r"(?i)/(?:interface/\w+\.aspx|api/\w+)\?[^#]*postopt|/postopt/api/|/action\.aspx"
"""Where a new post goes. A GUESS until a real account shows it: the site's own address for it is not publicly documented."""


class PostWithCode(Parameters):
    """A new post on one stock's board."""

    text: Annotated[str, AfterValidator(at_most(LIMIT, "Eastmoney"))] = Field(
        min_length=1, description=f"The text, at most {LIMIT} characters."
    )
    code: Annotated[str, AfterValidator(lambda code: str(stock.parse(code)))] = Field(
        validation_alias=AliasChoices("code", "stockCode", "stock_code"),
        description="The stock whose board it goes to: 600519, SH600519, 600519.SH, HK00700, AAPL. Also taken as stockCode.",
    )
    ai_generated: AiGenerated = False

    @property
    def board(self) -> str:
        """The stock as the addresses of its board have it."""
        return stock.parse(self.code).eastmoney


class EastmoneyPost(Posted):
    """The new post, read back at its own address."""

    @classmethod
    def worded(cls, readings: Mapping[str, str]) -> dict[str, object]:
        """Puts the address together from the board and the post's number."""
        if "board" not in readings:
            return super().worded(readings)
        address = f"https://guba.eastmoney.com/news,{readings['board']},{readings.get('postId', '')}.html"
        known = {name: value for name, value in readings.items() if name != "board"}
        return super().worded({**known, "postUrl": address})


def goal(parameters: PostWithCode) -> str:
    """What the full engine's agent is told."""
    mark = " Tick the box that declares AI-generated content first." if parameters.ai_generated else ""
    return (
        f"Publish one new post on Eastmoney's board https://guba.eastmoney.com/list,{parameters.board}.html, once, with exactly "
        "the text between the lines, unchanged and complete; then open the new post and report its number and its address, "
        f"which is https://guba.eastmoney.com/news,{parameters.board},NUMBER.html.{mark}\n---\n{parameters.text}\n---"
    )


def playbook(parameters: PostWithCode) -> Playbook:
    """Opens the board, writes into the form at its end, publishes."""
    mark = disclosed(page.AI_MARK, page.AI_MARKED, "Eastmoney", within=page.FORM) if parameters.ai_generated else ()
    number = ("main_post_id", "post_id", "re.main_post_id", "re.post_id", "data.post_id", "result.post_id")
    return (
        Stage("Open the board", (Goto(f"/list,{parameters.board}.html"), Wait(page.FORM)), "opening"),
        Stage(
            "Write the post",
            (Fill(page.BOX, parameters.text, within=page.FORM), *mark),
            "writing",
        ),
        Stage(
            "Publish the post",
            (
                Listen("sent", SENT),
                Click(page.SEND, within=page.FORM, publishes=True),
                Answer(
                    "sent",
                    {"postId": number, TAKEN: number},
                    refusals("me", unless="main_post_id", code="rc", bad=(0,)),
                ),
            ),
            "publishing",
        ),
    )


def proof(parameters: PostWithCode) -> Proof:
    """Opens the post at its own address; while it is reviewed it does not stand there yet."""
    address = f"/news,{parameters.board},{{postId}}.html"
    look = look_back(address, page.POST_TEXT, page.MISSING, parameters.text, goal="Read the post back")
    return Proof(look, {"postId": Reading("postId"), "shown": Reading("shown"), "board": parameters.board})


tool = Tool(
    name="eastmoney.postWithCode",
    summary="Publish a post on a stock's board at Eastmoney (guba).",
    parameters=PostWithCode,
    result=EastmoneyPost,
    goal=goal,
    effect="publish",
    example=PostWithCode(text="长期看好", code="600519"),
    playbook=playbook,
    proof=proof,
    content=lambda parameters: parameters.text,
)
