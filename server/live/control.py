"""Who is in control of a task: the agent, or one person. And the diary of what the person did."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Literal
from urllib.parse import urlsplit

from server.live.tasks import LiveSettings, LiveTasks, Snapshot
from storage.states import TaskState
from tools.errors import Conflict, Failure

Phase = Literal["free", "taking", "held"]

WARNING = 30.0
"""Seconds before an idle person loses control at which the page says so."""
QUIET = 5.0
"""Seconds without an act after which those before are written down."""


class Control:
    """The take-over of one task. Taking pauses the agent between two steps; giving back lets it go on.

    `began` and `ended` are awaited when a person really has control and when that is over, before the agent goes on.
    """

    def __init__(
        self,
        task_id: str,
        tasks: LiveTasks,
        settings: LiveSettings,
        *,
        changed: Callable[[], None],
        began: Callable[[], Awaitable[None]],
        ended: Callable[[str], Awaitable[None]],
    ) -> None:
        self.phase: Phase = "free"
        self.holder: str | None = None
        self.notice = ""
        """Why control was lost or refused, for the page."""
        self._task_id = task_id
        self._tasks = tasks
        self._settings = settings
        self._changed = changed
        self._began = began
        self._ended = ended
        self._state: TaskState | None = None
        self._paused_by_us = False
        self._pause_seen = False
        self._active = 0.0
        self._warned = False
        self._taking: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None

    def allows(self, seat: str) -> bool:
        """Whether this person's input goes to the page right now. Asking counts as a sign of life."""
        if self.phase != "held" or self.holder != seat:
            return False
        self._active = time.monotonic()
        if self._warned:
            self._warned = False
            self._changed()
        return True

    @property
    def seconds_left(self) -> int | None:
        """How soon an idle person loses control; None while that is not near."""
        return max(0, round(self._active + self._settings.idle - time.monotonic())) if self._warned else None

    def take(self, seat: str) -> None:
        """A person wants control; `phase` says how far that has come. Raises Conflict when another person has it."""
        if self.holder == seat:
            return
        if self.phase != "free":
            raise Conflict("Somebody else is in control.")
        if self._state is None or self._state.final:
            raise Conflict("The task has ended.")
        self.phase, self.holder, self.notice = "taking", seat, ""
        self._taking = asyncio.create_task(self._take(seat))
        self._changed()

    async def give_back(self, notice: str = "") -> None:
        """Ends the person's control, landed or not, and lets the agent go on if it was we who paused it."""
        if self.phase == "free":
            return
        was_paused_by_us = self._paused_by_us
        await self._let_go(notice)
        if was_paused_by_us and not (self._state and self._state.final):
            with suppress(Failure):  # the task has ended meanwhile
                await self._tasks.give_back(self._task_id)

    async def go_on(self) -> None:
        """The person has done what the task waited for. Raises a Failure when the task does not wait."""
        if self._paused_by_us:
            await self.give_back()
            return
        await self._let_go("")
        await self._tasks.continue_(self._task_id)

    async def observe(self, snapshot: Snapshot) -> None:
        """Takes note of the task's state: when it goes on without the person, the person loses control."""
        self._state = snapshot.state
        if snapshot.ended and self.phase != "free":
            await self._let_go("")
        elif snapshot.state is TaskState.PAUSED:
            self._pause_seen = self.phase == "held"
        elif self.phase == "held" and self._pause_seen:
            await self._let_go("The agent has gone on.")

    def left(self, seat: str) -> None:
        """The person's connection is lost: control waits a moment for them to come back."""
        if self.holder == seat and self._leaving is None:
            self._leaving = asyncio.create_task(self._wait_for_return())

    def returned(self, seat: str) -> None:
        """The person is (still or again) there."""
        if self.holder == seat and self._leaving:
            self._leaving.cancel()
            self._leaving = None

    async def _take(self, seat: str) -> None:
        try:
            if self._state is not TaskState.PAUSED:
                self._paused_by_us = True
                await self._tasks.take_control(self._task_id, f"live view, viewer {seat[:8]}")
            await self._began()
        except Failure as failure:
            self._paused_by_us = False
            self.phase, self.holder, self.notice = "free", None, failure.message
        else:
            self.phase, self._active = "held", time.monotonic()
            self._pause_seen = self._state is TaskState.PAUSED
            self._watching = asyncio.create_task(self._watch())
        self._changed()

    async def _let_go(self, notice: str) -> None:
        seat, landed = self.holder, self.phase == "held"
        self.phase, self.holder, self.notice = "free", None, notice
        self._paused_by_us = self._pause_seen = self._warned = False
        for job in (self._taking, self._watching, self._leaving):
            if job and job is not asyncio.current_task():
                job.cancel()
        self._leaving = None
        if seat and landed:
            await self._ended(seat)
        self._changed()

    async def _watch(self) -> None:
        """Warns an idle person, then ends their control."""
        while (left := self._active + self._settings.idle - time.monotonic()) > 0:
            warning = min(WARNING, self._settings.idle / 2)
            if left <= warning and not self._warned:
                self._warned = True
                self._changed()
            await asyncio.sleep(left if left <= warning else left - warning)
        await self.give_back("Nothing was done for a while, so the agent went on.")

    async def _wait_for_return(self) -> None:
        await asyncio.sleep(self._settings.leave)
        await self.give_back("The person in control has left.")


class Diary:
    """What the person did, in few words and without what was typed: the acts on one page make one entry."""

    def __init__(self, write: Callable[[str, str], Coroutine[Any, Any, None]]) -> None:
        self._write = write
        self._acts: dict[str, int] = {}
        self._where = ""
        self._timer: asyncio.TimerHandle | None = None
        self._last: asyncio.Task[None] | None = None

    def add(self, what: str, url: str) -> None:
        """Something was done on a page. Its address is kept without query and fragment, which may hold secrets."""
        where = bare_url(url)
        if where != self._where:
            self._put_down()
            self._where = where
        self._acts[what] = self._acts.get(what, 0) + 1
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(QUIET, self._put_down)

    async def close(self) -> None:
        """Writes what is left."""
        self._put_down()
        if self._last:
            await self._last

    def _put_down(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._acts:
            what = ", ".join(_counted(act, times) for act, times in self._acts.items())
            self._last = asyncio.create_task(self._after(self._last, what, self._where))
            self._acts = {}

    async def _after(self, earlier: asyncio.Task[None] | None, what: str, where: str) -> None:
        if earlier:
            await asyncio.wait((earlier,))
        with suppress(Failure):  # the task has ended: there is nothing left to write to
            await self._write(what, where)


def _counted(act: str, times: int) -> str:
    """Clicks are counted; how often keys were pressed would say how long a password is."""
    return f"{act} {times} times" if times > 1 and act in {"clicked", "dragged"} else act


def bare_url(url: str) -> str:
    """A page's address without query, fragment and login, which may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else parts.scheme
