"""The visible tab of a running browser as JPEG frames, and nothing spent while nobody watches.

Chromium's screencast must not be paced by holding back acknowledgements: after three unacknowledged frames it drops what
comes and never sends it again, so that the last change of a burst would be lost. Hence frames are pulled: start the cast
(Chromium then sends the present picture, on an idle page too), stop it, wait until the frame gap is over and a viewer
wants more, start again. When the first frame is the one already known, the cast stays on until the page changes.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

from agent.cdp import Answer, Cdp, Gone, Refused
from agent.engine import Window
from agent.frame import Frame, jpeg_size
from agent.tabs import Tab, Tabs

GRACE = 3.0
"""Seconds that the connection outlives the last viewer."""
RESIZE = 0.3
"""Seconds after which a new size of the page is believed."""
PATIENCE = (0.5, 2.0, 15.0)
"""Seconds without news after which a running cast is started afresh: the first time, the second, and from then on."""
RETRY = 0.05
"""Seconds between two tries while a navigation leaves no active page."""


class _Unchanged(Exception):
    """The cast has brought nothing new for a while."""


class Screen:
    """What the browser shows. `rate` is in frames per second, `quality` a JPEG quality; both may change at any time.

    Listeners are called, without arguments, when the title, the tabs or a crash are news. They must not block.
    """

    def __init__(self, window: Window, *, rate: float = 10, quality: int = 60, longest_side: int = 2048) -> None:
        self.window = window
        self.rate = rate
        self.quality = quality
        self.longest_side = longest_side
        self.viewers = 0
        self.frame: Frame | None = None
        self.captures = 0
        """How many frames Chromium has sent."""
        self.listeners: list[Callable[[], None]] = []
        self.taps: list[Callable[[str, Answer, str | None], None]] = []
        """Called with every DevTools event."""
        self._cdp: Cdp | None = None
        self._tabs: Tabs | None = None
        self._pump: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._news = asyncio.Condition()
        self._arrived: deque[Answer | None] = deque()
        """Frames of the running cast; None: the tab went to another page, so look again."""
        self._looks = 0
        """How many casts in a row have brought no news."""
        self._arrival = asyncio.Event()
        self._odd_size: tuple[int, int] | None = None
        self._odd_since = 0.0

    @property
    def tab(self) -> Tab | None:
        """The tab that is shown."""
        return self._tabs.shown if self._tabs else None

    @property
    def tabs(self) -> list[Tab]:
        """Every tab, oldest first."""
        return self._tabs.everyone() if self._tabs else []

    @property
    def name(self) -> str:
        """Title and address of the tab that is shown."""
        return self.tab.name if self.tab else ""

    @property
    def gone(self) -> bool:
        """Whether the browser has ended (or nobody is connected to it)."""
        return self._cdp is None or self._cdp.gone.is_set()

    @property
    def cdp(self) -> Cdp:
        """The connection, while somebody watches. Raises Gone."""
        if self._cdp is None:
            raise Gone("nobody watches")
        return self._cdp

    @asynccontextmanager
    async def watched(self) -> AsyncGenerator[None]:
        """Counts a viewer; the first one connects, the last one disconnects after a moment. Raises Gone."""
        self.viewers += 1
        if self._closing:
            self._closing.cancel()
            self._closing = None
        try:
            async with self._turn:
                if self.gone:
                    await self._open()
            yield
        finally:
            self.viewers -= 1
            if not self.viewers:
                self._closing = asyncio.create_task(self._close_later())

    async def next(self, after: int) -> Frame:
        """The present frame when its number is higher than `after`, else the one that comes. Raises Gone."""
        while True:
            if self.frame and self.frame.number > after:
                return self.frame
            if self.gone:
                raise Gone("the browser is gone")
            self._wanted.set()
            async with self._news:
                if not self.gone and not (self.frame and self.frame.number > after):
                    await self._news.wait()

    async def bring_to_front(self, target: str) -> None:
        """Shows a tab. Raises Refused or Gone."""
        if self._tabs:
            await self._tabs.bring_to_front(target)

    async def shut(self, target: str) -> None:
        """Closes a tab, but never the last one. Raises Refused or Gone."""
        if self._tabs:
            await self._tabs.shut(target)

    async def close(self) -> None:
        """Disconnects at once; viewers get Gone."""
        async with self._turn:
            await self._close()

    async def _open(self) -> None:
        await self._close()
        self.frame = None
        cdp = await Cdp.open(self.window.cdp_url, self._take)
        tabs = Tabs(cdp, self.window.context_id, self._tell)
        self._cdp, self._tabs = cdp, tabs
        await tabs.watch(self.window.cdp_url)
        self._pump = asyncio.create_task(self._follow(cdp, tabs))

    async def _close(self) -> None:
        cdp, tabs, pump = self._cdp, self._tabs, self._pump
        self._cdp = self._tabs = self._pump = None
        if pump:
            pump.cancel()
        if tabs:
            tabs.close()
        if cdp:
            await cdp.close()  # Chromium detaches, and so stops casting, by itself
        async with self._news:
            self._news.notify_all()

    async def _close_later(self) -> None:
        await asyncio.sleep(GRACE)
        async with self._turn:
            if not self.viewers:
                await self._close()

    def _tell(self) -> None:
        for listener in list(self.listeners):
            listener()

    def _take(self, method: str, event: Answer, session: str | None) -> None:
        tabs = self._tabs
        if tabs is None:
            return
        if method == "Page.screencastFrame":
            if tabs.shown and session == tabs.shown.session:
                self._arrived.append(event)
                self._arrival.set()
        else:
            url = tabs.shown.url if tabs.shown else ""
            tabs.take(method, event, session)
            if tabs.shown and tabs.shown.url != url:
                self._looks = 0
                self._arrived.append(None)
                self._arrival.set()
            for tap in list(self.taps):
                tap(method, event, session)

    async def _follow(self, cdp: Cdp, tabs: Tabs) -> None:
        """Casts whichever tab is shown, until the browser is gone."""
        ended = asyncio.create_task(cdp.gone.wait())
        shown: Tab | None = None
        try:
            while not ended.done():
                casting = asyncio.create_task(self._cast(cdp, shown)) if shown else None
                moved = asyncio.create_task(tabs.another(shown))
                try:
                    await asyncio.wait((moved, ended), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    moved.cancel()
                    if casting:
                        casting.cancel()
                        await asyncio.wait((casting,))
                if shown and shown in tabs.everyone():
                    await self._rest(cdp, tabs, shown)
                shown = tabs.shown
        except Gone:
            pass
        finally:
            ended.cancel()
            self._tell()
            async with self._news:
                self._news.notify_all()

    async def _rest(self, cdp: Cdp, tabs: Tabs, tab: Tab) -> None:
        """Leaves a tab that is no longer shown to its sensor."""
        tab.sensed = False
        with suppress(Refused, TimeoutError):
            await self._stop(cdp, tab)
            await tabs.sense(tab)

    async def _cast(self, cdp: Cdp, tab: Tab) -> None:
        while True:
            try:
                await self._stop(cdp, tab)  # the sensor, or what is left of a try that failed
                while True:
                    await self._pull(cdp, tab)
            except (Refused, TimeoutError):
                # "Not attached to an active page": in the middle of a navigation, or the tab is being closed.
                await asyncio.sleep(RETRY)
            except Gone:
                return

    async def _pull(self, cdp: Cdp, tab: Tab) -> None:
        """One frame that is news, or none when it is time to look again.

        The gap runs from the start of the capture, so it contains the capture. Under load a navigation can swallow the
        first frame of a cast, after which an idle page would send no other: hence the look again, less and less often.
        """
        begun = time.monotonic()
        started = await cdp.post("Page.startScreencast", self._options(), tab.session)
        patience = PATIENCE[min(self._looks, len(PATIENCE) - 1)]
        self._looks += 1
        with suppress(_Unchanged):
            while not self._publish(event := await self._receive(started, begun + patience)):
                begun = time.monotonic()
                await cdp.post("Page.screencastFrameAck", {"sessionId": event["sessionId"]}, tab.session)
            self._looks = 0
            async with self._news:
                self._news.notify_all()
        await self._stop(cdp, tab)
        if self._looks == 0:
            await asyncio.sleep(max(0.0, begun + 1 / self.rate - time.monotonic()))
            await self._wanted.wait()

    def _options(self) -> dict[str, object]:
        side = self.longest_side
        return {"format": "jpeg", "quality": self.quality, "maxWidth": side, "maxHeight": side}

    async def _receive(self, started: asyncio.Future[Answer], until: float) -> Answer:
        """The next frame of the running cast, which may come before the answer to its start. Raises Refused, _Unchanged."""
        arrival = asyncio.create_task(self._arrive())
        try:
            patience = max(0.0, until - time.monotonic())
            await asyncio.wait((arrival, started), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if started.done():
                started.result()
                await asyncio.wait((arrival,), timeout=max(0.0, until - time.monotonic()))
            event = arrival.result() if arrival.done() else None
            if event is None:
                raise _Unchanged
            return event
        finally:
            arrival.cancel()

    async def _arrive(self) -> Answer | None:
        while not self._arrived:
            self._arrival.clear()
            await self._arrival.wait()
        return self._arrived.popleft()

    async def _stop(self, cdp: Cdp, tab: Tab) -> None:
        try:
            await cdp.call("Page.stopScreencast", None, tab.session)
        finally:
            self._arrived.clear()

    def _publish(self, event: Answer) -> bool:
        """Makes the frame the present one. False: it is the one already known."""
        jpeg, about = base64.b64decode(event["data"]), event["metadata"]
        self.captures += 1
        last = self.frame
        if last and last.jpeg == jpeg:
            self._odd_size = None
            return False
        width, height = size = jpeg_size(jpeg)
        page = about["deviceWidth"] or width, about["deviceHeight"] or height
        if last and not self._is_credible(size, page, (last.width, last.height)):
            return True
        self._odd_size = None
        number = last.number + 1 if last else time.monotonic_ns()  # above any number before a reconnection
        self.frame = Frame(number, jpeg, width, height, *page)
        self._wanted.clear()
        if self._tabs:
            self._tabs.refresh_soon()
        return True

    def _is_credible(self, size: tuple[int, int], page: tuple[float, float], before: tuple[int, int]) -> bool:
        """Whether to believe a frame's size. A full-page screenshot resizes the page for a moment, and a cast begun in
        that moment keeps its scale: both pass with the next casts.
        """
        scale = min(1.0, self.longest_side / max(page))
        fits = all(abs(side - whole * scale) < 2 for side, whole in zip(size, page, strict=True))
        if fits and size == before:
            return True
        if size != self._odd_size:
            self._odd_size, self._odd_since = size, time.monotonic()
        return time.monotonic() - self._odd_since > (RESIZE if fits else 4 * RESIZE)
