"""The clipboard of a person who acts in a page: their text goes in by pasting, the page's comes out by copying.

The browser's own clipboard is left alone: other tasks may share that browser.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from agent.cdp import Answer, Gone, Refused

_FOCUSED = """let d=document,e=d.activeElement;
while(e){if(e.shadowRoot?.activeElement)e=e.shadowRoot.activeElement;
else if(e.contentDocument){d=e.contentDocument;e=d.activeElement}else break}"""
_SELECTION = f"""(()=>{{{_FOCUSED}
if(e&&/^(INPUT|TEXTAREA)$/.test(e.tagName)&&e.selectionStart!=null&&e.type!='password')
return e.value.slice(e.selectionStart,e.selectionEnd);
return String(d.getSelection())}})()"""
_PASTE = f"""(text=>{{{_FOCUSED}
if(!e||e.tagName=='IFRAME')return false;
const t=new DataTransfer();t.setData('text/plain',text);
return!e.dispatchEvent(new ClipboardEvent('paste',{{clipboardData:t,bubbles:true,cancelable:true,composed:true}}))}})"""

Copied = Callable[[str], Awaitable[None]]
"""Gets what was copied in the page."""


class Post(Protocol):
    """Sends a DevTools command to the tab that is shown; the answer comes later. Raises Refused or Gone."""

    async def __call__(self, method: str, **parameters: object) -> asyncio.Future[Answer]:
        """The future of the answer."""
        ...


class Clipboard:
    """One person's. `acted` is told that something was pasted or copied, never what."""

    def __init__(self, post: Post, acted: Callable[[str], None], copied: Copied | None = None) -> None:
        self.copied = copied
        self._post = post
        self._acted = acted
        self._text = ""
        self._here = asyncio.Event()
        self._here.set()
        self._copying: set[asyncio.Task[None]] = set()

    def expect(self) -> None:
        """The person's clipboard has changed and its text is on the way: a paste waits for it."""
        self._here.clear()

    def set(self, text: str) -> None:
        """The text of the person's clipboard, kept until it is pasted."""
        self._text = text
        self._here.set()

    async def paste(self) -> bool:
        """Offers the text to the page as a paste event, which one-time-code fields and editors wait for; a page that does
        not take it gets it inserted. False: there is no text. Raises Refused or Gone.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                await self._here.wait()
        if not self._text:
            return False
        asked = await self._post(
            "Runtime.evaluate", expression=f"{_PASTE}({json.dumps(self._text)})", returnByValue=True, userGesture=True
        )
        await asyncio.wait((asked,), timeout=2)
        taken = asked.done() and not asked.exception() and asked.result()["result"].get("value") is True
        if not taken:
            await self._post("Input.insertText", text=self._text)
        self._acted("pasted")
        return True

    def copy_soon(self) -> None:
        """Reads what is selected in the page, where anybody wants it, without holding the hands up."""
        if self.copied:
            job = asyncio.create_task(self._copy(self.copied))
            self._copying.add(job)
            job.add_done_callback(self._copying.discard)

    async def _copy(self, copied: Copied) -> None:
        with suppress(Refused, Gone, TimeoutError, ConnectionError):
            asked = await self._post("Runtime.evaluate", expression=_SELECTION, returnByValue=True)
            text = (await asyncio.wait_for(asked, 2))["result"].get("value")
            if isinstance(text, str) and text:
                self._text = text
                self._acted("copied")
                await copied(text)
