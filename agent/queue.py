"""The durable queue: wake-ups, owed deliveries and schedules on DBOS, enqueued in the same transaction as the rows they are about.

The rows are the truth; a DBOS workflow only says "look". So a wake-up that comes twice, late or for nothing does no harm, and what DBOS
thinks of a workflow's state never decides about a task. The only module that knows DBOS.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from storage.database import Database, DatabaseUnavailable, reason
from storage.tables import Delivery, Task, now

if TYPE_CHECKING:
    from dbos import DBOSClient, DBOSConfig

_NAME = "webhand"
_TASKS, _ERRANDS = "webhand_tasks", "webhand_errands"
_POLL_S = 1.0
"""DBOS's own polling; wake-ups inside a process, and PostgreSQL's NOTIFY between processes, come at once without it."""
_KEPT = timedelta(hours=1)
_log = structlog.get_logger(__name__)

Handler = Callable[[str], Awaitable[None]]


class Owing(Protocol):
    """Knows who must be told of a task's change, and writes it down in the same transaction."""

    async def owe(self, session: AsyncSession, task: Task) -> Sequence[Delivery]:
        """Stores the deliveries that the task's present state owes, and returns them."""
        ...


class Queue:
    """What is promised. A front only makes promises (`open`); a worker's process keeps them too (`work`)."""

    def __init__(self, database: Database, owing: Owing | None = None) -> None:
        self._database = database
        self._owing = owing
        self._opening: asyncio.Task[DBOSClient] | None = None
        self._working = False

    async def open(self) -> None:
        """Connects, and makes DBOS's tables when they are missing."""
        await self.begin_to_open()
        await self._opened()

    async def begin_to_open(self) -> None:
        """The same, beside everything else that starts: DBOS takes a quarter of a second to import.

        Whoever wants to change a row meanwhile waits for it before that transaction begins: DBOS may have to make its tables, and waits for
        whatever is under way.
        """
        stillness = AsyncExitStack()
        await stillness.enter_async_context(self._database.still())
        self._opening = asyncio.create_task(self._open(stillness), name="queue")

    @property
    def is_open(self) -> bool:
        """Whether promises can be made, without waiting for that."""
        opening = self._opening
        return opening is not None and opening.done() and not opening.cancelled() and opening.exception() is None

    async def settled(self) -> None:
        """Waits until it is open, or cannot be."""
        if self._opening is not None:
            await asyncio.wait({self._opening})

    async def failed(self) -> BaseException:
        """Waits for what keeps it from being opened; for ever, where nothing does."""
        await self.settled()
        error = None if self._opening is None or self._opening.cancelled() else self._opening.exception()
        return error or await asyncio.get_running_loop().create_future()

    async def _open(self, stillness: AsyncExitStack) -> DBOSClient:
        async with stillness:
            return await asyncio.to_thread(_connect, self._database.plain_url)

    async def _opened(self) -> DBOSClient:
        if self._opening is None:
            message = "the queue is not open"
            raise RuntimeError(message)
        return await asyncio.shield(self._opening)

    async def work(
        self, worker_id: str, *, on_task: Handler, on_delivery: Handler, on_schedule: Handler, on_upkeep: Handler
    ) -> None:
        """Begins to keep promises in this process: each handler is called with the id it is about."""
        await self._opened()
        from dbos import DBOS  # _connect says why

        config: DBOSConfig = {
            "name": _NAME,
            "system_database_url": self._database.plain_url,
            "application_version": "1",  # or only processes with the very same workflow sources would take each other's work
            "executor_id": worker_id,  # unique: a second process under the same id would re-run the first one's live work
            "log_level": "ERROR",
            "max_executor_threads": 16,
            "sys_db_pool_size": 8,
        }
        DBOS(config=config)
        _register("webhand_task", on_task)
        _register("webhand_delivery", on_delivery)
        _register("webhand_schedule", on_schedule)
        _register("webhand_upkeep", on_upkeep)
        async with self._database.alone():
            DBOS.launch()  # on this loop, which its workflows are to run on; it takes the file's write lock
        self._working = True
        for queue in (_TASKS, _ERRANDS):
            await DBOS.register_queue_async(
                queue, worker_concurrency=16, polling_interval_sec=_POLL_S, on_conflict="always_update"
            )

    async def close(self) -> None:
        """Stops keeping promises and disconnects. What is under way stays promised."""
        await self.settled()
        if self._working:
            from dbos import DBOS  # as above

            await asyncio.to_thread(DBOS.destroy)
            # DBOS had put its own executor into the loop, and has just shut it down.
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
            self._working = False
        if self._opening is not None and self.is_open:
            await asyncio.to_thread(self._opening.result().destroy)
        self._opening = None

    # -- promises, each in the caller's transaction ---------------------------------------------------------------------

    async def ready(self, session: AsyncSession, task: Task) -> None:
        """The task can be claimed."""
        await self._enqueue(session, _TASKS, "webhand_task", task.id, priority=task.priority)

    async def happened(self, session: AsyncSession, task: Task) -> None:
        """The task's state changed: whoever wants to know is owed a call."""
        if self._owing is None:
            return
        for delivery in await self._owing.owe(session, task):
            await self.deliver(session, delivery)

    async def deliver(self, session: AsyncSession, delivery: Delivery) -> None:
        """The delivery is to be tried at its `next_at`."""
        await self._enqueue(session, _ERRANDS, "webhand_delivery", delivery.id, when=delivery.next_at)

    async def fire(self, session: AsyncSession, schedule_id: str, when: datetime) -> None:
        """The schedule is to be looked at then."""
        await self._enqueue(session, _ERRANDS, "webhand_schedule", schedule_id, when=when)

    async def keep_up(self, session: AsyncSession) -> None:
        """The upkeep is to be done at the next full hour; however many workers say so, it is done once."""
        hour = now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        await self._enqueue(session, _ERRANDS, "webhand_upkeep", f"{hour:%Y%m%d%H}", when=hour, once=True)

    async def _enqueue(
        self,
        session: AsyncSession,
        queue: str,
        workflow: str,
        subject: str,
        *,
        priority: int = 100,
        when: datetime | None = None,
        once: bool = False,
    ) -> None:
        client = await self._opened()
        options: dict[str, Any] = {
            "workflow_name": workflow,
            "queue_name": queue,
            "workflow_id": f"{workflow}:{subject}" if once else f"{subject}:{secrets.token_hex(6)}",
            "priority": priority,
        }
        delay = (when - now()).total_seconds() if when is not None else 0
        if delay > 0:
            options["delay_seconds"] = delay
        await session.run_sync(_enqueue_now, client, options, subject)

    # -- upkeep -------------------------------------------------------------------------------------------------------

    async def prune(self, kept: timedelta = _KEPT) -> int:
        """Removes wake-ups that were taken longer ago than `kept`; DBOS itself keeps every one for ever."""
        from dbos import DBOS  # as above

        # By when they were taken, not by when they were promised: an upkeep that runs was promised an hour before.
        before = (datetime.now(UTC) - kept).isoformat()
        # PENDING ones that old were taken by a process that died; what they were about is looked at by the audits anyway.
        over = ["SUCCESS", "ERROR", "CANCELLED", "PENDING", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
        done = await DBOS.list_workflows_async(
            status=over, dequeued_before=before, limit=10_000, load_input=False, load_output=False
        )
        await DBOS.delete_workflows_async([item.workflow_id for item in done])
        return len(done)


def _connect(url: str) -> DBOSClient:
    from dbos import DBOS, DBOSClient  # a process answers first: see Queue.begin_to_open

    logging.getLogger("dbos").setLevel(logging.ERROR)
    if not logging.getLogger("dbos").handlers:
        # Without a handler of its own DBOS would add one that writes to stderr in its own way.
        logging.getLogger("dbos").addHandler(logging.NullHandler())
    try:
        DBOS.migrate(url)  # the client never does that by itself
        return DBOSClient(system_database_url=url, application_name=_NAME)
    except DBAPIError as error:
        message = f"The queue's tables cannot be opened: {reason(error)}"
        raise DatabaseUnavailable(message) from error


def _enqueue_now(session: Session, client: DBOSClient, options: Any, subject: str) -> None:
    client.enqueue_in_transaction(session, options, subject)


def _register(name: str, handler: Handler) -> None:
    from dbos import DBOS  # as above

    async def workflow(subject: str) -> None:
        try:
            await handler(subject)
        except Exception:  # noqa: BLE001  # logged with its traceback, which ruff does not see
            # The row is the truth and the audits look at it again: a wake-up that failed must not be retried blindly.
            _log.exception("queue.handler_failed", workflow=name, subject=subject)

    workflow.__qualname__ = name
    DBOS.workflow(name=name)(workflow)
