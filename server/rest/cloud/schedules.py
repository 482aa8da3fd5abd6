"""Scheduled tasks (3.9)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.door import sent
from server.rest.cloud.balance import check_balance
from server.rest.cloud.parsing import body_of, named, query_of
from server.rest.cloud.run import RunOptions, Words, model_of, prepared, shape_of
from server.rest.cloud.wire import Created, Moment, Page, PageQuery, View, assumed_utc, paged
from server.rest.endpoint import caller_of
from server.schedules import Change, NewSchedule
from server.state import State, reach
from server.timing import MAX_INTERVAL, Timing
from storage.tables import Schedule, now

_YEARS = range(1970, 9000)
"""In which a schedule may start: there is room for its due moments on both sides."""


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC. Raises ValueError where it is none there."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        message = "is no date in UTC"
        raise ValueError(message) from None


def a_start(moment: datetime) -> datetime:
    """A moment that a schedule may start at. Raises ValueError."""
    if moment.year not in _YEARS:
        message = f"must lie in the years {_YEARS[0]} to {_YEARS[-1]}"
        raise ValueError(message)
    return moment


When = Annotated[AwareDatetime, BeforeValidator(assumed_utc), AfterValidator(in_utc)]
Start = Annotated[When, AfterValidator(a_start)]
Minutes = Annotated[int, Field(ge=1, le=MAX_INTERVAL)]
Cron = Annotated[str, Field(min_length=1, max_length=100)]
_YEAR = timedelta(days=365)
_SHOWN = (
    "save_browser_data",
    "structured_output_json",
    "llm_model",
    "use_adblock",
    "use_proxy",
    "highlight_elements",
)
"""The options that a schedule shows."""


class CreateSchedule(RunOptions):
    """POST /scheduled-task (3.9)."""

    task: Words = Field(description="What to do each time, in plain words.")
    schedule_type: Literal["interval", "cron"]
    interval_minutes: Minutes | None = Field(None, description="Needed for `interval`.")
    cron_expression: Cron | None = Field(
        None, description="Needed for `cron`: five fields, in UTC.", examples=["0 9 * * 1-5"]
    )
    start_at: Start | None = Field(None, description="The first moment; null: now.")
    end_at: When | None = Field(None, description="The last moment; null: a year from now.")


class ChangeSchedule(RunOptions):
    """PUT /scheduled-task/{task_id}: what is null or not there stays as it is."""

    task: Words | None = None
    schedule_type: Literal["interval", "cron"] | None = None
    interval_minutes: Minutes | None = None
    cron_expression: Cron | None = None
    start_at: Start | None = None
    end_at: When | None = None
    is_active: bool | None = None


class ScheduleView(View):
    """One schedule (3.9). Its secrets are shown nowhere."""

    id: str
    task: str
    save_browser_data: bool
    structured_output_json: str | dict[str, Any] | list[Any] | None = Field(description="As it was sent.")
    llm_model: str
    use_adblock: bool
    use_proxy: bool
    highlight_elements: bool
    schedule_type: Literal["interval", "cron"]
    interval_minutes: int | None
    cron_expression: str | None
    start_at: Moment
    next_run_at: Moment | None = Field(description="Null once it is over, or while it is not active.")
    end_at: Moment
    is_active: bool
    created_at: Moment
    updated_at: Moment
    metadata: dict[str, Any] | None


class SchedulePage(Page):
    """GET /scheduled-tasks (3.9)."""

    tasks: list[ScheduleView]


async def create_schedule(request: Request) -> Response:
    """POST /scheduled-task."""
    state, caller = reach(request), caller_of(request)
    body = await body_of(request, CreateSchedule)
    key = request.headers.get("idempotency-key")
    known = await state["schedules"].answered(caller, key, sent(request))
    if known is not None:  # before anything that may have changed since
        return JSONResponse(Created(id=known.id).model_dump())
    await check_balance(state, caller)
    ready = await prepared(state, caller, body)
    start = body.start_at or now()
    new = NewSchedule(
        task=body.task,
        timing=Timing(
            kind=body.schedule_type,
            interval_minutes=body.interval_minutes,
            cron=body.cron_expression,
            start_at=start,
            end_at=body.end_at or max(start, now()) + _YEAR,
        ),
        asked=body.model_dump(include=set(_SHOWN)),
        options=ready.options,
        timeout_ms=ready.timeout_ms,
        share=body.wanted("enable_public_share"),
        secrets=body.secrets,
        labels=body.metadata,
    )
    schedule = await state["schedules"].create(caller, new, key, sent(request))
    return JSONResponse(Created(id=schedule.id).model_dump())


async def list_schedules(request: Request) -> Response:
    """GET /scheduled-tasks."""
    query = query_of(request, PageQuery)
    rows, total = await reach(request)["schedules"].list(caller_of(request), limit=query.limit, offset=query.offset)
    page = SchedulePage(tasks=[schedule_view(row) for row in rows], **paged(query, total))
    return JSONResponse(page.model_dump())


async def get_schedule(request: Request) -> Response:
    """GET /scheduled-task/{task_id}."""
    schedule = await reach(request)["schedules"].get(caller_of(request), named(request, "task_id"))
    return JSONResponse(schedule_view(schedule).model_dump())


async def change_schedule(request: Request) -> Response:
    """PUT /scheduled-task/{task_id}: answers with the schedule as it is now."""
    state, caller = reach(request), caller_of(request)
    body = await body_of(request, ChangeSchedule)
    change = Change(
        task=body.task,
        timing=given(
            kind=body.schedule_type,
            interval_minutes=body.interval_minutes,
            cron=body.cron_expression,
            start_at=body.start_at,
            end_at=body.end_at,
        ),
        active=body.is_active,
        asked={name: getattr(body, name) for name in _SHOWN if body.given(name)},
        options=await changed_options(state, body),
        labels=body.metadata,
    )
    schedule = await state["schedules"].change(caller, named(request, "task_id"), change)
    return JSONResponse(schedule_view(schedule).model_dump())


async def delete_schedule(request: Request) -> Response:
    """DELETE /scheduled-task/{task_id}: what it has started goes on."""
    await reach(request)["schedules"].delete(caller_of(request), named(request, "task_id"))
    return JSONResponse({})


async def changed_options(state: State, body: ChangeSchedule) -> dict[str, Any]:
    """What a change makes of the options that the tasks are run with; None removes one. Raises InvalidParameters."""
    options: dict[str, Any] = given(
        use_adblock=body.use_adblock if body.given("use_adblock") else None,
        highlight_elements=body.highlight_elements if body.given("highlight_elements") else None,
        save_browser_data=body.save_browser_data if body.given("save_browser_data") else None,
    )
    if body.given("use_proxy"):
        options["proxy"] = body.wanted("proxy_country_code") if body.use_proxy else None
    if body.given("structured_output_json"):
        options["structured_output"] = shape_of(body.structured_output_json)
    if body.given("llm_model"):
        options["model"] = await model_of(state, body)
    return options


def given(**members: Any) -> dict[str, Any]:
    """The members that are not None."""
    return {name: value for name, value in members.items() if value is not None}


def schedule_view(schedule: Schedule) -> ScheduleView:
    """One schedule."""
    asked: Mapping[str, Any] = schedule.options["asked"]
    shown = {name: asked[name] if asked.get(name) is not None else default for name, default in _DEFAULTS.items()}
    return ScheduleView(
        **shown,
        id=schedule.id,
        task=schedule.task,
        schedule_type="cron" if schedule.kind == "cron" else "interval",
        interval_minutes=schedule.interval_minutes,
        cron_expression=schedule.cron,
        start_at=schedule.start_at,
        next_run_at=schedule.next_run_at,
        end_at=schedule.end_at,
        is_active=schedule.active,
        created_at=schedule.created_at,
        updated_at=schedule.updated_at,
        metadata=schedule.labels,
    )


_DEFAULTS: Mapping[str, Any] = {name: RunOptions.model_fields[name].default for name in _SHOWN}
