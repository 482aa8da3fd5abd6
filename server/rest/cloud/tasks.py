"""Tasks as Cloud v1 shows and steers them (3.3 to 3.6), and the public share (3.8)."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.auth import Caller
from server.door import read_body
from server.rest.cloud import wire
from server.rest.cloud.parsing import missing, named, query_of
from server.rest.endpoint import caller_of
from server.rest.message import Message
from server.state import State, reach
from server.storable import storable
from storage.filters import TaskFilter
from storage.states import TaskState
from storage.tables import Task
from tools.errors import Conflict, NotCancellable

MAX_WAIT = 60
"""Seconds that a request may wait for the end of its task."""


class WaitQuery(Message):
    """A request may wait for the end of its task instead of coming again every few seconds."""

    wait: float = Field(0, ge=0, le=MAX_WAIT, description="Seconds to wait until the task ended or waits for a person.")


class SteerQuery(Message):
    """Which task is meant (3.5)."""

    task_id: str


class Share(wire.View):
    """Where a task can be read by everybody."""

    public_share_url: str | None


async def get_task(request: Request) -> Response:
    """GET /task/{task_id} (3.3)."""
    return JSONResponse((await view(reach(request), caller_of(request), await waited(request))).model_dump())


async def get_status(request: Request) -> Response:
    """GET /task/{task_id}/status (3.4): a bare JSON text."""
    return JSONResponse(wire.STATES[(await waited(request)).state])


async def list_tasks(request: Request) -> Response:
    """GET /tasks (3.6): every task of the owner, newest first."""
    query, state, caller = query_of(request, wire.PageQuery), reach(request), caller_of(request)
    rows, total = await state["tasks"].list(caller, TaskFilter(), limit=query.limit, offset=query.offset)
    items = [wire.task_item(row, state["catalog"], live_url=live_url(state, caller, row)) for row in rows]
    return JSONResponse(wire.TaskPage(tasks=items, **wire.paged(query, total)).model_dump())


async def stop_task(request: Request) -> Response:
    """PUT /stop-task (3.5)."""
    state, caller, task_id = reach(request), caller_of(request), await meant(request)
    try:
        await state["tasks"].cancel(caller, task_id)
    except NotCancellable:
        task = await state["tasks"].mine(caller, task_id)
        raise Conflict(f"Agent session already {wire.STATES[task.state]}") from None
    return JSONResponse({})


async def pause_task(request: Request) -> Response:
    """PUT /pause-task (3.5): only a running task can be paused."""
    state, caller, task_id = reach(request), caller_of(request), await meant(request)
    if (await state["tasks"].mine(caller, task_id)).state is not TaskState.PROCESSING:
        raise Conflict("Agent session is not running")
    await state["tasks"].pause(caller, task_id)
    return JSONResponse({})


async def resume_task(request: Request) -> Response:
    """PUT /resume-task (3.5): only a paused task can be resumed."""
    state, caller, task_id = reach(request), caller_of(request), await meant(request)
    task = await state["tasks"].mine(caller, task_id)
    if task.state is not TaskState.PAUSED and not task.pause_wanted:
        raise Conflict("Agent session is not paused")
    await state["tasks"].resume(caller, task_id)
    return JSONResponse({})


async def share_task(request: Request) -> Response:
    """POST /task/{task_id}/share: publishes the task, or gives the link that it has. Ours, as the next one."""
    return await shared(request, public=True)


async def unshare_task(request: Request) -> Response:
    """DELETE /task/{task_id}/share: its link leads nowhere any more."""
    return await shared(request, public=False)


async def shared(request: Request, *, public: bool) -> Response:
    """Publishes the task or revokes that."""
    state = reach(request)
    task = await state["tasks"].share(caller_of(request), named(request, "task_id"), public=public)
    return JSONResponse({"public_share_url": state["links"].share(task)})


async def waited(request: Request) -> Task:
    """The task that the path names, after waiting for its end where the query wants that."""
    query, tasks = query_of(request, WaitQuery), reach(request)["tasks"]
    task = await tasks.get(caller_of(request), named(request, "task_id"))
    return await tasks.wait(task, query.wait) if query.wait and not task.state.final else task


async def meant(request: Request) -> str:
    """The task that is to be steered: named in the path, the query, or the body, as callers do (3.5). Raises Unprocessable."""
    given = request.path_params.get("task_id") or request.query_params.get("task_id") or await in_body(request)
    if not isinstance(given, str) or not given:
        raise missing("query", "task_id")
    return given if storable(given) else "-"


async def in_body(request: Request) -> Any:
    """`task_id` of a JSON body, if there is one."""
    try:
        given = json.loads(await read_body(request, reach(request)["settings"].max_body))
    except (ValueError, RecursionError):
        return None
    return given.get("task_id") if isinstance(given, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # any JSON object


async def view(state: State, caller: Caller, task: Task) -> wire.TaskView:
    """The task with everything around it."""
    # A cookie is a login: a key that may only read does not get one.
    cookies = state["tasks"].browser_data(task) if {"write", "admin"} & caller.scopes else None
    return wire.task_view(
        task,
        await state["tasks"].steps(task),
        await state["tasks"].files(task, "output"),
        state["catalog"],
        live_url=live_url(state, caller, task),
        share_url=state["links"].share(task),
        browser_data=cookies,
    )


def live_url(state: State, caller: Caller, task: Task) -> str | None:
    """The live view while the task is open; a key that may only read gets one that may only watch."""
    if task.state.final:
        return None
    return state["links"].live(task, control=bool({"write", "admin"} & caller.scopes))
