"""Rooms: a context of the shared Chromium for each task, behind a gate of its own. One is kept ready ahead of its task."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from playwright.async_api import BrowserContext, Page, StorageState
from playwright.async_api import Error as PlaywrightError

from agent.engine import Viewport, Window
from agent.lite.pool import Session, SharedChromium, Warm
from agent.wall import Gate, Wall
from tools.errors import AuthenticationFailed, BrowserFailed, Failure

BUILD_SECONDS = 20.0
CLOSE_SECONDS = 1.0
"""So long whoever leaves a room waits for it to be gone."""
LINGER_SECONDS = 5.0
"""And so long it may then take, before its Chromium is suspected."""
NOWHERE = Wall(hosts=())

State = Mapping[str, Any]


@dataclass(frozen=True)
class Furnishing:
    """What a context is made with and keeps."""

    viewport: Viewport = field(default_factory=Viewport)
    locale: str = "en-US"
    timezone: str = "UTC"


@dataclass(frozen=True)
class Room:
    """A context with its page, a DevTools session of that page, and its gate. Closing `stack` takes it all down."""

    furnishing: Furnishing
    window: Window
    context: BrowserContext
    page: Page
    session: Session
    gate: Gate
    warm: Warm
    stack: contextlib.AsyncExitStack


class Rooms:
    """Lends rooms out. Making one takes longer than many a task, so the next is made while nobody waits for it."""

    def __init__(self, pool: SharedChromium, *, ahead: bool = True) -> None:
        self._pool = pool
        self._ahead = ahead
        self._spare: Room | None = None
        self._closed = False
        self._behind: set[asyncio.Task[None]] = set()
        self._lingering: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def room(
        self, furnishing: Furnishing, wall: Wall, *, upstream: str | None = None, state: State | None = None
    ) -> AsyncGenerator[Room]:
        """A room with a login's storage state in it. Nothing of it is left afterwards.

        Raises BrowserFailed, or AuthenticationFailed where the state cannot be read.
        """
        room = await self._take(furnishing, wall, state) if upstream is None else None
        if room is None:
            room = await self._build_surely(furnishing, wall, upstream, state)
        try:
            yield room
        except BaseException:
            await room.stack.aclose()
            raise
        self._later(self._turn_over(room))

    async def prepare(self, furnishing: Furnishing) -> None:
        """Makes the next room ready, unless one is. Raises BrowserFailed."""
        if self._spare is None and self._ahead and not self._closed:
            room = await self._build(furnishing, NOWHERE, None, None)
            if self._spare is None and not self._closed:
                self._spare = room
            else:
                await room.stack.aclose()

    @property
    def ready(self) -> Room | None:
        """The room that stands ready."""
        return self._spare

    async def close(self) -> None:
        """Leaves every room."""
        self._closed = True
        if self._spare is not None:
            await self._spare.stack.aclose()
            self._spare = None
        await asyncio.gather(*self._behind, return_exceptions=True)
        for task in self._lingering:
            task.cancel()
        await asyncio.gather(*self._lingering, return_exceptions=True)

    async def _take(self, furnishing: Furnishing, wall: Wall, state: State | None) -> Room | None:
        """The room that stands ready, if it fits; one that does not is given up."""
        room, self._spare = self._spare, None
        if room is None:
            return None
        if room.furnishing != furnishing or not room.warm.usable or (state and state.get("origins")):
            self._later(room.stack.aclose())
            return None
        try:
            if state and state.get("cookies"):
                await room.context.add_cookies(list(state["cookies"]))
        except PlaywrightError:
            await room.stack.aclose()
            return None  # a room that is built for it says whether the state or the browser is to blame
        except BaseException:
            await room.stack.aclose()
            raise
        room.gate.wall = wall
        return room

    async def _build_surely(
        self, furnishing: Furnishing, wall: Wall, upstream: str | None, state: State | None
    ) -> Room:
        """Builds a room; once more where the Chromium, or Playwright's own process, turned out to be dead."""
        try:
            return await self._build(furnishing, wall, upstream, state)
        except BrowserFailed:
            return await self._build(furnishing, wall, upstream, state)

    async def _build(self, furnishing: Furnishing, wall: Wall, upstream: str | None, state: State | None) -> Room:
        async with contextlib.AsyncExitStack() as stack:
            gate = await stack.enter_async_context(Gate.open(wall, upstream))
            warm = await stack.enter_async_context(self._pool.lease())
            try:
                async with asyncio.timeout(BUILD_SECONDS):
                    context = await new_context(warm, gate, furnishing, state)
                    stack.push_async_callback(self._clear, context, warm)
                    page = await context.new_page()
                    session = cast("Session", await context.new_cdp_session(page))
                    target = await session.send("Target.getTargetInfo")
            except (PlaywrightError, TimeoutError):
                if not await warm.answers():
                    await self._pool.give_up(warm)
                elif state:
                    raise AuthenticationFailed("The stored login cannot be read: reconnect the account") from None
                raise BrowserFailed from None
            window = Window(warm.chromium.cdp_url, target["targetInfo"].get("browserContextId"))
            return Room(furnishing, window, context, page, session, gate, warm, stack.pop_all())

    async def _clear(self, context: BrowserContext, warm: Warm) -> None:
        """Removes a context, in the background where that takes more than a second."""
        closing = asyncio.create_task(shut(context))
        try:
            await asyncio.wait((closing,), timeout=CLOSE_SECONDS)
        finally:  # whoever is cancelled here leaves it to the background, too
            if not closing.done():
                keep(asyncio.create_task(self._linger(closing, warm)), self._lingering)
        if closing.done() and not closing.result():
            await self._pool.give_up(warm)

    async def _linger(self, closing: asyncio.Task[bool], warm: Warm) -> None:
        """A machine that has too much to do is slow, too: others' tasks are killed only with a Chromium that does not answer."""
        try:
            await asyncio.wait((closing,), timeout=LINGER_SECONDS)
            if closing.done() and closing.result():
                return
            if await warm.answers():
                await self._pool.retire(warm)
            else:
                await self._pool.give_up(warm)
        finally:
            closing.cancel()

    async def _turn_over(self, room: Room) -> None:
        await room.stack.aclose()
        with contextlib.suppress(Failure):
            await self.prepare(room.furnishing)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        keep(asyncio.create_task(work), self._behind)


def keep(task: asyncio.Task[None], among: set[asyncio.Task[None]]) -> None:
    """Keeps a task among others as long as it runs."""
    among.add(task)
    task.add_done_callback(among.discard)


async def shut(context: BrowserContext) -> bool:
    """Closes a context. False where its Chromium, or Playwright's process, is gone."""
    try:
        await context.close()
    except PlaywrightError:
        return False
    return True


async def new_context(warm: Warm, gate: Gate, furnishing: Furnishing, state: State | None) -> BrowserContext:
    """A context whose only way out is the gate."""
    return await warm.browser.new_context(
        proxy={"server": gate.url, "bypass": "<-loopback>"},
        storage_state=cast("StorageState | None", dict(state) if state else None),
        viewport={"width": furnishing.viewport.width, "height": furnishing.viewport.height},
        locale=furnishing.locale,
        timezone_id=furnishing.timezone,
        accept_downloads=False,
        service_workers="block",  # what a page's worker sends in its place, nobody here would hear
    )
