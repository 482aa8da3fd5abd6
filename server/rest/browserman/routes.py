"""The Tasks API's endpoints (contract part 1), under /api. Every answer, also of a wrong path, comes in its envelope."""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import Field
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.door import json_body, sent
from server.errors import handlers, status_of
from server.new_task import USUAL_PRIORITY, NewTask
from server.rest.browserman import answers, examples, inputs, views
from server.rest.endpoint import Endpoint, Slashless, caller_of, routes, trace_of
from server.rest.message import Message
from server.state import reach
from storage.tables import Task
from tools.errors import (
    AccountNotFound,
    AuthenticationFailed,
    BodyTooLarge,
    Conflict,
    DuplicateContent,
    Failure,
    IdempotencyReused,
    InvalidParameters,
    MethodNotAllowed,
    NotCancellable,
    NotFound,
    PlatformNotFound,
    TaskNotFound,
    UnsupportedType,
)

_LONGEST_WAIT_S = 55


_HTTP: dict[int, type[Failure]] = {404: NotFound, 405: MethodNotAllowed, 413: BodyTooLarge, 415: UnsupportedType}


class WaitQuery(Message):
    """GET /api/tasks/:taskId may wait for the end instead of being asked every few seconds."""

    wait: float = Field(
        0, ge=0, description=f"Seconds to wait until the task ended or waits for a person, {_LONGEST_WAIT_S} at most."
    )


def answer(data: Any, status: int = 200) -> Response:
    """An answer in its envelope."""
    return JSONResponse(views.succeeded(data), status)


async def create_task(request: Request) -> Response:
    """POST /tasks (1.3)."""
    body = inputs.parsed(inputs.CreateTask, await json_body(request)).resolved()
    state = reach(request)
    asked = NewTask(
        dialect="browserman",
        platform=body.platform,
        tool=body.tool or "",
        parameters=body.parameters,
        account_name=body.account_name,
        engine=body.preferred_engine,
        timeout_ms=body.timeout,
        dry_run=bool(body.dry_run),
        approval=body.approval,
        allow_duplicate=bool(body.allow_duplicate),
        priority=body.priority or USUAL_PRIORITY,
        idempotency_key=request.headers.get("idempotency-key"),
        request=sent(request),
        trace=trace_of(request),
    )
    created = await state["tasks"].create(caller_of(request), asked)
    return answer(views.task_view(created.task, live_url=live_url(request, created.task)))


async def get_task(request: Request) -> Response:
    """GET /tasks/:taskId (1.4)."""
    query = inputs.parsed(WaitQuery, dict(request.query_params))
    tasks = reach(request)["tasks"]
    task = await tasks.get(caller_of(request), request.path_params["task_id"])
    if query.wait > 0 and not task.state.final:
        task = await tasks.wait(task, min(query.wait, _LONGEST_WAIT_S))
    shown = answer(await view(request, task))
    tag = f'"{hashlib.sha256(shown.body).hexdigest()[:32]}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": tag})
    shown.headers["ETag"] = tag
    return shown


async def view(request: Request, task: Task) -> dict[str, Any]:
    """The task as its detail view, with its place in the queue and its live URL."""
    position = await reach(request)["tasks"].position(task)
    return views.task_view(task, position=position, live_url=live_url(request, task))


def live_url(request: Request, task: Task) -> str | None:
    """The live view while the task is open. As Cloud v1: a key that may only read gets a link that may only watch."""
    control = bool({"write", "admin"} & caller_of(request).scopes)
    return None if task.state.final else reach(request)["links"].live(task, control=control)


async def list_tasks(request: Request) -> Response:
    """GET /tasks (1.5)."""
    query = inputs.parsed(inputs.ListTasks, dict(request.query_params))
    state = reach(request)
    rows, total = await state["tasks"].list(
        caller_of(request), query.filter(state["catalog"]), limit=query.limit, offset=query.offset
    )
    return answer(
        {
            "tasks": [views.list_item(row) for row in rows],
            "total": total,
            "limit": query.limit,
            "offset": query.offset,
            "filters": query.echo(),
        }
    )


async def cancel_task(request: Request) -> Response:
    """DELETE /tasks/:taskId (1.6)."""
    task = await reach(request)["tasks"].cancel(caller_of(request), request.path_params["task_id"])
    return answer(views.cancelled_view(task))


def steering(verb: str) -> Any:
    """A handler for a verb of TaskService that takes a task's id and gives the task back."""

    async def handle(request: Request) -> Response:
        act = getattr(reach(request)["tasks"], verb)
        return answer(await view(request, await act(caller_of(request), request.path_params["task_id"])))

    return handle


async def list_platforms(request: Request) -> Response:
    """GET /platforms (1.9)."""
    catalog = reach(request)["catalog"]
    return answer({"platforms": [views.platform_view(catalog, name) for name in views.in_order(catalog.sites)]})


async def get_platform(request: Request) -> Response:
    """GET /platforms/:platformId (1.9)."""
    return answer(views.platform_detail(reach(request)["catalog"], request.path_params["platform_id"]))


_TASK = "/tasks/{task_id}"
_CREATE_ERRORS = (AccountNotFound, PlatformNotFound, DuplicateContent, AuthenticationFailed, IdempotencyReused)

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="POST",
        path="/tasks",
        handler=create_task,
        scope="write",
        summary="Create a task",
        tag="Tasks",
        body=inputs.CreateTask,
        body_examples={
            "A tweet": {
                "platform": "twitter",
                "tool": "createTweet",
                "accountName": "my-twitter",
                "parameters": {"text": "Hello World!", "preferredEngine": "lite"},
                "timeout": 120000,
            }
        },
        answer=answers.TaskDetail,
        examples={"Created": examples.CREATED},
        errors=_CREATE_ERRORS,
        idempotent=True,
    ),
    Endpoint(
        method="GET",
        path="/tasks",
        handler=list_tasks,
        scope="read",
        summary="List tasks",
        tag="Tasks",
        query=inputs.ListTasks,
        answer=answers.TaskList,
        examples={"One": examples.LISTED},
    ),
    Endpoint(
        method="GET",
        path=_TASK,
        handler=get_task,
        scope="read",
        summary="Get a task",
        tag="Tasks",
        query=WaitQuery,
        answer=answers.TaskDetail,
        examples=examples.TASKS,
        errors=(TaskNotFound,),
    ),
    Endpoint(
        method="DELETE",
        path=_TASK,
        handler=cancel_task,
        scope="write",
        summary="Cancel a task",
        tag="Tasks",
        answer=answers.Cancelled,
        examples={"Cancelled": examples.CANCELLED},
        errors=(TaskNotFound, NotCancellable),
    ),
    *(
        Endpoint(
            method="POST",
            path=f"{_TASK}/{verb}",
            handler=steering(verb),
            scope="admin" if verb in {"approve", "reject"} else "write",
            summary=f"{verb.capitalize()} a task",
            tag="Tasks",
            answer=answers.TaskDetail,
            errors=(TaskNotFound, Conflict),
        )
        for verb in ("pause", "resume", "approve", "reject")
    ),
    Endpoint(
        method="GET",
        path="/platforms",
        handler=list_platforms,
        scope="read",
        summary="List platforms",
        tag="Platforms",
        answer=answers.PlatformList,
        examples={"All": examples.PLATFORMS},
    ),
    Endpoint(
        method="GET",
        path="/platforms/{platform_id}",
        handler=get_platform,
        scope="read",
        summary="Get a platform",
        tag="Platforms",
        answer=answers.PlatformDetail,
        errors=(PlatformNotFound,),
    ),
)


async def refuse(_request: Request, failure: Exception) -> Response:
    """A failure in this dialect's envelope."""
    assert isinstance(failure, Failure)  # noqa: S101  # registered for nothing else
    headers = {"Retry-After": str(failure.retry_after)} if failure.retry_after is not None else {}
    status = status_of(failure)
    if status == 401:  # RFC 9110
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(views.failed(failure), status, headers)


async def refuse_http(request: Request, error: Exception) -> Response:
    """What the router itself refuses: no such path, no such method."""
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    kind = _HTTP.get(error.status_code)
    response = await refuse(request, kind() if kind else InvalidParameters(error.detail))
    response.status_code = error.status_code
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


def browserman_app(*more: tuple[Endpoint, ...]) -> Starlette:
    """The dialect as an app to be mounted at /api. `more`: endpoints of other modules of the dialect."""
    endpoints = [*ENDPOINTS, *(endpoint for group in more for endpoint in group)]
    return Starlette(
        routes=routes(endpoints), middleware=[Middleware(Slashless)], exception_handlers=handlers(refuse, refuse_http)
    )
