"""Everything there is, built from the settings and wired together in one place."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from agent.queue import Queue
from agent.sender import Sender
from server.accounts import AccountService
from server.auth import Verifier
from server.guards import TaskLimits
from server.links import Links
from server.live.relay import Relay
from server.live.tasks import LiveSettings
from server.live.view import Live
from server.live.watching import WatchedTasks
from server.mcp_facade.late import LateMcp
from server.meter import Meter
from server.models import Models
from server.practice.site import serve_demo_site
from server.practice.state import DemoSite
from server.profiles import ProfileService
from server.rest.apis import build_documents
from server.rest.browserman import events as browserman_events
from server.rest.cloud import events as cloud_events
from server.schedules import ScheduleService
from server.settings import Settings, SettingWrong
from server.sign_in.pages import SignInPages
from server.sign_in.service import SignInService, SignInSettings
from server.signing import Signer
from server.state import State
from server.surroundings import own_version, usable
from server.tasks import TaskService
from server.webhooks import Owing, WebhookService
from server.workshop import Workshop, ended
from storage.accounts import AccountStore
from storage.artifacts import ArtifactStore
from storage.counts import Counts
from storage.database import Database
from storage.keys import KeyStore
from storage.objects import opened
from storage.profiles import ProfileStore
from storage.schedules import ScheduleStore
from storage.tasks import TaskStore
from storage.vault import open_vault
from storage.webhooks import WebhookStore
from tools.catalog import Catalog, catalog
from tools.overrides import applied, parse

if TYPE_CHECKING:
    from agent.sign_in import LoginBrowsers
    from agent.worker import Worker
    from server.mcp_facade.facade import McpFacade

_log = structlog.get_logger(__name__)
PRACTICE = "https://practice.webhand.example"
"""The practice site's documented origin."""


def overridden(found: Catalog, path: Path) -> Catalog:
    """The catalog with the user's own selectors, where there is such a file. Raises SettingWrong."""
    if not path.exists():
        return found
    try:
        return applied(found, parse(json.loads(path.read_text()), found))
    except (OSError, ValueError) as error:
        message = f"{path} cannot be used: {error}"
        raise SettingWrong(message) from None


class House:
    """Everything there is, built from the settings and wired together; `open` brings it to life."""

    def __init__(self, settings: Settings, public_url: str, *, work: bool = True) -> None:
        self.settings = settings
        self.public_url = public_url
        self.run_folder = settings.data / "run"
        self.first_key: str | None = None
        """The key made at the first start, to be shown once."""
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings.data.chmod(0o700)
        self.vault = open_vault([key.get_secret_value() for key in settings.vault_keys], settings.data / "vault.key")
        self.signer = Signer(self.vault.derive("links"))
        self.links = Links(self.signer, public_url, live_seconds=settings.live_minutes * 60)
        self.catalog = overridden(catalog(), settings.overrides or settings.data / "overrides.json")
        self.origins: dict[str, str] = dict(settings.origins)
        self.workshop: Workshop | None = None
        """None in a front without a worker."""
        self._store()
        self._serve()
        if work:
            self.workshop = self._workshop()

    def _store(self) -> None:
        dialects = {
            "browserman": browserman_events.NOTICES,
            "cloud": cloud_events.notices(self.settings.cloud_failed_word),
        }
        self.dialects = dialects
        self.database = Database(self.settings.database)
        self.queue = Queue(self.database, Owing(dialects))
        self.key_store = KeyStore(self.database)
        self.account_store = AccountStore(self.database)
        objects = opened(self.settings.artifacts_url)
        self.artifacts = ArtifactStore(self.database, usable(self.settings.data / "artifacts"), objects)
        self.profile_store = ProfileStore(self.database)
        self.task_store = TaskStore(self.database, self.queue)
        self.webhook_store = WebhookStore(self.database, self.queue)

    def _serve(self) -> None:
        settings = self.settings
        self.meter = Meter(self.key_store)
        self.verifier = Verifier(self.key_store)
        self.tasks = TaskService(
            self.database,
            self.task_store,
            self.account_store,
            self.artifacts,
            self.vault,
            self.catalog,
            TaskLimits(
                max_pending=settings.max_pending,
                duplicate_hours=settings.duplicate_hours,
                merge_identical=settings.merge_identical,
                caps=settings.caps,
                approval=settings.approval,
            ),
            self._trouble,
        )
        self.accounts = AccountService(self.account_store, self.vault, self.catalog)
        self.schedules = ScheduleService(
            ScheduleStore(self.database, self.queue), self.tasks, self.key_store, self.vault
        )
        self.sender = Sender(private=settings.webhook_private, user_agent=f"Webhand/{own_version()}")
        self.webhooks = WebhookService(
            self.webhook_store, self.sender, self.vault, self.dialects, private=settings.webhook_private
        )
        watched = WatchedTasks(
            self.database,
            self.task_store,
            self.artifacts,
            self.links,
            self.catalog,
            self.run_folder / "tasks",
            self._worker,
        )
        looks = LiveSettings(
            frame_ancestors=framed_by(settings.frame_ancestors),
            public_url=settings.public_url,
            idle=settings.control_idle,
        )
        relay = None if settings.embedded else Relay(watched, self.signer)
        self.live = Live(watched, self.signer, looks, relay)
        self.sign_ins = SignInService(
            self.accounts,
            self.catalog,
            self.signer,
            self.public_url,
            self._login_browsers,
            SignInSettings(open=settings.sign_in_minutes * 60, at_once=settings.sign_ins),
        )
        self.sign_in_pages = SignInPages(self.sign_ins, self.signer, self.public_url)
        self.mcp = LateMcp(self.build_mcp)

    def build_mcp(self) -> McpFacade:
        """The MCP server over this house's services."""
        from server.mcp_facade.facade import McpFacade, McpSettings  # LateMcp says why

        return McpFacade(
            tasks=self.tasks,
            accounts=self.accounts,
            artifacts=self.artifacts,
            verifier=self.verifier,
            meter=self.meter,
            signer=self.signer,
            links=self.links,
            settings=McpSettings.of(self.settings),
            version=own_version(),
            sign_ins=self.sign_ins,
        )

    @property
    def state(self) -> State:
        """What handlers can reach."""
        return {
            "settings": self.settings,
            "public_url": self.public_url,
            "database": self.database,
            "vault": self.vault,
            "signer": self.signer,
            "catalog": self.catalog,
            "keys": self.key_store,
            "verifier": self.verifier,
            "meter": self.meter,
            "tasks": self.tasks,
            "accounts": self.accounts,
            "sign_ins": self.sign_ins,
            "artifacts": self.artifacts,
            "counts": Counts(self.database),
            "profiles": self.profile_store,
            "browser_profiles": ProfileService(self.profile_store, self.vault),
            "schedules": self.schedules,
            "models": Models(self.settings),
            "webhooks": self.webhooks,
            "documents": build_documents(self.catalog, own_version(), self.public_url),
            "queue": self.queue,
            "links": self.links,
            "workshop": self.workshop,
        }

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[State]:
        """Opens the database, keeps promises, and (with a worker) carries tasks out, until the context ends."""
        async with contextlib.AsyncExitStack() as stack:
            await self.database.open()
            stack.push_async_callback(self.database.close)
            await self.vault.check(self.database)
            await self._introduce()
            await self.queue.begin_to_open()
            stack.push_async_callback(self.queue.close)
            stack.push_async_callback(ended, asyncio.create_task(self.meter.run(), name="meter"))
            stack.push_async_callback(self.sender.close)
            if self.settings.demo_site and PRACTICE not in self.origins:
                site = DemoSite(journal=self.settings.data / "practice.jsonl")
                self.origins[PRACTICE] = await stack.enter_async_context(
                    serve_demo_site(site, port=self.settings.demo_port)
                )
            stack.push_async_callback(self.live.close)
            await self._open_vnc_port()
            stack.push_async_callback(self.sign_in_pages.close)
            await stack.enter_async_context(self.mcp.running(after=self.queue.settled()))
            if self.workshop is not None:
                await stack.enter_async_context(self.workshop.running(after=self.mcp.opened()))
            yield self.state

    async def _open_vnc_port(self) -> None:
        """The raw VNC port, where one is wanted and browsers run. Raises SettingWrong when it is taken."""
        port = self.settings.vnc_port
        if port is None or self.workshop is None:
            return
        try:
            await self.live.vnc.open("127.0.0.1", port)
        except OSError as error:
            message = f"Port {port} cannot be used for VNC ({error.strerror}): choose another with WEBHAND_VNC_PORT."
            raise SettingWrong(message) from None

    async def _introduce(self) -> None:
        """At the first start makes the key that this machine's own commands use."""
        path = self.settings.data / "local.key"
        if not path.exists() or not path.read_text().strip():
            _, self.first_key = await self.key_store.create("local", owner="default")
            path.touch(mode=0o600)
            path.write_text(self.first_key + "\n")

    def _trouble(self) -> str | None:
        """Why nobody carries tasks out. On PostgreSQL other workers may, whatever became of this process's own."""
        return self.workshop.trouble if self.workshop is not None and self.settings.embedded else None

    def _worker(self) -> Worker | None:
        return self.workshop.worker if self.workshop is not None else None

    def _workshop(self) -> Workshop:
        return Workshop(
            settings=self.settings,
            version=own_version(),
            run_folder=self.run_folder,
            origins=self.origins,
            catalog=self.catalog,
            database=self.database,
            queue=self.queue,
            vault=self.vault,
            accounts=self.account_store,
            artifacts=self.artifacts,
            profiles=self.profile_store,
            webhooks=self.webhook_store,
            schedules=self.schedules,
            sender=self.sender,
            dialects=self.dialects,
        )

    def _login_browsers(self) -> LoginBrowsers:
        from server.engines import build_login_browsers  # as above

        self.run_folder.mkdir(mode=0o700, exist_ok=True)
        return build_login_browsers(self.settings, self.run_folder, self.origins)


def framed_by(wish: str) -> str:
    """Who may embed live pages: whoever the setting says, and our own task pages."""
    others = " ".join(word for word in wish.split() if word not in {"'self'", "'none'"})
    return wish if wish.strip() == "*" else f"'self' {others}".strip()
