"""Counts each key's requests (contract 1.1). Counted in memory, written down every few seconds, read back at the first use."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from storage.keys import KeyStore
from tools.errors import RateLimited

_LENGTHS = {"hour": 3600.0, "day": 86400.0}
_WRITE_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a key stands in its hour: what the three X-RateLimit headers say."""

    limit: int
    remaining: int
    reset: int
    """Unix time, in seconds, at which the hour is over."""

    def headers(self) -> dict[str, str]:
        """The headers of contract 1.1."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


@dataclass
class _Window:
    ends: float
    count: int = 0
    unwritten: int = 0


@dataclass
class Meter:
    """Counts, and says when it is enough."""

    keys: KeyStore
    _windows: dict[tuple[str, str], _Window] = field(default_factory=dict[tuple[str, str], _Window])

    async def count(self, key_id: str, hourly: int, daily: int) -> Standing:
        """Counts one request. Raises RateLimited, whose `details` hold the headers' values."""
        now = time.time()
        hour, day = [await self._window(key_id, name, now) for name in _LENGTHS]
        standing = Standing(hourly, max(0, hourly - hour.count - 1), round(hour.ends))
        for window, limit, name in ((hour, hourly, "hour"), (day, daily, "day")):
            if window.count >= limit:
                wait = max(1, round(window.ends - now))
                message = f"This API key may make {limit} requests per {name}: wait {wait} seconds."
                raise RateLimited(message, retry_after=wait, details=standing.headers())
        for window in (hour, day):
            window.count += 1
            window.unwritten += 1
        return standing

    async def run(self) -> None:
        """Writes the counts down every few seconds, until cancelled; then once more."""
        try:
            while True:
                await asyncio.sleep(_WRITE_EVERY_S)
                await self._write()
        finally:
            await asyncio.shield(self._write())

    async def _window(self, key_id: str, name: str, now: float) -> _Window:
        window = self._windows.get((key_id, name))
        if window is None or window.ends <= now:
            count, ends = await self.keys.used(key_id, name, _LENGTHS[name])
            window = self._windows.setdefault((key_id, name), _Window(ends, count)) if window is None else window
            if window.ends <= now:
                window.ends, window.count, window.unwritten = ends, count, 0
        return window

    async def _write(self) -> None:
        for (key_id, name), window in list(self._windows.items()):
            if window.unwritten:
                added, window.unwritten = window.unwritten, 0
                window.count = await self.keys.use(key_id, name, added) + window.unwritten
