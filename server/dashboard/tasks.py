"""Pages of tasks: the list, one task as it runs, and what a person does with it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse

from server.auth import Caller
from server.dashboard.door import path_of
from server.dashboard.page import part, shown
from server.dashboard.sessions import Handler, is_script
from server.dashboard.views import (
    WORDS,
    StepView,
    allowed,
    parameter_facts,
    seconds,
    step_views,
    task_view,
    word_of,
)
from server.state import State, reach
from server.words import platform_name
from storage.filters import TaskFilter
from storage.states import TaskState
from storage.tables import Task
from tools.errors import NotFound

_PER_PAGE = 25
_STREAM_S = 120.0
"""After so long a page asks anew, and is looked at anew: its key may have been revoked."""
_SHOWN_FILES = {"recording": "Recording", "gif": "Animation", "output": "File"}
_LAST_PAGE = 10**6
"""Beyond it databases refuse the offset, and no person comes here."""


async def tasks(request: Request, caller: Caller) -> Response:
    """GET /: the tasks, newest first."""
    return shown(request, caller, "tasks.html", **await _listed(request, caller))


async def task_list(request: Request, caller: Caller) -> Response:
    """GET /tasks/list: the list alone, for the page's script."""
    return HTMLResponse(part("_tasks.html", **await _listed(request, caller)))


async def task(request: Request, caller: Caller) -> Response:
    """GET /tasks/{id}: one task."""
    state = reach(request)
    found = await state["tasks"].get(caller, request.path_params["task_id"])
    steps = await _steps(state, found)
    context = await _context(state, caller, found)
    return shown(request, caller, "task.html", steps=steps, **context)


async def events(request: Request, caller: Caller) -> Response:
    """GET /tasks/{id}/events: what changes on the page, as server-sent events."""
    state = reach(request)
    found = await state["tasks"].get(caller, request.path_params["task_id"])
    known = request.headers.get("last-event-id") or request.query_params.get("steps", "0")
    stream = _changes(state, caller, found, int(known) if known.isdecimal() else 0)
    return StreamingResponse(stream, media_type="text/event-stream")


async def steer(request: Request, caller: Caller) -> Response:
    """POST /tasks/{id}/{verb}."""
    service, task_id = reach(request)["tasks"], request.path_params["task_id"]
    match request.path_params["verb"]:
        case "cancel":
            await service.cancel(caller, task_id)
        case "pause":
            await service.pause(caller, task_id)
        case "resume":
            await service.resume(caller, task_id)
        case "approve":
            await service.approve(caller, task_id)
        case "reject":
            await service.reject(caller, task_id)
        case "share" | "unshare" as verb:
            await service.share(caller, task_id, public=verb == "share")
        case _:
            raise NotFound
    return JSONResponse({"done": True}) if is_script(request) else RedirectResponse(f"/tasks/{task_id}", 303)


async def _changes(state: State, caller: Caller, task: Task, known: int) -> AsyncGenerator[str]:
    """Each event holds the parts of the page as they are now, and the steps from the last known one on."""
    last = ""
    yield "retry: 1000\n\n"
    async for now in state["tasks"].follow(task.id, _STREAM_S):
        context = await _context(state, caller, now)
        steps = await _steps(state, now, max(0, known - 1))
        told = json.dumps(
            {
                "parts": {
                    name: part(f"_{name}.html", **context) for name in ("status", "question", "outcome", "details")
                },
                "first": max(0, known - 1),
                "steps": [part("_step.html", step=step) for step in steps],
                "live": context["live"],
                "ended": now.state.final,
                "title": f"{word_of(now)} · {context['task'].title}",
            }
        )
        known = max(known, now.step_count)
        # Nothing new still says something: to proxies that the stream lives, to us whether the page does.
        yield f"id: {known}\ndata: {told}\n\n" if told != last else ": \n\n"
        last = told


async def _context(state: State, caller: Caller, task: Task) -> dict[str, Any]:
    """What the parts of a task's page are made of."""
    files = await state["tasks"].files(task, *_SHOWN_FILES)
    links, share = state["links"], state["links"].share(task)
    may = allowed(task, caller)
    has_browser = task.state in {TaskState.PROCESSING, TaskState.PAUSED} and task.worker_id is not None
    return {
        "task": task_view(task, state["catalog"], datetime.now(UTC)),
        "may": may,
        "is_admin": "admin" in caller.scopes,
        "position": await state["tasks"].position(task),
        "live": path_of(links.live(task, control="cancel" in may)) if has_browser else None,
        "share": share,
        "given": parameter_facts(task),
        "files": [
            {"word": _SHOWN_FILES[one.kind], "name": one.name, "href": path_of(links.file(one)), "size": one.size}
            for one in files
        ],
        "tokens": task.tokens,
        "cost": task.cost,
        "paused": seconds(task.paused_ms / 1000) if task.paused_ms >= 1000 else "",
        "finished": task.finished_at,
    }


async def _steps(state: State, task: Task, after: int = 0) -> Sequence[StepView]:
    shots = {shot.id: shot for shot in await state["tasks"].files(task, "screenshot")}
    return step_views(await state["tasks"].steps(task, after), shots, state["links"])


async def _listed(request: Request, caller: Caller) -> dict[str, Any]:
    """One page of the list, as its query says."""
    state, query = reach(request), request.query_params
    wanted = {name: query.get(name, "") for name in ("state", "platform", "account")}
    page = min(max(1, int(query["page"])), _LAST_PAGE) if query.get("page", "").isdecimal() else 1
    filters = TaskFilter(
        states=frozenset({TaskState(wanted["state"])}) if wanted["state"] in set(TaskState) else None,
        platform=wanted["platform"] or None,
        account_name=wanted["account"] or None,
    )
    rows, total = await state["tasks"].list(caller, filters, limit=_PER_PAGE, offset=(page - 1) * _PER_PAGE)
    accounts = await state["accounts"].list(caller)
    catalog, now = state["catalog"], datetime.now(UTC)
    kept = {name: value for name, value in wanted.items() if value}
    return {
        "tasks": [task_view(row, catalog, now) for row in rows],
        "total": total,
        "page": page,
        "pages": max(1, -(-total // _PER_PAGE)),
        "wanted": wanted,
        "filtered": bool(kept),
        "newer": "/?" + urlencode({**kept, "page": page - 1}),
        "older": "/?" + urlencode({**kept, "page": page + 1}),
        "query": urlencode({**kept, "page": page}),
        "states": [(one.value, WORDS[one]) for one in TaskState],
        "platforms": [(name, platform_name(name, catalog)) for name in catalog.sites],
        "accounts": sorted({row.name for row in accounts}),
        "open": any(not row.state.final for row in rows),
    }


PAGES: tuple[tuple[str, Handler, tuple[str, ...]], ...] = (
    ("/", tasks, ("GET",)),
    ("/tasks", tasks, ("GET",)),
    ("/tasks/list", task_list, ("GET",)),
    ("/tasks/{task_id}", task, ("GET",)),
    ("/tasks/{task_id}/events", events, ("GET",)),
    ("/tasks/{task_id}/{verb}", steer, ("POST",)),
)
