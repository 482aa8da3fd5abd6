"""Everybody who looks at one task: one screen and one cast for all of them, one person in control."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from agent.inputs import Inputs
from agent.prompts import PromptAnswer, Prompts
from agent.screencast import Screen
from server.live.control import Control, Diary, bare_url
from server.live.pictures import Pictures
from server.live.rfb import Viewer
from server.live.stream import Stream
from server.live.tasks import LiveSettings, LiveTasks, Snapshot
from tools.errors import Conflict

LOOK_AGAIN = 1.0
"""Seconds between two looks for the browser of a task that has none, or whose browser has died."""

HELP_SECONDS = 3.0
"""A page that hangs must not keep a person from taking control, nor the agent from getting it back."""


class Over(Exception):
    """The task has ended."""


class Room:
    """One task's viewers. Built by server.live.rooms."""

    def __init__(self, task_id: str, tasks: LiveTasks, settings: LiveSettings, snapshot: Snapshot) -> None:
        self.task_id = task_id
        self.snapshot = snapshot
        self.screen: Screen | None = None
        self.pictures = Pictures()
        self.prompts: Prompts | None = None
        self.ended = asyncio.Event()
        self.people = 0
        self._tasks = tasks
        self._settings = settings
        self._stale: set[asyncio.Event] = set()
        self._seats: dict[str, int] = {}
        self._hands: dict[str, set[Inputs]] = {}
        self._received: dict[str, Path] = {}
        self._page = ""
        self._screens = asyncio.Condition()
        self._moving = asyncio.Lock()
        self._diary = Diary(self._write_down)
        self.control = Control(
            task_id, tasks, settings, changed=self._tell, began=self._control_began, ended=self._control_ended
        )
        self._following = asyncio.create_task(self._follow())

    @contextmanager
    def stirring(self) -> Generator[asyncio.Event]:
        """An event that is set whenever there is news."""
        stale = asyncio.Event()
        self._stale.add(stale)
        try:
            yield stale
        finally:
            self._stale.discard(stale)

    def notify(self, notice: str) -> None:
        """Says something to everybody who looks."""
        self.control.notice = notice
        self._tell()

    # -- who is here

    @asynccontextmanager
    async def seated(self, seat: str) -> AsyncGenerator[None]:
        """One connection of a person; a person's control outlives the last of them only for a moment."""
        self._seats[seat] = self._seats.get(seat, 0) + 1
        self.control.returned(seat)
        try:
            yield
        finally:
            self._seats[seat] -= 1
            if not self._seats[seat]:
                del self._seats[seat]
                self.control.left(seat)

    async def serve(self, stream: Stream, screen: Screen, seat: str | None, *, may_control: bool) -> None:
        """Shows the screen to one VNC viewer, after the handshake. Without a seat no page of ours takes control for the
        person, so the first input does. Raises Over when the task has ended, Broken, or Gone.
        """
        own = seat or f"vnc-{secrets.token_hex(8)}"
        inputs = self._inputs_of(own, screen, direct=seat is None) if may_control else None
        viewer = Viewer(stream, screen, self.pictures, inputs)
        async with self.seated(own):
            with self._hands_of(own, inputs):
                await self._serve(viewer)

    async def _serve(self, viewer: Viewer) -> None:
        serving = asyncio.create_task(viewer.run())
        over = asyncio.create_task(self.ended.wait())
        try:
            await asyncio.wait((serving, over), return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                raise Over("The task has ended.")
            serving.result()
        finally:
            for job in (serving, over):
                job.cancel()
            await asyncio.gather(serving, over, return_exceptions=True)

    @contextmanager
    def _hands_of(self, seat: str, inputs: Inputs | None) -> Generator[None]:
        """What this connection holds down is let go when the person's control ends."""
        if inputs is None:
            yield
            return
        hands = self._hands.setdefault(seat, set())
        hands.add(inputs)
        try:
            yield
        finally:
            hands.discard(inputs)

    def _inputs_of(self, seat: str, screen: Screen, *, direct: bool) -> Inputs:
        def allowed() -> bool:
            if direct and self.control.phase == "free":
                with suppress(Conflict):  # the task has ended
                    self.control.take(seat)
            return self.control.allows(seat)

        def acted(what: str) -> None:
            self._diary.add(what, screen.tab.url if screen.tab else "")

        return Inputs(screen, allowed=allowed, acted=acted)

    async def open_screen(self, seconds: float) -> Screen | None:
        """The screen of the task's browser, as soon as there is one; None when that takes too long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._screens:
                while self.screen is None and not self.ended.is_set():
                    await self._screens.wait()
        return self.screen

    async def close(self) -> None:
        """Ends control, if somebody still has it, and leaves the browser alone."""
        self._following.cancel()
        await self.control.give_back()
        await self._diary.close()
        if self.screen:
            await self.screen.close()

    # -- what a person does besides pointing and typing

    async def use_toolbar(self, seat: str, button: str, target: str) -> None:
        """back, forward, reload, show_tab or close_tab; only for the person in control. Raises Refused or Gone."""
        screen = self.screen
        if screen is None or not self.control.allows(seat):
            return
        inputs = self._inputs_of(seat, screen, direct=False)
        match button:
            case "back" | "forward":
                await inputs.go(-1 if button == "back" else 1)
            case "reload":
                await inputs.reload()
            case "show_tab":
                await screen.bring_to_front(target)
            case _:
                await screen.shut(target)

    async def answer(self, seat: str, prompt_id: str, *, accept: bool, text: str, files: list[str]) -> None:
        """The answer of the person in control to a dialog, file chooser or permission. Raises Refused or Gone."""
        if self.prompts is None or self.screen is None or not self.control.allows(seat):
            return
        prompt = next((prompt for prompt in self.prompts.pending if prompt.id == prompt_id), None)
        if prompt is None:
            return
        paths = [self._received[name] for name in files if name in self._received]
        await self.prompts.answer(prompt_id, PromptAnswer(accept, text, paths))
        acts = {
            "files": "chose files" if accept else "chose no file",
            "permission": "decided on a permission",
            "field": "filled in a field" if accept else "left a field as it was",
            "silent": "reloaded" if accept else "waited",
        }
        self._diary.add(acts.get(prompt.kind, "answered a dialog"), self.screen.tab.url if self.screen.tab else "")

    def receive(self, path: Path) -> str:
        """A file of the person's has arrived; its name for an answer."""
        name = secrets.token_urlsafe(9)
        self._received[name] = path
        return name

    # -- what changes

    async def _follow(self) -> None:
        looking = asyncio.create_task(self._look_for_window())
        try:
            async for snapshot in self._tasks.follow(self.task_id):
                self.snapshot = snapshot
                await self.control.observe(snapshot)
                if snapshot.ended:
                    break
                await self._move_to_window()
                self._tell()
        finally:
            looking.cancel()
            if self.snapshot.ended:
                self.ended.set()
                await self._set_screen(None)

    async def _look_for_window(self) -> None:
        """A browser that dies is replaced without the task's state changing."""
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            if self.screen is None or self.screen.gone:
                await self._move_to_window()

    async def _move_to_window(self) -> None:
        async with self._moving:
            window = await self._tasks.window(self.task_id)
            if window != (self.screen.window if self.screen else None):
                settings = self._settings
                await self._set_screen(
                    Screen(window, rate=settings.watch_rate, quality=settings.quality) if window else None
                )

    async def _set_screen(self, screen: Screen | None) -> None:
        old, self.screen = self.screen, screen
        await self._stop_helping()
        self.prompts = Prompts(screen, self._tell) if screen else None
        self.pictures = Pictures()
        if screen:
            screen.listeners.append(self._screen_changed)
            if self.control.phase == "held":
                await self._help(screen)
        if old:
            await old.close()
        async with self._screens:
            self._screens.notify_all()
        self._tell()

    async def _help(self, screen: Screen) -> None:
        screen.rate = self._settings.control_rate
        if self.prompts:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.prompts.begin(), HELP_SECONDS)

    async def _stop_helping(self) -> None:
        if self.prompts:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.prompts.end(), HELP_SECONDS)

    async def _control_began(self) -> None:
        self._page = bare_url(self.screen.tab.url) if self.screen and self.screen.tab else ""
        if self.screen:
            await self._help(self.screen)

    async def _control_ended(self, seat: str) -> None:
        for inputs in self._hands.get(seat, ()):
            await inputs.release()
        if self.screen:
            self.screen.rate = self._settings.watch_rate
        await self._stop_helping()
        await self._diary.close()

    def _screen_changed(self) -> None:
        tab = self.screen.tab if self.screen else None
        if tab and self.control.phase == "held" and bare_url(tab.url) != self._page:
            self._page = bare_url(tab.url)
            self._diary.add("went to another page", tab.url)
        self._tell()

    async def _write_down(self, what: str, where: str) -> None:
        await self._tasks.record_person_step(self.task_id, what, where)

    def _tell(self) -> None:
        for stale in self._stale:
            stale.set()
