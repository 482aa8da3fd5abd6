"""A language model that follows a script: a server of the OpenAI protocol (chat completions) without a model behind it.

`webhand demo --engine full` and the tests run on it. It reads what an agent is shown (the task, the page's elements) and answers
what a script says, so a run is the same every time and costs nothing. It never pretends to think.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ELEMENT = re.compile(r"\*?\[(?P<index>\d+)\]<(?P<tag>[\w-]+)(?P<attributes>[^\n]*?)\s*/>")
ATTRIBUTE = re.compile(r"([\w-]+)=(.*?)(?=\s[\w-]+=|$)")


@dataclass(frozen=True, slots=True)
class Element:
    """An element as an agent is shown it. `text` is what stands inside it."""

    index: int
    tag: str
    attributes: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What the model was shown in one request."""

    task: str
    url: str
    elements: Sequence[Element]
    text: str
    """The whole last message."""
    round: int
    """How many answers this conversation (a model name with its authorisation) has had before."""
    structured: bool
    """Whether an agent's next round is asked for; False: plain text, for example of an extraction."""

    def find(self, tag: str = "", text: str = "", **attributes: str) -> Element | None:
        """The first element of that tag (or any), with that text in it and those attributes (`_` stands for `-`)."""
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}.items()
        shown = (e for e in self.elements if tag in {"", e.tag} and text.casefold() in e.text.casefold())
        return next((e for e in shown if all(e.attributes.get(name) == value for name, value in wanted)), None)

    def index(self, tag: str = "", text: str = "", **attributes: str) -> int:
        """The index of that element. Raises LookupError where it is not shown."""
        found = self.find(tag, text, **attributes)
        if found is None:
            raise LookupError(f"no <{tag}> {text!r} {attributes} at {self.url}")
        return found.index


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer: the actions in the agent's own form, and what it says about them."""

    actions: Sequence[Mapping[str, Any]] = ()
    next_goal: str = "Go on"
    evaluation: str = "The last step did what it should. Verdict: success"
    memory: str = ""
    text: str = ""
    """The answer where plain text was asked for."""
    prompt_tokens: int = 1000
    cached_tokens: int = 0
    completion_tokens: int = 50
    finish_reason: str = "stop"
    refusal: str | None = None
    delay: float = 0.0
    """Seconds before it answers."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that is none: an HTTP error, or a body of any kind."""

    status: int = 500
    message: str = "the model fell over"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: str | None = None
    """Sent as it is, instead of an error in OpenAI's form."""
    delay: float = 0.0


Script = Callable[[Scene], Turn | Fault | Awaitable[Turn | Fault]]


class RehearsedModel:
    """The server. `scripts` maps model names to scripts; what follows an `@` in a name only tells conversations apart."""

    def __init__(self, scripts: Mapping[str, Script], *, api_key: str | None = None) -> None:
        self.scripts = scripts
        self.api_key = api_key
        """The key that is asked for; None: any."""
        self.requests: list[bytes] = []
        """Every body that was received, for tests that look for what must not be there."""
        self.keep_requests = False
        self._rounds: dict[str, itertools.count[int]] = {}
        self.app = Starlette(
            routes=[
                Route("/v1/models", self.models),
                Route("/v1/chat/completions", self.complete, methods=["POST"]),
            ]
        )

    async def models(self, request: Request) -> Response:
        """The scripts, as a list of models."""
        return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in self.scripts]})

    async def complete(self, request: Request) -> Response:
        """One chat completion."""
        body = await request.body()
        if self.keep_requests:
            self.requests.append(body)
        if self.api_key is not None and request.headers.get("authorization") != f"Bearer {self.api_key}":
            return refused(Fault(401, "Incorrect API key provided", "invalid_api_key"))
        asked: dict[str, Any] = json.loads(body)
        name = str(asked["model"])
        script = self.scripts.get(name.partition("@")[0])
        if script is None:
            return refused(Fault(404, f"The model '{name}' does not exist", "model_not_found"))
        try:
            said = script(scene_of(asked, next(self._rounds.setdefault(name, itertools.count()))))
            turn = said if isinstance(said, Turn | Fault) else await said
        except LookupError as lost:
            turn = Turn([{"done": {"success": False, "text": f"The rehearsed model lost its place: {lost.args[0]}."}}])
        if turn.delay:
            await asyncio.sleep(turn.delay)
        return refused(turn) if isinstance(turn, Fault) else JSONResponse(completion(asked, turn))


def refused(fault: Fault) -> Response:
    """The fault as an HTTP answer."""
    if fault.body is not None:
        return Response(fault.body, fault.status, dict(fault.headers))
    error = {"message": fault.message, "type": "error", "param": None, "code": fault.code}
    return JSONResponse({"error": error}, fault.status, dict(fault.headers))


def completion(asked: Mapping[str, Any], turn: Turn) -> dict[str, Any]:
    """The turn in the protocol's form: as a tool call where a tool was to be called, as JSON or text otherwise."""
    said = json.dumps(
        {
            "thinking": "",
            "evaluation_previous_goal": turn.evaluation,
            "memory": turn.memory,
            "next_goal": turn.next_goal,
            "action": list(turn.actions),
        }
    )
    message: dict[str, Any] = {"role": "assistant", "content": said if is_structured(asked) else turn.text}
    reason = turn.finish_reason
    if turn.refusal is not None:
        message |= {"content": None, "refusal": turn.refusal}
    elif asked.get("tools"):
        call = {"name": asked["tools"][0]["function"]["name"], "arguments": said}
        message |= {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": call}]}
        reason = "tool_calls" if reason == "stop" else reason
    used = turn.prompt_tokens, turn.completion_tokens
    return {
        "id": "chatcmpl-rehearsed",
        "object": "chat.completion",
        "created": 0,
        "model": asked["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {
            "prompt_tokens": used[0],
            "completion_tokens": used[1],
            "total_tokens": sum(used),
            "prompt_tokens_details": {"cached_tokens": turn.cached_tokens},
        },
    }


def is_structured(asked: Mapping[str, Any]) -> bool:
    """Whether an answer by schema is asked for."""
    return bool(asked.get("tools")) or asked.get("response_format", {}).get("type") == "json_schema"


def scene_of(asked: Mapping[str, Any], round_: int) -> Scene:
    """What the request shows."""
    text = text_of(asked["messages"][-1]) if asked["messages"] else ""
    whole = "\n".join(text_of(message) for message in asked["messages"][1:])
    return Scene(
        task=between(whole, "<user_request>", "</user_request>").strip(),
        url=current_url(whole),
        elements=elements_of(between(whole, "Interactive elements:", "</browser_state>")),
        text=text,
        round=round_,
        structured=is_structured(asked),
    )


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, pictures left out."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts: list[dict[str, Any]] = content or []
    return "\n".join(part["text"] for part in parts if part.get("type") == "text")


def between(text: str, start: str, end: str) -> str:
    """What stands between the last `start` and the `end` after it."""
    return text.rpartition(start)[2].partition(end)[0] if start in text else ""


def current_url(text: str) -> str:
    """The URL of the tab that the agent looks at."""
    tab = re.search(r"Current tab: (\S+)", text)
    found = re.search(rf"Tab {re.escape(tab[1])}: (\S+)", text) if tab else None
    return found[1] if found else ""


def elements_of(shown: str) -> list[Element]:
    """The elements in an agent's list of them, each with the text up to the next one."""
    found = list(ELEMENT.finditer(shown))
    ends = [later.start() for later in found[1:]] + [len(shown)] * bool(found)
    return [
        Element(
            index=int(match["index"]),
            tag=match["tag"],
            attributes={name: value.strip() for name, value in ATTRIBUTE.findall(match["attributes"])},
            text=" ".join(shown[match.end() : end].replace("|SHADOW(open)|", " ").split()),
        )
        for match, end in zip(found, ends, strict=True)
    ]
