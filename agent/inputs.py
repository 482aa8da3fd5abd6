"""A person's pointer and keys, as the RFB protocol brings them, into the page: in order, moves coalesced."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from agent.cdp import Answer, Gone, Refused
from agent.clipboard import Clipboard, Copied
from agent.keysyms import ALT, CONTROL, META, SHIFT, Key, accent_of, accented, key_of
from agent.screencast import Screen

WHEEL = 120
"""CSS pixels per step of a wheel."""
DOUBLE = 0.5
"""Seconds within which a second click makes a double click."""
MOST_QUEUED = 500
"""Events that may wait to be acted on before no more are read."""
MOST_UNANSWERED = 100
"""Events that Chromium may owe an answer to: beyond, each waits a moment for the oldest."""
BUTTONS = ((1, "left", 1), (2, "middle", 4), (4, "right", 2), (128, "back", 8), (256, "forward", 16))
"""RFB bit, DevTools name, DevTools bit."""
WHEELS = ((8, 0, -1), (16, 0, 1), (32, -1, 0), (64, 1, 0))
"""RFB bit, steps to the right, steps down."""
EDITING = {"a": "selectAll", "c": "copy", "x": "cut", "z": "undo", "y": "redo"}
"""Editing commands that go with Ctrl or Command: on a Mac a page would not act on the bare key."""


@dataclass(frozen=True, slots=True)
class _Point:
    x: int
    y: int
    mask: int
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Stroke:
    keysym: int
    down: bool


class Inputs:
    """One person's hands. `allowed` is asked at every event; `acted` is told what was done, never what was typed.

    `copied` gets the text that the person copied in the page.
    """

    def __init__(
        self,
        screen: Screen,
        *,
        allowed: Callable[[], bool],
        acted: Callable[[str], None],
        copied: Copied | None = None,
    ) -> None:
        self.clipboard = Clipboard(self._post, acted, copied)
        self._screen = screen
        self._allowed = allowed
        self._acted = acted
        self._queue: deque[_Point | _Stroke] = deque()
        self._more = asyncio.Event()
        self._mask = 0
        self._at = (-1.0, -1.0)
        self._pressed_at = (-1.0, -1.0)
        self._dragging = False
        """Whether the pointer has moved since the last press."""
        self._modifiers = 0
        self._down: dict[int, Key] = {}
        self._accent = ""
        self._click = (0, 0.0, 0)
        """Button, time and count of the last press."""
        self._unanswered: deque[asyncio.Future[Answer]] = deque()
        self._fewer = asyncio.Event()

    def point(self, x: int, y: int, mask: int, size: tuple[int, int]) -> None:
        """The pointer is at x, y of a picture of this size, with these buttons down (RFB mask). Never blocks."""
        if not (self._allowed() or self._mask):
            return
        queue = self._queue
        before = queue[-2] if len(queue) > 1 else None
        held = before.mask if isinstance(before, _Point) else self._mask
        if queue and isinstance(queue[-1], _Point) and queue[-1].mask == mask == held:
            queue.pop()  # a newer place replaces an older one that was never acted on
        queue.append(_Point(x, y, mask, size))
        self._more.set()

    def stroke(self, keysym: int, *, down: bool) -> None:
        """A key goes down or up. Never blocks."""
        if self._allowed() or keysym in self._down:
            self._queue.append(_Stroke(keysym, down))
            self._more.set()

    async def caught_up(self) -> None:
        """Waits while too much is queued, so that whoever sends faster than the page acts is slowed down."""
        while len(self._queue) >= MOST_QUEUED:
            self._fewer.clear()
            await self._fewer.wait()

    async def run(self) -> None:
        """Acts on what comes, until cancelled or the browser is gone."""
        while True:
            await self._more.wait()
            self._more.clear()
            while self._queue:
                event = self._queue.popleft()
                self._fewer.set()
                try:
                    await (self._move(event) if isinstance(event, _Point) else self._press(event))
                except (Refused, TimeoutError):
                    continue  # the tab was closed, or its renderer is gone
                except Gone:
                    return
                if len(self._unanswered) > MOST_UNANSWERED:
                    await asyncio.wait((self._unanswered[0],), timeout=1)

    async def release(self) -> None:
        """Lets go of every key and button that is down."""
        self._queue.clear()
        self._fewer.set()
        with suppress(Refused, TimeoutError, Gone):
            for keysym in list(self._down):
                await self._press(_Stroke(keysym, down=False))
            for bit, name, _ in BUTTONS:
                if self._mask & bit:
                    await self._mouse("mouseReleased", button=name, buttons=0, clickCount=1)
            self._mask = 0

    async def _post(self, method: str, **parameters: object) -> asyncio.Future[Answer]:
        """Without waiting: a click that opens a dialog is not answered before the dialog is."""
        tab = self._screen.tab
        if tab is None:
            raise Refused("no page is shown")
        answer = await self._screen.cdp.post(method, parameters, tab.session)
        self._unanswered.append(answer)
        while self._unanswered and self._unanswered[0].done():
            self._unanswered.popleft()
        return answer

    async def _mouse(self, kind: str, **more: object) -> asyncio.Future[Answer]:
        x, y = self._at
        return await self._post("Input.dispatchMouseEvent", type=kind, x=x, y=y, modifiers=self._modifiers, **more)

    async def _move(self, point: _Point) -> None:
        frame = self._screen.frame
        if frame is None:
            return
        place = point.x * frame.page_width / point.size[0], point.y * frame.page_height / point.size[1]
        was, self._mask = self._mask, point.mask
        if place != self._at:
            if was and not self._dragging:
                self._dragging = True
                await self._stay(was)
            self._at = place
            moved = await self._drift(was)
            # The pace: moves wait for the page, so that newer ones can replace older ones.
            if was == point.mask:
                await asyncio.wait((moved,), timeout=1 if was else 0.2)
        if self._dragging and was & ~self._mask:
            await self._stay(was)
        await self._switch_buttons(was)
        for bit, right, down in WHEELS:
            if self._mask & bit and not was & bit:
                turn = {"deltaX": right * WHEEL, "deltaY": down * WHEEL}
                await self._mouse("mouseWheel", buttons=_devtools_buttons(self._mask), **turn)
                self._acted("scrolled")

    async def _drift(self, mask: int) -> asyncio.Future[Answer]:
        held = next((name for bit, name, _ in BUTTONS if mask & bit), "none")
        return await self._mouse("mouseMoved", button=held, buttons=_devtools_buttons(mask))

    async def _stay(self, mask: int) -> None:
        """Moves on the spot and waits for the page, at both ends of a drag.

        Chromium calls a drag off when the page begins it before any move since the press was answered, and drops nothing
        where the page has only heard `dragenter`, not yet `dragover`.
        """
        await asyncio.wait((await self._drift(mask),), timeout=1)

    async def _switch_buttons(self, was: int) -> None:
        for bit, name, _ in BUTTONS:
            if not (was ^ self._mask) & bit:
                continue
            down = bool(self._mask & bit)
            if down:
                self._count_click(bit)
                self._pressed_at = self._at
                self._dragging = False
            kind = "mousePressed" if down else "mouseReleased"
            buttons = _devtools_buttons(self._mask)
            await self._mouse(kind, button=name, buttons=buttons, clickCount=self._click[2])
            if not down:
                self._acted("dragged" if _apart(self._at, self._pressed_at) > 10 else "clicked")

    def _count_click(self, bit: int) -> None:
        button, when, count = self._click
        now = time.monotonic()
        again = button == bit and now - when < DOUBLE and _apart(self._at, self._pressed_at) < 5
        self._click = bit, now, count % 3 + 1 if again else 1

    async def _press(self, stroke: _Stroke) -> None:
        held = self._down.get(stroke.keysym)
        if not stroke.down:
            if held:
                await self._lift(stroke.keysym, held)
            return
        if accent := accent_of(stroke.keysym):
            self._accent = accent
            return
        key = held or key_of(stroke.keysym)
        if key is None:
            return
        if self._accent and not key.modifier:
            key, self._accent = accented(self._accent, key), ""
        self._down[stroke.keysym] = key
        self._modifiers |= key.modifier
        if not await self._shortcut(key):
            await self._type(key, again=held is not None)

    async def _lift(self, keysym: int, key: Key) -> None:
        del self._down[keysym]
        self._modifiers &= ~key.modifier
        await self._post("Input.dispatchKeyEvent", type="keyUp", **self._described(key))

    async def _type(self, key: Key, *, again: bool) -> None:
        described = self._described(key)
        command = self._modifiers & (CONTROL | META)
        if key.text and not command and not self._modifiers & ALT:
            text = {"text": key.text, "unmodifiedText": key.text}
            await self._post("Input.dispatchKeyEvent", type="keyDown", autoRepeat=again, **text, **described)
        else:
            editing = self._editing(key) if command else []
            await self._post(
                "Input.dispatchKeyEvent", type="rawKeyDown", autoRepeat=again, commands=editing, **described
            )
        if command and key.key.lower() in {"c", "x"}:
            self.clipboard.copy_soon()
        if not key.modifier:
            self._acted("typed")

    def _described(self, key: Key) -> dict[str, object]:
        described: dict[str, object] = {
            "key": key.key,
            "code": key.code,
            "windowsVirtualKeyCode": key.virtual,
            "modifiers": self._modifiers,
            "isKeypad": key.keypad,
        }
        if key.modifier:
            described["location"] = 2 if key.code.endswith("Right") else 1
        return described

    def _editing(self, key: Key) -> list[str]:
        name = key.key.lower()
        if name == "z" and self._modifiers & SHIFT:
            return ["redo"]
        return [EDITING[name]] if name in EDITING else []

    async def _shortcut(self, key: Key) -> bool:
        """What the browser around a page would do. DevTools keys never reach the browser's own shortcuts."""
        name, command = key.key.lower(), self._modifiers & (CONTROL | META)
        if name == "f5" or (command and name == "r"):
            await self.reload()
        elif self._modifiers == ALT and name in {"arrowleft", "arrowright"}:
            await self.go(-1 if name == "arrowleft" else 1)
        elif command and name == "v" and not self._modifiers & ALT:
            return await self.clipboard.paste()
        else:
            return False
        return True

    async def reload(self) -> None:
        """Loads the page again. Raises Refused or Gone."""
        await self._post("Page.reload")
        self._acted("reloaded")

    async def go(self, step: int) -> None:
        """Back (-1) or forward (1) in the tab's history, when there is such a page. Raises Refused, Gone, TimeoutError."""
        tab = self._screen.tab
        if tab is None:
            return
        history = await self._screen.cdp.call("Page.getNavigationHistory", None, tab.session)
        entry = history["currentIndex"] + step
        if 0 <= entry < len(history["entries"]):
            await self._post("Page.navigateToHistoryEntry", entryId=history["entries"][entry]["id"])
            self._acted("went back" if step < 0 else "went forward")


def _devtools_buttons(mask: int) -> int:
    return sum(bits for bit, _, bits in BUTTONS if mask & bit)


def _apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]))
