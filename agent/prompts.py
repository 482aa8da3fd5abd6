"""What Chromium would ask in windows of its own, which no screencast shows, told to the person in control instead.

Only while a person controls: a client that listens for dialogs or file choosers takes them away from the agent's.
What helps inside of pages, drop-down lists for one: agent.aids.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from agent.aids import Aids
from agent.cdp import Answer, Gone, Refused
from agent.permissions import PERMISSIONS
from agent.pickers import Field, field_of
from agent.screencast import Screen
from agent.tabs import Tab

Kind = Literal["alert", "confirm", "prompt", "beforeunload", "files", "permission", "field", "silent"]
"""`silent`: the page does not answer, perhaps for a dialog from before, which only its first listener could close."""

SILENT_S = 1.0
"""Seconds after which a page is taken for one that does not answer."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question to the person. `origin` is the asking page's, as the browser says, not the page."""

    id: str
    kind: Kind
    origin: str
    message: str = ""
    default: str = ""
    multiple: bool = False
    accept: str = ""
    """For files: the chooser's accept attribute."""
    permission: str = ""
    field: Field | None = None


@dataclass(frozen=True, slots=True)
class PromptAnswer:
    """What the person said."""

    accept: bool
    text: str = ""
    files: Sequence[Path] = ()


@dataclass(slots=True)
class _Asked:
    prompt: Prompt
    answer: Callable[[PromptAnswer], Coroutine[Any, Any, None]]


class Prompts:
    """The questions of a screen's tabs while a person is in control. `changed` is called when `pending` has changed."""

    def __init__(self, screen: Screen, changed: Callable[[], None]) -> None:
        self._screen = screen
        self._changed = changed
        self._aids = Aids(screen)
        self._asked: dict[str, _Asked] = {}
        self._probed: set[str] = set()
        self._jobs: set[asyncio.Task[None]] = set()

    @property
    def pending(self) -> list[Prompt]:
        """What waits for an answer, oldest first."""
        return [asked.prompt for asked in self._asked.values()]

    @property
    def on(self) -> bool:
        """Whether a person is being helped."""
        return self._aids.on

    async def begin(self) -> None:
        """A person takes the controls: helps on the tab that is shown, and on those shown from now on."""
        self._aids.begin()
        self._screen.taps.append(self._take)
        self._screen.listeners.append(self._tab_moved)
        await self._aid_shown()

    async def end(self) -> None:
        """The person leaves: open questions are answered with no, and every trace of the help goes."""
        if not self._aids.on:
            return
        self._screen.listeners.remove(self._tab_moved)
        for asked in list(self._asked.values()):
            with suppress(Refused, Gone, TimeoutError):
                await asked.answer(PromptAnswer(accept=False))
        self._asked.clear()
        self._screen.taps.remove(self._take)
        for job in list(self._jobs):
            job.cancel()
        await self._aids.end()
        self._probed.clear()
        self._changed()

    async def answer(self, prompt_id: str, answer: PromptAnswer) -> bool:
        """Gives the person's answer; False when the question is no longer there. Raises Refused, Gone or TimeoutError."""
        asked = self._asked.pop(prompt_id, None)
        if asked is None:
            return False
        self._changed()
        await asked.answer(answer)
        return True

    # -- switching the help on and off

    def _tab_moved(self) -> None:
        self._start(self._aid_shown())

    async def _aid_shown(self) -> None:
        tab = self._screen.tab
        if tab is None or tab.session in self._probed:
            return
        self._probed.add(tab.session)
        with suppress(Gone):
            answer = await self._screen.cdp.post("Runtime.evaluate", {"expression": "0"}, tab.session)
            await asyncio.wait((answer,), timeout=SILENT_S)
            if answer.done():
                await self._aids.give(tab.session, tab)
            else:
                self._start(self._aid_once_it_answers(tab, answer))

    async def _aid_once_it_answers(self, tab: Tab, answer: asyncio.Future[Answer]) -> None:
        async def reload(said: PromptAnswer) -> None:
            if said.accept:
                await self._screen.cdp.post("Page.reload", None, tab.session)

        prompt = Prompt(f"silent-{tab.session}", "silent", origin_of(tab.url))
        self._ask(prompt, reload)
        await asyncio.wait((answer,))
        self._forget(prompt.id)
        await self._aids.give(tab.session, tab)

    # -- what the browser says

    def _take(self, method: str, event: Answer, session: str | None) -> None:
        page = self._aids.page(session)
        if page is None or session is None:
            return
        match method:
            case "Page.frameNavigated":
                self._start(self._arrived(session, event["frame"]["id"]))
            case "Page.javascriptDialogOpening":
                self._ask_dialog(session, event)
            case "Page.javascriptDialogClosed":
                self._forget(f"dialog-{session}")
            case "Page.fileChooserOpened":
                self._start(self._ask_files(session, page, event))
            case "Runtime.bindingCalled":
                self._start(self._called(session, event))
            case "Target.attachedToTarget":
                self._start(self._aids.give(event["sessionId"], page))
            case "Target.detachedFromTarget":
                self._aids.forget(event["sessionId"])
            case _:
                pass

    async def _arrived(self, session: str, frame: str) -> None:
        """A frame has a new document: the style sheet and the binding went with the old one."""
        with suppress(Gone, TimeoutError):
            await self._aids.renew(session, frame)

    def _ask_dialog(self, session: str, event: Answer) -> None:
        async def answer(said: PromptAnswer) -> None:
            more = {"promptText": said.text} if event["type"] == "prompt" and said.accept else {}
            # Posted: a dialog that another client has answered meanwhile is no news.
            await self._screen.cdp.post("Page.handleJavaScriptDialog", {"accept": said.accept, **more}, session)

        default = event.get("defaultPrompt") or ""
        prompt = Prompt(f"dialog-{session}", event["type"], origin_of(event["url"]), event["message"], default)
        self._ask(prompt, answer)

    async def _ask_files(self, session: str, page: Tab, event: Answer) -> None:
        node = event.get("backendNodeId")
        if node is None:
            return  # showOpenFilePicker: there is no element that could take files

        async def answer(said: PromptAnswer) -> None:
            if said.accept and said.files:
                names = [str(path) for path in said.files]
                await self._aids.call("DOM.setFileInputFiles", session, files=names, backendNodeId=node)

        described: list[str] = []
        with suppress(Refused, Gone, TimeoutError):
            described = (await self._aids.call("DOM.describeNode", session, backendNodeId=node))["node"]["attributes"]
        attributes = dict(zip(described[::2], described[1::2], strict=False))
        several, accept = event["mode"] == "selectMultiple", attributes.get("accept", "")
        origin = origin_of(page.url)
        self._ask(Prompt(secrets.token_hex(6), "files", origin, multiple=several, accept=accept), answer)

    async def _called(self, session: str, event: Answer) -> None:
        """One of our scripts has something to ask. A page may say what it likes, but its origin cannot be overridden."""
        if event["name"] != self._aids.binding:
            return
        number, what = _asked_for(event["payload"])
        context = event["executionContextId"]
        with suppress(Refused, Gone, TimeoutError):
            told = await self._aids.call(
                "Runtime.evaluate", session, expression="location.origin", contextId=context, returnByValue=True
            )
            origin = str(told["result"].get("value", ""))
            if isinstance(what, str):
                await self._ask_permission(session, context, number, what, origin)
            elif picked := field_of(what):
                self._ask_field(session, context, number, picked, origin)

    def _ask_field(self, session: str, context: int, number: int, picked: Field, origin: str) -> None:
        async def answer(said: PromptAnswer) -> None:
            if said.accept:
                await self._reply(session, context, number, said.text)

        for prompt in self.pending:
            if prompt.kind == "field":  # the person clicked elsewhere, in a viewer that draws no pickers
                self._forget(prompt.id)
        self._ask(Prompt(secrets.token_hex(6), "field", origin, field=picked), answer)

    async def _ask_permission(self, session: str, context: int, number: int, what: str, origin: str) -> None:
        names = PERMISSIONS.get(what, ())
        await self._reply(session, context, number, True)  # heard: the page's function waits

        async def answer(said: PromptAnswer) -> None:
            for name in names:
                await self._decide(name, origin, allowed=said.accept)
            await self._reply(session, context, number, False)

        if names and origin.startswith("http"):
            self._ask(Prompt(secrets.token_hex(6), "permission", origin, permission=what), answer)
        else:
            await self._reply(session, context, number, False)

    async def _reply(self, session: str, context: int, number: int, said: object) -> None:
        call = f"globalThis[{json.dumps(self._aids.binding + '_')}]?.({number},{json.dumps(said)})"
        await self._aids.call("Runtime.evaluate", session, expression=call, contextId=context, userGesture=True)

    async def _decide(self, name: str, origin: str, *, allowed: bool) -> None:
        setting: dict[str, object] = {
            "permission": {"name": name},
            "setting": "granted" if allowed else "denied",
            "origin": origin,
        }
        if self._screen.window.context_id:
            setting["browserContextId"] = self._screen.window.context_id
        await self._screen.cdp.call("Browser.setPermission", setting)

    def _ask(self, prompt: Prompt, answer: Callable[[PromptAnswer], Coroutine[Any, Any, None]]) -> None:
        self._asked[prompt.id] = _Asked(prompt, answer)
        self._changed()

    def _forget(self, prompt_id: str) -> None:
        if self._asked.pop(prompt_id, None):
            self._changed()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        job = asyncio.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)


def origin_of(url: str) -> str:
    """Scheme and host of a URL, for people to read."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else parts.scheme


def _asked_for(payload: str) -> tuple[int, object]:
    """Number and matter of a script's call: whatever else a page sends counts as nothing."""
    try:
        number, what = json.loads(payload)
    except (ValueError, TypeError):
        return 0, ""
    return (number, what) if isinstance(number, int) else (0, "")
