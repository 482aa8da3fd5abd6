"""What a rehearsed model is shown and may answer, and the scripts that know the practice site's tasks by heart."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

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
    last: str
    """What came of the last step's actions, in the agent's own words."""
    structured: bool
    """Whether an agent's next round is asked for; False: plain text, for example of an extraction."""

    def find(self, tag: str = "", text: str = "", *, last: bool = False, **attributes: str) -> Element | None:
        """The first (or last) element of that tag, with that text in it and those attributes (`_` stands for `-`)."""
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}.items()
        shown = [e for e in self.elements if tag in {"", e.tag} and text.casefold() in e.text.casefold()]
        fitting = [e for e in shown if all(e.attributes.get(name) == value for name, value in wanted)]
        return fitting[-1 if last else 0] if fitting else None

    def index(self, tag: str = "", text: str = "", *, last: bool = False, **attributes: str) -> int:
        """The index of that element. Raises LookupError where it is not shown."""
        found = self.find(tag, text, last=last, **attributes)
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
        last=between(whole, "<agent_history>", "</agent_history>").rpartition("Result\n")[2],
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
    """The elements in an agent's list of them, each with the text that stands inside it: on the deeper lines below it."""
    lines = [
        (len(line) - len(line.lstrip("\t")), line.strip().replace("|SHADOW(open)|", "")) for line in shown.splitlines()
    ]
    found: list[Element] = []
    for place, (depth, line) in enumerate(lines):
        element = ELEMENT.search(line)
        if element is None:
            continue
        inside = itertools.takewhile(lambda below: below[0] > depth, lines[place + 1 :])  # noqa: B023  # used up at once
        found.append(
            Element(
                index=int(element["index"]),
                tag=element["tag"],
                attributes={name: value.strip() for name, value in ATTRIBUTE.findall(element["attributes"])},
                text=" ".join(text for _, text in inside if not ELEMENT.search(text)),
            )
        )
    return found


def is_structured(asked: Mapping[str, Any]) -> bool:
    """Whether an answer by schema is asked for."""
    return bool(asked.get("tools")) or asked.get("response_format", {}).get("type") == "json_schema"


def demo(scene: Scene) -> Turn:
    """Carries out any of the practice site's tools: looks at the page, does the next thing, and reports what it saw.

    Raises LookupError where the page is not as it knows it.
    """
    if scene.find("input", name="code"):
        return log_in(scene, code="account_code")
    if scene.find("input", type="password"):
        return log_in(scene, username="account_username", password="account_password")  # noqa: S106  # a secret's name
    tool = between(scene.task, "Tool: demo.", "\n").strip()
    if "This is a dry run" in scene.last:
        return finish("Everything is filled in and ready to be sent.")
    asked = parameters_of(scene.task)
    act = {"createPost": create_post, "likePost": like_post, "deletePost": delete_post}.get(tool)
    if act is None:
        raise LookupError(f"it knows no tool named '{tool}'")
    return act(scene, asked)


def parameters_of(task: str) -> dict[str, str]:
    """The parameters that a platform's task gives; more may be said after them."""
    given = between(task, "exactly as they must be used:", "\0").lstrip()
    return json.JSONDecoder().raw_decode(given or "{}")[0]


def log_in(scene: Scene, **fields: str) -> Turn:
    """Fills the form in with the account's secrets, which it never sees."""
    typed = [
        act("input", index=field_of(scene, name), text=f"<secret>{secret}</secret>") for name, secret in fields.items()
    ]
    button = scene.find("button", text="Log in") or scene.find("button", text="Go on")
    if button is None:
        raise LookupError("there is no button to log in with")
    return Turn([*typed, act("click", index=button.index)], next_goal="Log in with the account's own secrets")


def field_of(scene: Scene, name: str) -> int:
    """The index of a field of the login form. Raises LookupError."""
    return scene.index("input", type="password") if name == "password" else scene.index("input", name=name)


def create_post(scene: Scene, asked: Mapping[str, str]) -> Turn:
    """Writes the post, publishes it, and opens its page for its address."""
    published = re.fullmatch(r"(\S+)/posts/(\d+)", scene.url)
    if published:
        return finish("The post is published.", postUrl=scene.url, postId=published[2])
    toast = scene.find("a", text="View")
    if toast:
        return Turn([act("click", index=toast.index)], next_goal="Open the published post")
    editor = scene.find(contenteditable="true")
    if "/compose" not in scene.url or editor is None:
        return Turn([act("navigate", url=urljoin(scene.url, "/compose"))], next_goal="Open the editor")
    if "Typed" not in scene.last:
        return Turn([act("input", index=editor.index, text=asked["text"])], next_goal="Write the post")
    return Turn([act("click", index=scene.index("button", text="Post"))], next_goal="Publish the post")


def like_post(scene: Scene, asked: Mapping[str, str]) -> Turn:
    """Opens the post and presses its heart, unless it is full already."""
    path = asked["postUrl"]
    if not scene.url.endswith(path):
        return Turn([act("navigate", url=urljoin(scene.url, path))], next_goal="Open the post")
    if scene.find("button", aria_label="Unlike"):
        return finish("The post is liked.", postUrl=scene.url, postId=path.rpartition("/")[2])
    return Turn([act("click", index=scene.index("button", aria_label="Like"))], next_goal="Like the post")


def delete_post(scene: Scene, asked: Mapping[str, str]) -> Turn:
    """Opens the post, asks for its deletion and confirms that."""
    if "Clicked" in scene.last and not scene.find("button", text="Delete"):
        return finish("The post is deleted.", postUrl=urljoin(scene.url, asked["postUrl"]))
    if not scene.url.endswith(asked["postUrl"]):
        return Turn([act("navigate", url=urljoin(scene.url, asked["postUrl"]))], next_goal="Open the post")
    if scene.find("button", text="Keep it"):
        return Turn(
            [act("click", index=scene.index("button", text="Delete", last=True))], next_goal="Confirm the deletion"
        )
    return Turn([act("click", index=scene.index("button", text="Delete"))], next_goal="Delete the post")


def act(name: str, **parameters: Any) -> dict[str, Any]:
    """An action in the agent's form."""
    return {name: parameters}


def finish(text: str, **answer: str) -> Turn:
    """The last turn."""
    return Turn(
        [act("done", success=True, text=text, data={"output": text, **answer})], next_goal="Report what was done"
    )


DEMO_SCRIPTS: Mapping[str, Script] = {"rehearsed": demo, "demo-create-post": demo}
"""What `webhand demo` plays: both names know all of the practice site's tools."""
