"""The help that a person in control gets inside the pages of a screen, and that goes without a trace when they leave.

Drop-down lists are drawn inside the page by an inspector style sheet (`appearance: base-select`), which neither the page's
own style sheets nor its DOM show. Permissions: agent.permissions. Pickers of dates, colours and suggestions: agent.pickers.
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
class _Aided:
    """One session with our help switched on: a page, or a frame of it in another process."""

    page: Tab
    sheets: dict[str, str] = field(default_factory=dict[str, str])
    """Frame id -> our style sheet in it."""
    scripts: list[str] = field(default_factory=list[str])


class Aids:
    """The help in every session of one person's time in control."""

    def __init__(self, screen: Screen) -> None:
        self.binding = f"w{secrets.token_hex(6)}"
        """The name under which our scripts speak, and under which they leave what they need."""
        self._screen = screen
        self._aided: dict[str, _Aided] = {}

    def page_of(self, session: str | None) -> Tab | None:
        """The tab to which a session with help belongs; None: it has none of our help."""
        aided = self._aided.get(session or "")
        return aided.page if aided else None

    def forget(self, session: str) -> None:
        """The session is gone."""
        self._aided.pop(session, None)

    async def give(self, session: str, page: Tab) -> None:
        """Switches the help on in a session, and in the frames that it has now."""
        aided = self._aided[session] = _Aided(page)
        name = json.dumps(self.binding)
        with suppress(TimeoutError, Gone):
            for domain in ("Page.enable", "DOM.enable", "CSS.enable"):
                await self._try(domain, session)
            await self._try("Target.setAutoAttach", session, autoAttach=True, filter=_FRAMES, **_ATTACHING)
            await self._try("Page.setInterceptFileChooserDialog", session, enabled=True)
            for source, world in (
                (f"{PERMISSION_SCRIPT}({name})", ""),
                (f"{PICKER_SCRIPT}({name},true)", ""),
                (f"{PICKER_SCRIPT}({name},false)", self.binding),
            ):
                added = await self._try(
                    "Page.addScriptToEvaluateOnNewDocument",
                    session,
                    source=source,
                    worldName=world,
                    runImmediately=True,
                )
                aided.scripts.append(added.get("identifier", ""))
            tree = await self._try("Page.getFrameTree", session)
            for frame in _frames(tree["frameTree"]) if tree else []:
                await self._draw_lists(session, aided, frame)
            await self._try("Runtime.addBinding", session, name=self.binding)  # into the worlds that are there
            await self._try("Runtime.evaluate", session, expression=_REDRAW)

    async def arrived(self, session: str, frame: str) -> None:
        """A frame has a new document: the style sheet and the binding went with the old one."""
        aided = self._aided.get(session)
        if aided is None:
            return
        with suppress(Gone, TimeoutError):
            await self._try("Runtime.addBinding", session, name=self.binding)
            await self._draw_lists(session, aided, frame)

    async def withdraw(self) -> None:
        """Switches the help off everywhere."""
        for session, aided in list(self._aided.items()):
            with suppress(Gone, TimeoutError):
                await self._leave(session, aided)
        self._aided.clear()

    async def reply(self, session: str, context: int, script: str, number: int, said: object) -> object:
        """Says something to the script that asked: `_` stands for that of permissions, `:` for that of pickers.
        Raises Refused, Gone or TimeoutError.
        """
        call = f"globalThis[{json.dumps(self.binding + script)}]?.({number},{json.dumps(said)})"
        ran = await self.call(
            "Runtime.evaluate", session, expression=call, contextId=context, userGesture=True, returnByValue=True
        )
        return ran["result"].get("value")

    async def call(self, method: str, session: str, **parameters: object) -> Answer:
        """A DevTools command in a session. Raises Refused, Gone or TimeoutError."""
        return await self._screen.cdp.call(method, parameters, session)

    async def _try(self, method: str, session: str, **parameters: object) -> Answer:
        """As call, but a refusal counts as an empty answer: frames come and go, and not every kind of session can all."""
        try:
            return await self.call(method, session, **parameters)
        except Refused:
            return {}

    async def _leave(self, session: str, aided: _Aided) -> None:
        for frame, sheet in aided.sheets.items():
            await self._try("CSS.setStyleSheetText", session, styleSheetId=sheet, text="")
            await self._leave_pickers(session, frame)
        await self._try("Runtime.evaluate", session, expression=_REDRAW)
        for script in aided.scripts:
            await self._try("Page.removeScriptToEvaluateOnNewDocument", session, identifier=script)
        await self._try("Runtime.removeBinding", session, name=self.binding)
        await self._try("Page.setInterceptFileChooserDialog", session, enabled=False)
        await self._try("Target.setAutoAttach", session, autoAttach=False, **_ATTACHING)
        for domain in ("CSS.disable", "DOM.disable", "Page.disable"):
            await self._try(domain, session)

    async def _leave_pickers(self, session: str, frame: str) -> None:
        """The pickers of a frame open in the browser again."""
        world = await self._try("Page.createIsolatedWorld", session, frameId=frame, worldName=self.binding)
        if world:  # the one that is there already
            off = f"globalThis[{json.dumps(self.binding + '-')}]?.()"
            await self._try("Runtime.evaluate", session, expression=off, contextId=world["executionContextId"])

    async def _draw_lists(self, session: str, aided: _Aided, frame: str) -> None:
        made = await self._try("CSS.createStyleSheet", session, frameId=frame)
        if made:
            aided.sheets[frame] = made["styleSheetId"]
            await self._try("CSS.setStyleSheetText", session, styleSheetId=made["styleSheetId"], text=_LISTS)


def _frames(tree: Answer) -> list[str]:
    found: list[str] = [tree["frame"]["id"]]
    for child in tree.get("childFrames", []):
        found += _frames(child)
    return found
