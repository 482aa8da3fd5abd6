"""What carries tasks out in a process that works: the engines, the worker, the courier of webhooks, and the upkeep.

It opens beside everything else that starts: a server answers, and accepts tasks, before its engines are imported.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

import structlog

from agent.deliveries import Courier, Patience
from agent.engine import EngineName
from agent.orders import Orders
from agent.ownership import reap_orphans
from agent.queue import Queue
from agent.sender import Sender
from server.schedules import ScheduleService
from server.settings import Settings, SettingWrong
from server.upkeep import Upkeep
from server.webhooks import Notices
from storage.accounts import AccountStore
from storage.artifacts import ArtifactStore
from storage.database import Database, DatabaseUnavailable, is_away, reason
from storage.profiles import ProfileStore
from storage.retention import Retention
from storage.runs import RunStore
from storage.vault import Vault
from storage.webhooks import WebhookStore
from tools.catalog import Catalog
from tools.errors import Failure

if TYPE_CHECKING:
    from agent.worker import Worker, WorkerSettings

_log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class Workshop:
    """Put `running` around the life of a process that works."""

    settings: Settings
    version: str
    run_folder: Path
    origins: Mapping[str, str]
    catalog: Catalog
    database: Database
    queue: Queue
    vault: Vault
    accounts: AccountStore
    artifacts: ArtifactStore
    profiles: ProfileStore
    webhooks: WebhookStore
    schedules: ScheduleService
    sender: Sender
    dialects: Mapping[str, Notices]
    worker: Worker | None = field(default=None, init=False)
    """None before it is open."""
    opened: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    over: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Set when it is closed, or could not be opened."""
    failure: Exception | None = field(default=None, init=False)
    """What kept it from opening."""

    @property
    def trouble(self) -> str | None:
        """Why no task is carried out here, in words for whoever asks for one; None: they are, or soon will be."""
        if self.failure is None:
            return None
        known = isinstance(self.failure, Failure | SettingWrong | DatabaseUnavailable)
        return str(self.failure).rstrip(".") if known else "its engines could not start, the log says why"

    @asynccontextmanager
    async def running(self, after: Awaitable[object]) -> AsyncGenerator[None]:
        """Opens, when something else that starts is done, and closes at the end. Whoever serves looks at `over` and `failure`."""
        closing = asyncio.Event()
        living = asyncio.create_task(self._live(after, closing), name="workshop")
        try:
            yield
        finally:
            closing.set()
            await asyncio.gather(living, return_exceptions=True)

    async def outgrown(self) -> None:
        """Returns when a newer Webhand has changed the database: this process has nothing more to do."""
        await self.opened.wait()
        if self.worker is not None:
            await self.worker.outgrown.wait()

    async def _live(self, after: Awaitable[object], closing: asyncio.Event) -> None:
        try:
            await after
            await asyncio.to_thread(import_module, "server.engines")  # in a thread: the loop goes on meanwhile
            async with contextlib.AsyncExitStack() as stack:
                await self._open(stack)
                await closing.wait()
        except Exception as error:
            self.failure = error
            if is_away(error):
                message = (
                    f"The database went away while the worker started: {reason(error)}. Start again once it is back."
                )
                self.failure = DatabaseUnavailable(message)
            _log.error("workshop.failed", error=str(error), kind=type(error).__name__)  # whoever serves shows it
            raise
        finally:
            self.over.set()

    async def _open(self, stack: contextlib.AsyncExitStack) -> None:
        from agent.worker import Worker  # only a process that works pays for these imports, and only once it answers
        from server.engines import build_engines, warm_up  # as above

        self.run_folder.mkdir(mode=0o700, exist_ok=True)
        reaped = await asyncio.to_thread(reap_orphans, self.run_folder)
        if reaped:
            _log.warning("orphans.ended", folders=reaped)
        engines = build_engines(self.settings, self.run_folder, self.origins)
        for engine in engines.values():
            stack.push_async_callback(engine.close)
        worker = Worker(
            self._worker_settings(),
            self.database,
            RunStore(self.database, self.queue),
            self.accounts,
            self.artifacts,
            self.vault,
            self._orders(),
            engines,
        )
        courier, upkeep = self._courier(), self._upkeep()
        stack.push_async_callback(ended, asyncio.create_task(courier.run(), name="courier"))
        await self.queue.work(
            worker.id,
            on_task=worker.look,
            on_delivery=courier.look,
            on_schedule=self.schedules.on_schedule,
            on_upkeep=upkeep.run,
        )
        stack.push_async_callback(ended, asyncio.create_task(upkeep.audit(), name="audit"))
        await worker.start()
        stack.push_async_callback(worker.stop, self.settings.drain)
        self.worker = worker
        self.opened.set()
        await warm_up(engines)

    def _orders(self) -> Orders:
        proxies = {code.lower(): url.get_secret_value() for code, url in self.settings.proxies.items()}
        return Orders(self.catalog, self.vault, self.accounts, self.profiles, self.artifacts, proxies)

    def _worker_settings(self) -> WorkerSettings:
        from agent.worker import WorkerSettings  # as above

        settings = self.settings
        return WorkerSettings(
            folder=self.run_folder / "tasks",
            version=self.version,
            slots={"lite": settings.lite_slots, "full": settings.full_slots},
            everywhere=_limits(lite=settings.lite_everywhere, full=settings.full_everywhere),
            lease=settings.lease,
            alone=settings.database_url is None,  # the file lies in the data folder, which one server at a time may use
            human_wait=settings.human_wait,
            fallback=settings.fallback and settings.llm_model is not None,
            address=settings.worker_address,
        )

    def _courier(self) -> Courier:
        patience = Patience(
            give_up=self.settings.webhook_give_up_hours * 3600, disable=self.settings.webhook_disable_days * 86400
        )
        signatures = {name: notices.headers for name, notices in self.dialects.items()}
        return Courier(self.webhooks, self.sender, self.vault, self.database.changes, signatures, patience)

    def _upkeep(self) -> Upkeep:
        return Upkeep(
            self.database,
            self.queue,
            Retention(self.database, self.artifacts),
            self.webhooks,
            self.schedules,
            keep_days=self.settings.keep_days,
            keep_bytes=round(self.settings.keep_gigabytes * 2**30),
        )


async def ended(task: asyncio.Task[None]) -> None:
    """Ends a loop and waits until it is gone."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _limits(**limits: int | None) -> Mapping[EngineName, int]:
    return {cast("EngineName", name): limit for name, limit in limits.items() if limit is not None}
