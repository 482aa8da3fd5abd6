"""The rooms that somebody is in: one for each task that is looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from server.live.room import Room
from server.live.tasks import LiveSettings, LiveTasks


class Rooms:
    """The rooms that somebody is in."""

    def __init__(self, tasks: LiveTasks, settings: LiveSettings) -> None:
        self._tasks = tasks
        self._settings = settings
        self._rooms: dict[str, Room] = {}
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def entered(self, task_id: str) -> AsyncGenerator[Room | None]:
        """The task's room while a connection lasts; None when there is no such task."""
        snapshot = await self._tasks.look(task_id)
        if snapshot is None:
            yield None
            return
        room = self._rooms.get(task_id)
        if room is None:
            room = self._rooms[task_id] = Room(task_id, self._tasks, self._settings, snapshot)
        if timer := self._leaving.pop(task_id, None):
            timer.cancel()
        room.people += 1
        try:
            yield room
        finally:
            room.people -= 1
            if not room.people and self._rooms.get(task_id) is room:
                # Long enough for a person in control to come back.
                later = asyncio.get_running_loop().call_later
                self._leaving[task_id] = later(self._settings.leave + 1, self._shut, task_id)

    async def close(self) -> None:
        """Ends every room."""
        for task_id in list(self._rooms):
            self._shut(task_id)
        await asyncio.gather(*self._closing)

    def _shut(self, task_id: str) -> None:
        if timer := self._leaving.pop(task_id, None):
            timer.cancel()
        room = self._rooms.pop(task_id)
        job = asyncio.create_task(room.close())
        self._closing.add(job)
        job.add_done_callback(self._closing.discard)
