"""Cloud v1's endpoints (contract part 3), under /api/v1."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware import Middleware

from server.errors import handlers
from server.profiles import ProfileNotFound
from server.rest.cloud import balance, examples, media, profiles, run, schedules, search, tasks, uploads, user, wire
from server.rest.cloud.refusals import refuse, refuse_http
from server.rest.endpoint import Endpoint, Handler, Method, Slashless, routes
from server.schedules import ScheduleNotFound
from tools.errors import Conflict, Failure, TaskNotFound

_TASK, _SCHEDULE, _PROFILE = "/task/{task_id}", "/scheduled-task/{task_id}", "/browser-profiles/{profile_id}"


def endpoint(
    tag: str,
    method: Method,
    path: str,
    handler: Handler,
    summary: str,
    answer: Any,
    example: Any,
    *,
    query: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
    sent: Any = None,
    errors: tuple[type[Failure], ...] = (),
    scope: str | None = "",
    idempotent: bool = False,
    documented: bool = True,
) -> Endpoint:
    """An endpoint whose documents follow from its handler. `scope`: unless given, read for GET and write for everything else."""
    more = (handler.__doc__ or "").partition(": ")[2]
    return Endpoint(
        method=method,
        path=path,
        handler=handler,
        scope=("read" if method == "GET" else "write") if scope == "" else scope,
        summary=summary,
        description=more[:1].upper() + more[1:],
        tag=tag,
        query=query,
        body=body,
        body_examples={"Example": sent} if sent is not None else {},
        answer=answer,
        examples={"Example": example},
        errors=errors,
        idempotent=idempotent,
        documented=documented,
    )


def steering(verb: str, handler: Handler, summary: str) -> list[Endpoint]:
    """The documented spelling of a steering call, and those of real callers (3.5): as POST, and with the id in the path."""
    path = f"/{verb}-task"
    known: dict[str, Any] = {
        "summary": summary,
        "answer": wire.Empty,
        "example": {},
        "errors": (TaskNotFound, Conflict),
    }
    return [
        endpoint("Tasks", "PUT", path, handler, query=tasks.SteerQuery, **known),
        endpoint("Tasks", "POST", path, handler, documented=False, **known),
        endpoint("Tasks", "PUT", path + "/{task_id}", handler, documented=False, **known),
        endpoint("Tasks", "POST", path + "/{task_id}", handler, documented=False, **known),
    ]


TASKS = (
    endpoint(
        "Tasks",
        "POST",
        "/run-task",
        run.run_task,
        "Run a task",
        wire.Created,
        {"id": examples.ID},
        body=run.RunTask,
        sent=examples.RUN,
        errors=(Conflict, ProfileNotFound),
        idempotent=True,
    ),
    endpoint(
        "Tasks",
        "GET",
        _TASK,
        tasks.get_task,
        "Get a task",
        wire.TaskView,
        examples.TASK,
        query=tasks.WaitQuery,
        errors=(TaskNotFound,),
    ),
    endpoint(
        "Tasks",
        "GET",
        f"{_TASK}/status",
        tasks.get_status,
        "Get a task's status",
        wire.Status,
        "finished",
        query=tasks.WaitQuery,
        errors=(TaskNotFound,),
    ),
    *steering("stop", tasks.stop_task, "Stop a task"),
    *steering("pause", tasks.pause_task, "Pause a task"),
    *steering("resume", tasks.resume_task, "Resume a task"),
    endpoint(
        "Tasks",
        "GET",
        "/tasks",
        tasks.list_tasks,
        "List tasks",
        wire.TaskPage,
        examples.page_of("tasks", examples.ITEM),
        query=wire.PageQuery,
    ),
    endpoint(
        "Tasks",
        "POST",
        f"{_TASK}/share",
        tasks.share_task,
        "Publish a task",
        tasks.Share,
        {"public_share_url": "https://webhand.example/share/token"},
        errors=(TaskNotFound,),
    ),
    endpoint(
        "Tasks",
        "DELETE",
        f"{_TASK}/share",
        tasks.unshare_task,
        "Stop publishing a task",
        tasks.Share,
        {"public_share_url": None},
        errors=(TaskNotFound,),
    ),
)

MEDIA = (
    endpoint(
        "Media and files",
        "GET",
        f"{_TASK}/media",
        media.get_media,
        "Get a task's recordings",
        media.Recordings,
        {"recordings": [examples.file(f"{examples.ID}.mp4")]},
        errors=(TaskNotFound,),
    ),
    endpoint(
        "Media and files",
        "GET",
        f"{_TASK}/screenshots",
        media.get_screenshots,
        "Get a task's screenshots",
        media.Screenshots,
        {"screenshots": [examples.file(f"{examples.ID}-step-1.png")]},
        errors=(TaskNotFound,),
    ),
    endpoint(
        "Media and files",
        "GET",
        f"{_TASK}/gif",
        media.get_gif,
        "Get a task's animation",
        media.Animation,
        {"gif": examples.file(f"{examples.ID}.gif")},
        errors=(TaskNotFound,),
    ),
    endpoint(
        "Media and files",
        "GET",
        _TASK + "/output-file/{file_name}",
        media.get_output_file,
        "Get an output file",
        media.Download,
        {"download_url": examples.file("report.csv")},
        errors=(TaskNotFound, media.OutputFileNotFound),
    ),
    endpoint(
        "Media and files",
        "POST",
        "/uploads/presigned-url",
        uploads.presign,
        "Get a URL to upload a file to",
        uploads.UploadUrl,
        {"upload_url": "https://webhand.example/uploads/orders.csv?token=..."},
        body=uploads.PresignedUrl,
        sent={"file_name": "orders.csv", "content_type": "text/csv"},
        errors=(Conflict,),
        idempotent=True,
    ),
)

SCHEDULES = (
    endpoint(
        "Scheduled tasks",
        "POST",
        "/scheduled-task",
        schedules.create_schedule,
        "Create a scheduled task",
        wire.Created,
        {"id": examples.ID},
        body=schedules.CreateSchedule,
        sent=examples.REPEAT,
        errors=(Conflict,),
        idempotent=True,
    ),
    endpoint(
        "Scheduled tasks",
        "GET",
        "/scheduled-tasks",
        schedules.list_schedules,
        "List scheduled tasks",
        schedules.SchedulePage,
        examples.page_of("tasks", examples.SCHEDULE),
        query=wire.PageQuery,
    ),
    endpoint(
        "Scheduled tasks",
        "GET",
        _SCHEDULE,
        schedules.get_schedule,
        "Get a scheduled task",
        schedules.ScheduleView,
        examples.SCHEDULE,
        errors=(ScheduleNotFound,),
    ),
    endpoint(
        "Scheduled tasks",
        "PUT",
        _SCHEDULE,
        schedules.change_schedule,
        "Change a scheduled task",
        schedules.ScheduleView,
        examples.SCHEDULE,
        body=schedules.ChangeSchedule,
        sent={"interval_minutes": 120},
        errors=(ScheduleNotFound,),
    ),
    endpoint(
        "Scheduled tasks",
        "DELETE",
        _SCHEDULE,
        schedules.delete_schedule,
        "Delete a scheduled task",
        wire.Empty,
        {},
        errors=(ScheduleNotFound,),
    ),
)

PROFILES = (
    endpoint(
        "Browser profiles",
        "POST",
        "/browser-profiles",
        profiles.create_profile,
        "Create a browser profile",
        profiles.ProfileView,
        examples.PROFILE,
        body=profiles.CreateProfile,
        sent={"profile_name": "Work"},
        idempotent=True,
    ),
    endpoint(
        "Browser profiles",
        "GET",
        "/browser-profiles",
        profiles.list_profiles,
        "List browser profiles",
        profiles.ProfilePage,
        examples.page_of("profiles", examples.PROFILE),
        query=wire.PageQuery,
    ),
    endpoint(
        "Browser profiles",
        "GET",
        _PROFILE,
        profiles.get_profile,
        "Get a browser profile",
        profiles.ProfileView,
        examples.PROFILE,
        errors=(ProfileNotFound,),
    ),
    endpoint(
        "Browser profiles",
        "PUT",
        _PROFILE,
        profiles.change_profile,
        "Change a browser profile",
        profiles.ProfileView,
        examples.PROFILE,
        body=profiles.ChangeProfile,
        sent={"persist": False},
        errors=(ProfileNotFound,),
    ),
    endpoint(
        "Browser profiles",
        "DELETE",
        _PROFILE,
        profiles.delete_profile,
        "Delete a browser profile",
        wire.Empty,
        {},
        errors=(ProfileNotFound,),
    ),
    endpoint(
        "Browser profiles",
        "POST",
        "/delete-browser-profile-for-user",
        profiles.delete_default,
        "Delete the default browser profile",
        wire.Empty,
        {},
    ),
)

OTHERS = (
    endpoint("User", "GET", "/balance", balance.get_balance, "Get the balance", balance.Balance, {"balance": 9950.5}),
    endpoint("User", "GET", "/me", user.me, "Check the API key", bool, example=True, scope=None),
    endpoint("Health", "GET", "/ping", user.ping, "Check that the server is there", wire.Empty, {}, scope=None),
    endpoint(
        "Health", "GET", "/health-check", user.health_check, "Check that the server works", wire.Empty, {}, scope=None
    ),
    endpoint(
        "Search",
        "POST",
        "/simple-search",
        search.simple_search,
        "Search the web",
        search.SearchResults,
        {"results": [{"url": "https://example.com/", "content": "Example Domain"}]},
        body=search.SimpleSearch,
        sent={"query": "latest release of Python", "max_websites": 3},
        errors=(search.NoSearchPage, search.SiteUnreadable),
        scope="read",
    ),
    endpoint(
        "Search",
        "POST",
        "/search-url",
        search.search_url,
        "Search one site",
        search.SiteFound,
        {"url": "https://example.com/", "content": "Example Domain"},
        body=search.SearchUrl,
        sent={"url": "https://example.com/", "query": "What is this site for?"},
        errors=(search.NoSearchPage, search.SiteUnreadable),
        scope="read",
    ),
)

ENDPOINTS: tuple[Endpoint, ...] = (*TASKS, *MEDIA, *SCHEDULES, *PROFILES, *OTHERS)


def cloud_app(*more: tuple[Endpoint, ...]) -> Starlette:
    """The dialect as an app to be mounted at /api/v1. `more`: endpoints of other modules of the dialect."""
    endpoints = [*ENDPOINTS, *(one for group in more for one in group)]
    return Starlette(
        routes=routes(endpoints), middleware=[Middleware(Slashless)], exception_handlers=handlers(refuse, refuse_http)
    )
