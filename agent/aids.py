"""What a person in control is helped with inside of pages: lists that are drawn there, and scripts that ask for permissions and pickers.

Drop-down lists are drawn by an inspector style sheet (`appearance: base-select`), which neither the page's own style sheets nor its
DOM show. Permissions: agent.permissions. Pickers of dates, colours and suggestions: agent.pickers.
"""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from dataclasses import dataclass, field

from agent.cdp import Answer, Gone, Refused
from agent.permissions import PERMISSION_SCRIPT
from agent.pickers import PICKER_SCRIPT
from agent.screencast import Screen
from agent.tabs import Tab

_LISTS = (
    "select:not([multiple]):not([size]){appearance:base-select!important}"
    "::picker(select){appearance:base-select!important}"
)
_REDRAW = "requestAnimationFrame(()=>0)"
"""An idle page does not draw itself again for a changed inspector style sheet alone."""
_ATTACHING = {"waitForDebuggerOnStart": False, "flatten": True}
_FRAMES = [{"type": "iframe"}, {"exclude": True}]


@dataclass(slots=True)
class Aided:
    """One session with our help switched on: a page, or a frame of it in another process."""

    page: Tab
    sheets: dict[str, str] = field(default_factory=dict[str, str])
    """Frame id -> our style sheet in it."""
    scripts: list[str] = field(default_factory=list[str])


class Aids:
    """The help on a screen's tabs. `binding`: the name that its scripts call us by; empty while nobody is helped."""

    def __init__(self, screen: Screen) -> None:
        self.binding = ""
        self._screen = screen
        self._aided: dict[str, Aided] = {}

    @property
    def on(self) -> bool:
        """Whether a person is being helped."""
        return bool(self.binding)

    def begin(self) -> None:
        """From now on help can be given."""
        self.binding = f"w{secrets.token_hex(6)}"

    async def end(self) -> None:
        """Takes every trace of it away."""
        for session, aided in list(self._aided.items()):
            with suppress(Gone, TimeoutError):
                await self._take_away(session, aided)
        self._aided.clear()
        self.binding = ""

    def page(self, session: str | None) -> Tab | None:
        """The tab that a session with our help belongs to."""
        aided = self._aided.get(session or "")
        return aided.page if aided else None

    def forget(self, session: str) -> None:
        """A session is gone."""
        self._aided.pop(session, None)

    async def renew(self, session: str, frame: str) -> None:
        """Helps in a frame's new document. Raises Gone or TimeoutError."""
        if (aided := self._aided.get(session)) is not None:
            await self._attempt("Runtime.addBinding", session, name=self.binding)
            await self._draw_lists(session, aided, frame)

    async def call(self, method: str, session: str, **parameters: object) -> Answer:
        """Sends a tab a command. Raises Refused, Gone or TimeoutError."""
        return await self._screen.cdp.call(method, parameters, session)

    async def give(self, session: str, page: Tab) -> None:
        """Helps on a tab, or on a frame of one."""
        aided = self._aided[session] = Aided(page)
        name = json.dumps(self.binding)
        with suppress(TimeoutError, Gone):
            for domain in ("Page.enable", "DOM.enable", "CSS.enable"):
                await self._attempt(domain, session)
            await self._attempt("Target.setAutoAttach", session, autoAttach=True, filter=_FRAMES, **_ATTACHING)
            await self._attempt("Page.setInterceptFileChooserDialog", session, enabled=True)
            for source, world in ((f"{PERMISSION_SCRIPT}({name})", ""), (f"{PICKER_SCRIPT}({name})", self.binding)):
                added = await self._attempt(
                    "Page.addScriptToEvaluateOnNewDocument",
                    session,
                    source=source,
                    worldName=world,
                    runImmediately=True,
                )
                aided.scripts.append(added.get("identifier", ""))
            tree = await self._attempt("Page.getFrameTree", session)
            for frame in _frames(tree["frameTree"]) if tree else []:
                await self._draw_lists(session, aided, frame)
            await self._attempt("Runtime.addBinding", session, name=self.binding)  # into the worlds that are there
            await self._attempt("Runtime.evaluate", session, expression=_REDRAW)

    async def _take_away(self, session: str, aided: Aided) -> None:
        for frame, sheet in aided.sheets.items():
            await self._attempt("CSS.setStyleSheetText", session, styleSheetId=sheet, text="")
            await self._leave_pickers(session, frame)
        await self._attempt("Runtime.evaluate", session, expression=_REDRAW)
        for script in aided.scripts:
            await self._attempt("Page.removeScriptToEvaluateOnNewDocument", session, identifier=script)
        await self._attempt("Runtime.removeBinding", session, name=self.binding)
        await self._attempt("Page.setInterceptFileChooserDialog", session, enabled=False)
        await self._attempt("Target.setAutoAttach", session, autoAttach=False, **_ATTACHING)
        for domain in ("CSS.disable", "DOM.disable", "Page.disable"):
            await self._attempt(domain, session)

    async def _leave_pickers(self, session: str, frame: str) -> None:
        """The pickers of a frame open in the browser again."""
        world = await self._attempt("Page.createIsolatedWorld", session, frameId=frame, worldName=self.binding)
        if world:  # the one that is there already
            off = f"globalThis[{json.dumps(self.binding + '-')}]?.()"
            await self._attempt("Runtime.evaluate", session, expression=off, contextId=world["executionContextId"])

    async def _draw_lists(self, session: str, aided: Aided, frame: str) -> None:
        made = await self._attempt("CSS.createStyleSheet", session, frameId=frame)
        if made:
            aided.sheets[frame] = made["styleSheetId"]
            await self._attempt("CSS.setStyleSheetText", session, styleSheetId=made["styleSheetId"], text=_LISTS)

    async def _attempt(self, method: str, session: str, **parameters: object) -> Answer:
        """As call, but a refusal counts as an empty answer: frames come and go, and not every kind of session can all."""
        try:
            return await self.call(method, session, **parameters)
        except Refused:
            return {}


def _frames(tree: Answer) -> list[str]:
    found: list[str] = [tree["frame"]["id"]]
    for child in tree.get("childFrames", []):
        found += _frames(child)
    return found
