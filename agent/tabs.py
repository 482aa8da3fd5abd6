"""The pages of one browser, or of one context in a shared browser, and which of them a person would see."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from agent.cdp import Answer, Cdp, Gone, Refused

SETTLE = 0.15
"""Seconds a tab must have been visible: a screenshot of a hidden tab makes it visible for about 60 ms."""
LIST_SECONDS = 2.0
REFRESH = 0.5
"""Seconds from a new picture to a look at the title."""
LOOK = 0.25
"""Seconds between two tries to ask a tab whether it is visible."""


@dataclass(slots=True)
class Tab:
    """One page, with our DevTools session on it."""

    target: str
    url: str
    title: str
    session: str = ""
    visible_since: float = 0
    """Monotonic seconds; 0 while hidden."""
    crashed: bool = False
    sensed: bool = False
    """Whether Chromium has been asked to say when it becomes visible."""

    @property
    def name(self) -> str:
        """Title and address, as a window's title bar would say them."""
        return " - ".join(part for part in (self.title, self.url) if part)


class Tabs:
    """Follows the tab that is in front. A cast on a hidden tab sends no frames but says when the tab becomes visible:
    a sensor that costs nothing. Where an engine makes every tab believe that it is in front, the newest one is shown, and
    a person may choose another. `changed` is called when another tab is shown or when a title, address or crash is news.
    """

    def __init__(self, cdp: Cdp, context_id: str | None, changed: Callable[[], None]) -> None:
        self.shown: Tab | None = None
        self._cdp = cdp
        self._context = context_id
        self._changed = changed
        self._tabs: dict[str, Tab] = {}
        self._began = 0.0
        self._earlier: dict[str, int] = {}
        """Places of the pages that were there before us, until each has said whether it is visible: 0 was in front last."""
        self._jobs: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()
        self._refreshing: asyncio.Task[None] | None = None

    def everyone(self) -> list[Tab]:
        """Every page that has a session, oldest first."""
        return [tab for tab in self._tabs.values() if tab.session]

    async def watch(self, cdp_url: str) -> None:
        """Finds the pages that are there and hears of those to come. Raises Gone."""
        self._earlier = {target: place for place, target in enumerate(await asyncio.to_thread(latest_first, cdp_url))}
        self._began = time.monotonic()
        await self._cdp.call("Target.setDiscoverTargets", {"discover": True, "filter": [{"type": "page"}]})
        self._start(self._look())

    async def another(self, tab: Tab | None) -> None:
        """Waits until another tab than this is shown."""
        while self.shown is tab:
            self._moved.clear()
            await self._moved.wait()

    async def sense(self, tab: Tab) -> None:
        """(Re)starts the sensor of a tab that is not being cast. Chromium refuses in the middle of a navigation."""
        tab.sensed = False
        with suppress(Refused, TimeoutError):
            size = {"format": "jpeg", "quality": 1, "maxWidth": 32, "maxHeight": 32}
            await self._cdp.call("Page.startScreencast", size, tab.session)
            tab.sensed = True

    def refresh_soon(self) -> None:
        """Asks for the title of the tab that is shown, in a moment: Chromium tells of addresses by itself, not of titles."""
        if self._refreshing is None:
            self._refreshing = self._start(self._refresh())

    async def bring_to_front(self, target: str) -> None:
        """Shows the tab that a person chose. Raises Refused or Gone."""
        tab = self._tabs.get(target)
        if tab and tab.session:
            await self._cdp.call("Target.activateTarget", {"targetId": target})
            tab.visible_since = time.monotonic()
            self._show(tab)

    async def shut(self, target: str) -> None:
        """Closes a tab, but never the last one. Raises Refused or Gone."""
        if target in self._tabs and len(self._tabs) > 1:
            await self._cdp.call("Target.closeTarget", {"targetId": target})

    def take(self, method: str, event: Answer, session: str | None) -> None:
        """Takes one DevTools event."""
        match method:
            case "Target.targetCreated" | "Target.targetInfoChanged":
                self._know(event["targetInfo"])
            case "Target.targetDestroyed":
                self._forget(event["targetId"])
            case "Target.targetCrashed":
                self._crash(event["targetId"], crashed=True)
            case "Page.screencastVisibilityChanged":
                self._see(session, visible=event["visible"])
            case _:
                pass

    def close(self) -> None:
        """Ends what is under way."""
        for job in self._jobs:
            job.cancel()

    def of_session(self, session: str | None) -> Tab | None:
        """The tab that a session is on."""
        return next((tab for tab in self._tabs.values() if session and tab.session == session), None)

    def _know(self, info: Answer) -> None:
        if info["type"] != "page" or (self._context and info.get("browserContextId") != self._context):
            return
        tab = self._tabs.get(info["targetId"])
        if tab is None:
            tab = self._tabs[info["targetId"]] = Tab(info["targetId"], info["url"], info["title"])
            self._start(self._attach(tab))
        elif (tab.url, tab.title) != (info["url"], info["title"]):
            tab.url, tab.title = info["url"], info["title"]
            self._changed()

    async def _attach(self, tab: Tab) -> None:
        """Opens a session on the tab. Page.enable stays off: a client with it on has a say in the page's dialogs."""
        with suppress(Refused, TimeoutError, Gone):
            answer = await self._cdp.call("Target.attachToTarget", {"targetId": tab.target, "flatten": True})
            tab.session = answer["sessionId"]
            await self.sense(tab)
            self._changed()

    async def _look(self) -> None:
        """Asks the tabs again that could not be asked yet: nothing tells when Chromium would no longer refuse."""
        with suppress(Gone):
            while True:
                await asyncio.sleep(LOOK)
                for tab in self.everyone():
                    if not tab.sensed and tab is not self.shown:
                        await self._sense_anew(tab)

    async def _sense_anew(self, tab: Tab) -> None:
        with suppress(Refused, TimeoutError):
            await self._cdp.call("Page.stopScreencast", None, tab.session)  # a question may have been heard after all
        await self.sense(tab)

    async def _refresh(self) -> None:
        await asyncio.sleep(REFRESH)
        self._refreshing = None
        if self.shown:
            with suppress(Refused, TimeoutError, Gone):
                answer = await self._cdp.call("Target.getTargetInfo", {"targetId": self.shown.target})
                self._know(answer["targetInfo"])

    def _forget(self, target: str) -> None:
        tab = self._tabs.pop(target, None)
        if tab is None:
            return
        if tab is self.shown:
            self._show(None)
            self._pick()
        self._changed()

    def _crash(self, target: str, *, crashed: bool) -> None:
        tab = self._tabs.get(target)
        if tab:
            tab.crashed = crashed
            self._changed()

    def _see(self, session: str | None, *, visible: bool) -> None:
        tab = self.of_session(session)
        if tab is None:
            return
        if visible and tab.crashed:
            self._crash(tab.target, crashed=False)
        came = self._came(tab.target)
        tab.visible_since = (tab.visible_since or came) if visible else 0
        wait = SETTLE if self.shown else 0
        asyncio.get_running_loop().call_later(wait, self._pick)

    def _came(self, target: str) -> float:
        """When a tab came to the front that says so now. Of those that were there before us, only the order is known."""
        place = self._earlier.pop(target, None)
        return time.monotonic() if place is None else self._began - place / 1000

    def _pick(self) -> None:
        """Shows the tab that came to the front last and stayed there."""
        settled = time.monotonic() - (SETTLE * 0.9 if self.shown else 0)
        seen = [tab for tab in self._tabs.values() if tab.session and 0 < tab.visible_since <= settled]
        latest = max(seen, key=lambda tab: tab.visible_since, default=None)
        if latest and latest.visible_since > (self.shown.visible_since if self.shown else 0):
            self._show(latest)

    def _show(self, tab: Tab | None) -> None:
        if tab is not self.shown:
            self.shown = tab
            self._moved.set()
            self._changed()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        job = asyncio.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return job


def latest_first(cdp_url: str) -> list[str]:
    """The ids of a browser's pages, the one that was last in front first; none where it does not answer.

    DevTools tells of pages in no order, and only its HTTP endpoint knows this one.
    """
    connection = HTTPConnection(urlsplit(cdp_url).netloc, timeout=LIST_SECONDS)
    try:
        connection.request("GET", "/json/list")
        return [page["id"] for page in json.load(connection.getresponse())]
    except (OSError, HTTPException, ValueError):
        return []
    finally:
        connection.close()
