"""The MCP server: one low-level `Server` over Streamable HTTP and over the pipe that `webhand mcp` uses, in both eras of the protocol."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel, ValidationError
from starlette.routing import BaseRoute, Route, WebSocketRoute

from server.accounts import AccountService
from server.auth import Caller, Verifier
from server.codes import Codes
from server.errors import unforeseen
from server.links import Links
from server.mcp_facade.app import EXTENSION as APP_EXTENSION
from server.mcp_facade.arguments import need_storable
from server.mcp_facade.calls import Calls
from server.mcp_facade.door import McpDoor, Names, lower
from server.mcp_facade.errands import Errands
from server.mcp_facade.instructions import INSTRUCTIONS
from server.mcp_facade.intake import Intake
from server.mcp_facade.listing import Listing
from server.mcp_facade.logins import Logins
from server.mcp_facade.people import People
from server.mcp_facade.pipe import Pipe
from server.mcp_facade.prompts import Prompts
from server.mcp_facade.resources import Resources
from server.mcp_facade.results import Results, refused
from server.mcp_facade.rounds import sealed_rounds
from server.mcp_facade.tasks import EXTENSION as TASKS_EXTENSION
from server.mcp_facade.tasks import TaskAnswered, TaskNamed, TasksExtension
from server.mcp_facade.tools import Toolbox
from server.mcp_facade.updates import Updates
from server.mcp_facade.visit import Context, Welcome, visit_of
from server.mcp_facade.wording import worded
from server.meter import Meter
from server.settings import Settings
from server.sign_in.service import SignInService
from server.signing import Signer
from server.tasks import TaskService
from storage.artifacts import ArtifactStore
from tools.errors import Failure, InvalidParameters, NotFound, TaskNotFound

NAME = "webhand"
Handler = Callable[[Context, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class McpSettings:
    """What the settings say of MCP. Times in seconds."""

    hourly: int = 10_000
    daily: int = 100_000
    wait: float = 45.0
    platforms: Collection[str] = ()
    """Empty: all."""
    read_only: bool = False
    hosts: Collection[str] = ()
    origins: Collection[str] = ()
    max_body: int = 1_048_576
    keep_days: float = 30.0
    session_idle: float = 1800.0
    """A session without a request for so long is forgotten. Far above the longest wait: it counts from a request's beginning."""

    @classmethod
    def of(cls, settings: Settings) -> McpSettings:
        """From all settings."""
        return cls(
            hourly=settings.hourly_limit,
            daily=settings.daily_limit,
            wait=settings.mcp_wait,
            platforms=settings.mcp_platforms,
            read_only=settings.mcp_read_only,
            hosts=settings.allowed_hosts,
            origins=settings.cors_origins,
            max_body=settings.max_body,
            keep_days=settings.keep_days,
        )


class McpFacade:
    """Serves MCP. Put `routes` into the app and `running` around its life."""

    def __init__(
        self,
        *,
        tasks: TaskService,
        accounts: AccountService,
        artifacts: ArtifactStore,
        verifier: Verifier,
        meter: Meter,
        signer: Signer,
        links: Links,
        settings: McpSettings,
        version: str,
        people: People | None = None,
        sign_ins: SignInService | None = None,
    ) -> None:
        catalog = tasks.catalog
        self._settings = settings
        self._meter = meter
        self._verifier = verifier
        self._links = links
        self._welcome = Welcome(
            catalog,
            platforms=frozenset(catalog.site(name).id for name in settings.platforms) or None,
            read_only=settings.read_only,
            wait_seconds=settings.wait,
        )
        toolbox = Toolbox(catalog)
        self._listing = Listing(toolbox)
        self._people = people or People(tasks, links, Codes(signer))
        results = Results(tasks, artifacts, links, self._people)
        errands = Errands(tasks, accounts, results)
        self._extension = TasksExtension(tasks, self._people, results, errands, keep_days=settings.keep_days)
        logins = Logins(sign_ins, self._people)
        self._calls = Calls(toolbox, tasks, accounts, self._people, results, errands, self._extension, logins)
        self._resources = Resources(tasks, errands, results)
        self._prompts = Prompts(tasks, accounts)
        self._updates = Updates(tasks, self._resources, errands, self._extension)
        self.server = self._server(version)
        self.server.middleware += [worded, self._listing.once, sealed_rounds(signer, NAME)]
        self._manager = StreamableHTTPSessionManager(
            self.server, session_idle_timeout=settings.session_idle, max_request_body_size=settings.max_body
        )
        self._pipe = Pipe(self.server, self._updates.forget, settings.max_body)

    def routes(self, path: str = "/mcp") -> list[BaseRoute]:
        """The endpoint, the one on which nothing can be changed, and the pipe. No Mount: that would redirect."""
        app = Intake(StreamableHTTPASGIApp(self._manager), self._settings.max_body)
        return [
            Route(path, endpoint=self._door(app)),
            Route(f"{path}/", endpoint=self._door(app)),
            Route(f"{path}/readonly", endpoint=self._door(app, read_only=True)),
            WebSocketRoute(f"{path}/pipe", endpoint=self._door(self._pipe)),
        ]

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Sessions live inside this. Can be entered once."""
        async with self._updates.running(), self._manager.run():
            yield

    def _door(self, app: Any, *, read_only: bool = False) -> McpDoor:
        names = Names(lambda: self._links.public_url, lower(self._settings.hosts), frozenset(self._settings.origins))
        return McpDoor(app, self._verifier, self._welcome, names, read_only=read_only)

    def _server(self, version: str) -> Server[Any]:
        lasting, short = CacheHint(ttl_ms=300_000, scope="private"), CacheHint(ttl_ms=0, scope="private")
        server: Server[Any] = Server(
            NAME,
            version=version,
            title="Webhand",
            instructions=INSTRUCTIONS,
            cache_hints={
                "server/discover": lasting,
                "tools/list": lasting,
                "prompts/list": lasting,
                "resources/list": lasting,
                "resources/templates/list": lasting,
                "resources/read": short,
            },
        )
        server.extensions = {TASKS_EXTENSION: {}, APP_EXTENSION: {}}
        for method, params, handler in self._handlers():
            server.add_request_handler(method, params, self._guarded(method, handler))
        return server

    def _handlers(self) -> list[tuple[str, type[BaseModel], Handler]]:
        page = types.PaginatedRequestParams
        return [
            ("server/discover", types.RequestParams, self._discover),
            ("tools/list", page, self._listing.list),
            ("tools/call", types.CallToolRequestParams, self._calls.call),
            ("resources/list", page, self._resources.list),
            ("resources/templates/list", page, self._resources.templates),
            ("resources/read", types.ReadResourceRequestParams, self._resources.read),
            ("resources/subscribe", types.SubscribeRequestParams, self._updates.subscribe),
            ("resources/unsubscribe", types.UnsubscribeRequestParams, self._updates.unsubscribe),
            ("subscriptions/listen", types.SubscriptionsListenRequestParams, self._updates.listen),
            ("prompts/list", page, self._prompts.list),
            ("prompts/get", types.GetPromptRequestParams, self._prompts.get),
            ("completion/complete", types.CompleteRequestParams, self._prompts.complete),
            ("tasks/get", TaskNamed, self._extension.get),
            ("tasks/update", TaskAnswered, self._extension.update),
            ("tasks/cancel", TaskNamed, self._extension.cancel),
        ]

    async def _discover(self, ctx: Context, _params: types.RequestParams) -> types.DiscoverResult:
        capabilities = self.server.get_capabilities(protocol_version=ctx.protocol_version)
        # These lists never change under a client, whatever the library concludes from our serving subscriptions.
        for offered in (capabilities.tools, capabilities.prompts, capabilities.resources):
            if offered is not None:
                offered.list_changed = False
        return types.DiscoverResult(
            supported_versions=list(MODERN_PROTOCOL_VERSIONS), capabilities=capabilities, instructions=INSTRUCTIONS
        )

    def _guarded(self, method: str, handler: Handler) -> Handler:
        """The handler, counted where it does work, with its failures in the protocol's words and no defect of ours told to anybody."""

        async def handle(ctx: Context, params: Any) -> Any:
            try:
                if method in _COUNTED:
                    await self._count(visit_of(ctx).caller)
                need_storable(ctx.params or {})
                return await handler(ctx, params)
            except (MCPError, ValidationError):
                raise
            except Failure as failure:
                if method == "tools/call":
                    return refused(failure)
                raise MCPError(_code(failure), failure.message, failure.as_error()) from None
            except Exception as error:  # noqa: BLE001  # the library would tell the client what the exception says
                failure = unforeseen(error)
                if method == "tools/call":
                    return refused(failure)
                raise MCPError(types.INTERNAL_ERROR, failure.message, failure.as_error()) from None

        return handle

    async def _count(self, caller: Caller) -> None:
        hourly = int(caller.settings.get("hourly", self._settings.hourly))
        daily = int(caller.settings.get("daily", self._settings.daily))
        await self._meter.count(caller.key_id, hourly, daily)


_COUNTED = {"tools/call", "resources/read", "tasks/get", "tasks/update", "tasks/cancel"}
"""What counts as a use of the key: connecting and looking around does not."""


def _code(failure: Failure) -> int:
    known = NotFound | TaskNotFound | InvalidParameters
    return types.INVALID_PARAMS if isinstance(failure, known) else types.INVALID_REQUEST
