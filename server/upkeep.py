"""What is done now and then, once for all workers together: removing what is too old, and looking after promises that may be lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from agent.queue import Queue
from server.schedules import ScheduleService
from storage.database import Database
from storage.retention import Retention
from storage.tables import now
from storage.webhooks import WebhookStore

_log = structlog.get_logger(__name__)
_AUDIT_S = 30.0


class Upkeep:
    """The hourly upkeep, on the durable queue, and the frequent audit, in every worker."""

    def __init__(
        self,
        database: Database,
        queue: Queue,
        retention: Retention,
        webhooks: WebhookStore,
        schedules: ScheduleService,
        *,
        keep_days: float,
        keep_bytes: int,
    ) -> None:
        self._database = database
        self._queue = queue
        self._retention = retention
        self._webhooks = webhooks
        self._schedules = schedules
        self._keep = timedelta(days=keep_days)
        self._keep_bytes = keep_bytes

    async def run(self, _subject: str = "") -> None:
        """Removes what is too old or too much, and promises the next upkeep."""
        await self._promise()
        old = now() - self._keep
        tasks = await self._retention.prune(older_than=old, most_bytes=self._keep_bytes)
        await self._webhooks.prune(old)
        wake_ups = await self._queue.prune()
        _log.info("upkeep.done", tasks=tasks, wake_ups=wake_ups)

    async def audit(self) -> None:
        """Looks for schedules whose wake-up was lost, until cancelled."""
        await self._promise()
        while True:
            try:
                await self._schedules.audit()
            except Exception:  # noqa: BLE001  # a database that is away for a moment must not end the loop
                _log.exception("upkeep.audit_failed")
            await asyncio.sleep(_AUDIT_S)

    async def _promise(self) -> None:
        async with self._database.writing() as session:
            await self._queue.keep_up(session)
