"""Tells clients when a task that they watch has changed: at most once a second for each address, in both eras of the protocol.

Before 2026 a session subscribes and hears it on its own stream; since then the answer to `subscriptions/listen` is the stream.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import anyio
import anyio.abc
import mcp_types as types
import structlog
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from server.mcp_facade.errands import Errands
from server.mcp_facade.resources import PLATFORMS_URI, Resources
from server.mcp_facade.results import Json
from server.mcp_facade.tasks import TasksExtension, need_declared
from server.mcp_facade.visit import Context, visit_of
from server.tasks import TaskService
from storage.tables import Task
from tools.errors import TaskNotFound

_EVERY_S = 1.0
_LONGEST_S = 1800.0
"""A session that vanished is not told for longer than this: it has expired by then, too."""
_MOST = 64
"""Addresses that one client may watch at once."""
_STREAMS = 512
_CONNECTION = "webhand.connection"
_log = structlog.get_logger(__name__)


class _Notice(BaseModel):
    """A notification in the protocol's form, for what the library has no class for."""

    method: Literal["notifications/subscriptions/acknowledged", "notifications/tasks"]
    params: Json


class Updates:
    """Watches tasks for clients."""

    def __init__(self, tasks: TaskService, resources: Resources, errands: Errands, extension: TasksExtension) -> None:
        self._tasks = tasks
        self._resources = resources
        self._errands = errands
        self._extension = extension
        self._watching: dict[tuple[str, str], anyio.CancelScope] = {}
        self._group: anyio.abc.TaskGroup | None = None
        self._streams = 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Subscriptions of sessions live inside this."""
        async with anyio.create_task_group() as group:
            self._group = group
            yield
            self._group = None
            group.cancel_scope.cancel()

    # -- sessions -------------------------------------------------------------------------------------------------------

    async def subscribe(self, ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """resources/subscribe. Raises MCPError."""
        if params.uri == PLATFORMS_URI:
            return types.EmptyResult()  # it never changes
        task, _ = await self._resources.task(ctx, params.uri)
        connection = _connection(ctx)
        if sum(key[0] == connection for key in self._watching) >= _MOST:
            raise _too_many()
        key = (connection, params.uri)
        if self._group is not None and key not in self._watching:
            self._watching[key] = scope = anyio.CancelScope()
            self._group.start_soon(self._tell_session, key, scope, ctx.session, task)
        return types.EmptyResult()

    async def unsubscribe(self, ctx: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        """resources/unsubscribe."""
        self._forget((_connection(ctx), params.uri))
        return types.EmptyResult()

    def forget(self, connection: HTTPConnection) -> None:
        """The connection is closed."""
        name = connection.scope.get(_CONNECTION)
        for key in [key for key in self._watching if key[0] == name]:
            self._forget(key)

    def _forget(self, key: tuple[str, str]) -> None:
        scope = self._watching.pop(key, None)
        if scope is not None:
            scope.cancel()

    async def _tell_session(
        self, key: tuple[str, str], scope: anyio.CancelScope, session: ServerSession, task: Task
    ) -> None:
        with scope:
            try:
                await self._each_change(task, lambda _task: session.send_resource_updated(key[1]))
            except Exception:  # noqa: BLE001  # logged with its traceback; one watcher's trouble must not end all sessions
                _log.exception("mcp.subscription_broke", uri=key[1])
        if self._watching.get(key) is scope:
            del self._watching[key]

    # -- streams --------------------------------------------------------------------------------------------------------

    async def listen(
        self, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """subscriptions/listen: acknowledges what can be told, then tells it until the client goes away."""
        asked: Json = (ctx.params or {}).get("notifications") or {}
        task_ids: list[str] = asked.get("taskIds") or []
        if task_ids:
            need_declared(ctx)
        uris = params.notifications.resource_subscriptions or []
        if len(uris) + len(task_ids) > _MOST or self._streams >= _STREAMS:
            raise _too_many()
        by_uri = [(uri, await self._by_uri(ctx, uri)) for uri in uris]
        by_id = [(task_id, await self._by_id(ctx, task_id)) for task_id in task_ids]
        meta = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}
        honoured: Json = {
            "resourceSubscriptions": [uri for uri, task in by_uri if task is not None or uri == PLATFORMS_URI],
            "taskIds": [task_id for task_id, task in by_id if task is not None],
        }
        self._streams += 1
        try:
            await _send(ctx, "notifications/subscriptions/acknowledged", {"notifications": _filled(honoured)}, meta)
            await self._tell_stream(ctx, meta, by_uri, by_id)
        finally:
            self._streams -= 1
        return types.SubscriptionsListenResult(_meta=meta)

    async def _tell_stream(
        self,
        ctx: Context,
        meta: Json,
        by_uri: Sequence[tuple[str, Task | None]],
        by_id: Sequence[tuple[str, Task | None]],
    ) -> None:
        async def tell_resource(uri: str, task: Task) -> None:
            params = types.ResourceUpdatedNotificationParams(uri=uri, _meta=meta)
            notice = types.ResourceUpdatedNotification(params=params)
            await self._each_change(task, lambda _task: ctx.session.send_notification(notice, ctx.request_id))

        async def tell_task(task: Task) -> None:
            async def tell(seen: Task) -> None:
                await _send(ctx, "notifications/tasks", await self._extension.detailed(ctx, seen), meta)

            await self._each_change(task, tell)

        async with anyio.create_task_group() as group:
            for uri, task in by_uri:
                if task is not None:
                    group.start_soon(tell_resource, uri, task)
            for _, task in by_id:
                if task is not None:
                    group.start_soon(tell_task, task)
            await anyio.sleep_forever()

    async def _by_uri(self, ctx: Context, uri: str) -> Task | None:
        try:
            return (await self._resources.task(ctx, uri))[0]
        except MCPError:
            return None

    async def _by_id(self, ctx: Context, task_id: str) -> Task | None:
        try:
            return await self._errands.task(visit_of(ctx), task_id)
        except TaskNotFound:
            return None

    # -- both -----------------------------------------------------------------------------------------------------------

    async def _each_change(self, task: Task, tell: Callable[[Task], Awaitable[None]]) -> None:
        """Tells of what is not as it was, at most once a second. What changes meanwhile is told together, the end always."""
        known = _shown(task)
        async with contextlib.aclosing(self._tasks.follow(task.id, _LONGEST_S)) as following:
            async for seen in following:
                if _shown(seen) != known:
                    known = _shown(seen)
                    await tell(seen)
                    await anyio.sleep(_EVERY_S)


def _shown(task: Task) -> tuple[Any, ...]:
    """What of a task a client can see changing."""
    return task.state, task.progress_word, task.progress_percentage, task.step_count, task.pause_reason


def _connection(ctx: Context) -> str:
    """A name for the connection: its session's, or one of our own."""
    connection: Any = ctx.request
    session = connection.headers.get("mcp-session-id")
    return session or connection.scope.setdefault(_CONNECTION, secrets.token_hex(8))


async def _send(ctx: Context, method: Any, params: Json, meta: Json) -> None:
    notice: Any = _Notice(method=method, params={**params, "_meta": meta})
    await ctx.session.send_notification(notice, ctx.request_id)


def _filled(members: Json) -> Json:
    return {name: value for name, value in members.items() if value}


def _too_many() -> MCPError:
    return MCPError(
        types.INVALID_REQUEST, f"A client may watch {_MOST} addresses at once: unsubscribe from some first."
    )
