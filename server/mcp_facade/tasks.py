"""The extension `io.modelcontextprotocol/tasks`: a call answers with a task at once, and the client asks for its end.

Our states in its words: pending and processing are `working`, a task that asks a person something is `input_required`, cancelled is
`cancelled`, and everything else has `completed`, with `isError` where it failed. `failed` is kept for errors of the protocol, as the
specification wants; our one such is INTERNAL_ERROR.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import decode_header_value
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import Field
from starlette.requests import HTTPConnection

from server.mcp_facade.errands import Errands
from server.mcp_facade.people import People, Question
from server.mcp_facade.results import Json, Results
from server.mcp_facade.visit import Context, Visit, visit_of
from server.tasks import TaskService
from storage.states import TaskState
from storage.tables import Task
from tools.errors import Failure, Internal, NotCancellable

EXTENSION = "io.modelcontextprotocol/tasks"
_POLL_MS: Mapping[str, int] = {"lite": 1000, "full": 3000}
_DAY_MS = 86_400_000


class TaskNamed(types.RequestParams):
    """Parameters of tasks/get and tasks/cancel."""

    task_id: str


class TaskAnswered(TaskNamed):
    """Parameters of tasks/update."""

    input_responses: dict[str, Any] = Field(default_factory=dict[str, Any])


def declared(ctx: Context) -> bool:
    """Whether this very request declares the extension, in the era that can carry its results."""
    capabilities = ctx.session.client_capabilities
    extensions = (capabilities.extensions if capabilities is not None else None) or {}
    return EXTENSION in extensions and ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def need_declared(ctx: Context) -> None:
    """Raises the error that names the missing capability."""
    if not declared(ctx):
        missing: Json = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "Missing required client capability", missing)


class TasksExtension:
    """Its three methods, and its answer to a call."""

    def __init__(
        self, tasks: TaskService, people: People, results: Results, errands: Errands, *, keep_days: float
    ) -> None:
        self._tasks = tasks
        self._people = people
        self._results = results
        self._errands = errands
        self._ttl_ms = round(keep_days * _DAY_MS)

    async def created(self, ctx: Context, task: Task) -> Json:
        """The answer to a call that made a task: the task itself, which tasks/get finds from now on."""
        return {"resultType": "task", **await self._bare(ctx, task)}

    async def get(self, ctx: Context, params: TaskNamed) -> Json:
        """tasks/get."""
        return {"resultType": "complete", **await self.detailed(ctx, await self._task(ctx, params))}

    async def cancel(self, ctx: Context, params: TaskNamed) -> Json:
        """tasks/cancel. A task that has ended already is acknowledged like any other."""
        task = await self._task(ctx, params)
        visit = visit_of(ctx)
        visit.need_write()
        try:
            await self._tasks.cancel(visit.caller, task.id)
        except NotCancellable:
            return {"resultType": "complete"}
        return {"resultType": "complete"}

    async def update(self, ctx: Context, params: TaskAnswered) -> Json:
        """tasks/update. Answers to what is not asked (any more) are ignored."""
        task = await self._task(ctx, params)
        visit = visit_of(ctx)
        visit.need_write()
        await self._answer(visit, task, params.input_responses)
        return {"resultType": "complete"}

    async def detailed(self, ctx: Context, task: Task) -> Json:
        """The task with what its status brings along: the result, the error or the questions."""
        told = await self._bare(ctx, task)
        match told["status"]:
            case "completed":
                result = await self._results.result(task, visit_of(ctx), error=task.state is not TaskState.COMPLETED)
                told["result"] = result.model_dump(by_alias=True, mode="json", exclude_none=True)
            case "failed":
                told["error"] = {"code": types.INTERNAL_ERROR, "message": (task.error or {}).get("message", "")}
            case "input_required":
                told["inputRequests"] = {
                    question.key: question.request(legacy=False).model_dump(
                        by_alias=True, mode="json", exclude_none=True
                    )
                    for question in self._questions(ctx, task)
                }
            case _:
                pass
        return told

    async def _task(self, ctx: Context, params: TaskNamed) -> Task:
        """The task that the request names, in its header too. Raises MCPError."""
        need_declared(ctx)
        connection = ctx.request
        if isinstance(connection, HTTPConnection) and connection.scope["type"] == "http":
            named = connection.headers.get("mcp-name")
            if named is None or decode_header_value(named) != params.task_id:
                raise MCPError(types.HEADER_MISMATCH, "The Mcp-Name header must be the taskId")
        try:
            return await self._errands.task(visit_of(ctx), params.task_id)
        except Failure as failure:
            raise MCPError(types.INVALID_PARAMS, failure.message) from None

    async def _answer(self, visit: Visit, task: Task, responses: Mapping[str, Any]) -> None:
        for question in self._people.questions(task):
            response = responses.get(question.key)
            if response is not None:
                answer = types.ElicitResult.model_validate(response, by_name=False)
                await self._people.answer(visit, task, question, answer)

    def _questions(self, ctx: Context, task: Task) -> list[Question]:
        """What this client can ask. For what it cannot, the status message has the words."""
        return [question for question in self._people.questions(task) if self._people.can_ask(ctx, question)]

    async def _bare(self, ctx: Context, task: Task) -> Json:
        last = await self._results.last_step(task)
        moments = [
            task.created_at,
            task.started_at,
            task.paused_at,
            task.finished_at,
            last.created_at if last else None,
        ]
        told: Json = {
            "taskId": task.id,
            "status": self._status(ctx, task),
            "createdAt": stamp(task.created_at),
            "lastUpdatedAt": stamp(max(moment for moment in moments if moment is not None)),
            "ttlMs": self._ttl_ms,
            "pollIntervalMs": _POLL_MS.get(task.engine, 3000),
        }
        waits = task.state is TaskState.PAUSED or self._tasks.stuck(task) is not None
        message = self._results.next(task, visit_of(ctx)) if waits else None
        if not task.state.final:
            told["statusMessage"] = message or (last.next_goal if last is not None else task.progress_word)
        elif task.error is not None:
            told["statusMessage"] = str(task.error.get("message"))
        return told

    def _status(self, ctx: Context, task: Task) -> str:
        match task.state:
            case TaskState.PENDING | TaskState.PROCESSING:
                return "working"
            case TaskState.PAUSED:
                return "input_required" if self._questions(ctx, task) else "working"
            case TaskState.CANCELLED:
                return "cancelled"
            case _:
                broken = (task.error or {}).get("code") == Internal.code
                return "failed" if broken else "completed"


def stamp(moment: datetime) -> str:
    """The moment as ISO 8601 in UTC."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
