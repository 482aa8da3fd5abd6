"""Wakes whoever follows a topic (a task's id, or QUEUE). Carries no payload: who wakes looks at the row.

Inside a process by asyncio; across processes by LISTEN/NOTIFY on PostgreSQL. A missed wake-up costs at most a follower's own time-out.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager

import structlog

CHANNEL = "webhand"
QUEUE = "queue"
"""The topic of whoever looks for work."""

_log = structlog.get_logger(__name__)
_RECONNECT_S = 0.5


class Follower:
    """Somebody who waits for a topic."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Ends the present or the next wait."""
        self._woken.set()

    async def changed(self, timeout: float) -> bool:  # noqa: ASYNC109  # a wait that ends quietly is the point
        """Waits until the topic changed (True) or `timeout` seconds passed (False)."""
        try:
            async with asyncio.timeout(timeout):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True


class Changes:
    """Who follows what in this process."""

    def __init__(self) -> None:
        self._followers: dict[str, set[Follower]] = defaultdict(set)
        self._listening: asyncio.Task[None] | None = None

    @contextmanager
    def follow(self, topic: str) -> Generator[Follower]:
        """A follower of the topic. Begin to follow before you read the row, or a change between the two is missed."""
        follower = Follower()
        self._followers[topic].add(follower)
        try:
            yield follower
        finally:
            self._followers[topic].discard(follower)
            if not self._followers[topic]:
                del self._followers[topic]

    def wake(self, topic: str) -> None:
        """Wakes the topic's followers in this process."""
        for follower in self._followers.get(topic, ()):
            follower.wake()

    def wake_all(self) -> None:
        """Wakes everybody: something may have been missed."""
        for topic in list(self._followers):
            self.wake(topic)

    async def listen(self, url: str) -> None:
        """Hears the changes of other processes through PostgreSQL."""
        ready = asyncio.Event()
        self._listening = asyncio.create_task(self._hear(url, ready), name="changes")
        await ready.wait()

    async def close(self) -> None:
        """Stops listening."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None

    async def _hear(self, url: str, ready: asyncio.Event) -> None:
        import psycopg  # SQLite's users need none of it

        while True:
            try:
                async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    ready.set()
                    self.wake_all()
                    async for notify in connection.notifies():
                        self.wake(notify.payload)
            except psycopg.Error as error:
                _log.warning("changes.lost", error=str(error).splitlines()[0] if str(error) else type(error).__name__)
            ready.set()
            await asyncio.sleep(_RECONNECT_S)
