"""What can be read besides tools: tasks, their steps and screenshots, the platforms, and the app's page."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from server.mcp_facade.app import APP_TYPE, APP_URI, app_html
from server.mcp_facade.errands import Errands
from server.mcp_facade.results import Json, Results
from server.mcp_facade.tools import mcp_name
from server.mcp_facade.visit import Context, Visit, visit_of
from server.tasks import TaskService
from storage.tables import Step, Task
from tools.errors import TaskNotFound

PLATFORMS_URI = "platforms://all"
_TASK = re.compile(r"task://(?P<id>[\w-]+)(?:/(?P<part>steps|screenshot))?")
_NOT_FOUND_BEFORE_2026 = -32002
_JSON = "application/json"


class Resources:
    """Lists and reads them."""

    def __init__(self, tasks: TaskService, errands: Errands, results: Results) -> None:
        self._tasks = tasks
        self._errands = errands
        self._results = results

    async def list(self, ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        """Those that have a fixed address. The list never changes."""
        del ctx, params
        return types.ListResourcesResult(
            resources=[
                types.Resource(
                    uri=PLATFORMS_URI, name="platforms", description="Platforms and their tools.", mime_type=_JSON
                ),
                types.Resource(
                    uri=APP_URI,
                    name="live view",
                    description="A task's page, for clients that show apps.",
                    mime_type=APP_TYPE,
                ),
            ]
        )

    async def templates(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        """Those of a task."""
        del ctx, params
        told = [
            ("task://{id}", "task", "A task with its whole result.", _JSON),
            ("task://{id}/steps", "steps", "The task's steps.", _JSON),
            ("task://{id}/screenshot", "screenshot", "The newest picture of the task's page.", None),  # JPEG or PNG
        ]
        return types.ListResourceTemplatesResult(
            resource_templates=[
                types.ResourceTemplate(uri_template=uri, name=name, description=description, mime_type=media)
                for uri, name, description, media in told
            ]
        )

    async def read(self, ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        """One of them. Raises MCPError when there is none at that address."""
        visit = visit_of(ctx)
        if params.uri == PLATFORMS_URI:
            return types.ReadResourceResult(contents=[text(params.uri, self._platforms(visit))])
        if params.uri == APP_URI:
            return types.ReadResourceResult(contents=[_app()])
        task, part = await self.task(ctx, params.uri)
        match part:
            case "steps":
                contents = text(params.uri, [step_told(step) for step in await self._tasks.steps(task)])
            case "screenshot":
                contents = await self._screenshot(ctx, params.uri, task)
            case _:
                contents = text(params.uri, {**await self._results.told(task, visit), "result": task.result})
        return types.ReadResourceResult(contents=[contents])

    async def task(self, ctx: Context, uri: str) -> tuple[Task, str | None]:
        """The task that an address is about, and which part of it. Raises MCPError."""
        found = _TASK.fullmatch(uri)
        if found is None:
            raise not_found(ctx, uri)
        try:
            return await self._errands.task(visit_of(ctx), found["id"]), found["part"]
        except TaskNotFound:
            raise not_found(ctx, uri) from None

    async def _screenshot(self, ctx: Context, uri: str, task: Task) -> types.BlobResourceContents:
        picture = await self._results.screenshot(task)
        if picture is None:
            raise not_found(ctx, uri)
        return types.BlobResourceContents(uri=uri, blob=picture.data, mime_type=picture.mime_type)

    def _platforms(self, visit: Visit) -> Sequence[Json]:
        catalog = self._tasks.catalog
        return [
            {
                "id": site.id,
                "name": site.name,
                "home": site.home,
                "proved": site.verified,
                "policy": site.policy,
                "tools": [{"name": mcp_name(tool), "summary": tool.summary} for tool in catalog.of(site.id)],
            }
            for site in catalog.sites.values()
            if visit.sees(site.id)
        ]


def not_found(ctx: Context, uri: str) -> MCPError:
    """The error for an address without a resource: each era has its own code."""
    code = types.INVALID_PARAMS if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS else _NOT_FOUND_BEFORE_2026
    return MCPError(code, "Resource not found", {"uri": uri})


def text(uri: str, value: Any) -> types.TextResourceContents:
    """A JSON document."""
    return types.TextResourceContents(uri=uri, text=json.dumps(value, ensure_ascii=False, default=str), mime_type=_JSON)


def step_told(step: Step) -> Json:
    """A step as it is read: without the results of its actions, which may hold whole pages."""
    return {
        "number": step.sequence,
        "kind": step.kind,
        "goal": step.next_goal,
        "evaluation": step.evaluation_previous_goal,
        "url": step.url,
        "title": step.title,
        "memory": step.memory,
        "actions": step.actions,
        "duration_ms": step.duration_ms,
        "tokens": step.tokens,
    }


def _app() -> types.BlobResourceContents | types.TextResourceContents:
    # Neither outside hosts nor permissions: the strictest policy there is, which is the default, is enough.
    return types.TextResourceContents(
        uri=APP_URI, text=app_html(), mime_type=APP_TYPE, _meta={"ui": {"prefersBorder": True}}
    )
