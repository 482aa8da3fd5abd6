"""What goes over the wire in the Cloud v1 dialect: the states' words, the tasks' views, pages, and the bodies of errors. Contract part 3.

Views are models, so that the documents are made from the very types that are sent. Every member is always there, null where it is unset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError, WithJsonSchema

from server.rest.message import Message
from storage.states import TaskState
from storage.tables import Artifact, Step, Task
from tools.catalog import Catalog
from tools.errors import Failure

Status = Literal["created", "running", "paused", "finished", "failed", "stopped"]

STATES: Mapping[TaskState, Status] = {
    TaskState.PENDING: "created",
    TaskState.PROCESSING: "running",
    TaskState.PAUSED: "paused",
    TaskState.COMPLETED: "finished",
    TaskState.FAILED: "failed",
    TaskState.TIMEOUT: "failed",
    TaskState.CANCELLED: "stopped",
}
"""Every stored state in this dialect's word (3.4): it knows no time-out."""

MAX_PAGE = 100
_FARTHEST = 2**53
"""An offset beyond this is none that a database takes; no list is that long."""


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC as the documents show it: `2023-11-07T05:31:56Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def assumed_utc(moment: Any) -> Any:
    """A moment in ISO 8601 without a zone is meant in UTC."""
    try:
        parsed = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError:
        return moment  # for pydantic to complain about
    return parsed.replace(tzinfo=UTC) if isinstance(parsed, datetime) and parsed.tzinfo is None else parsed


Moment = Annotated[
    datetime,
    PlainSerializer(iso, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment that is sent."""


class View(Message):
    """Something that is sent."""

    model_config = ConfigDict(extra="forbid")


class Empty(View):
    """`{}`: done, and there is nothing to say."""


class Created(View):
    """What was created (3.2, 3.9)."""

    id: str


class Detail(View):
    """The body of every error but 422 (3.1)."""

    detail: str


class Complaint(View):
    """What is wrong with one part of a request, in the words of pydantic 1 (3.1)."""

    loc: list[str | int]
    msg: str
    type: str


class ValidationErrors(View):
    """The body of a 422 (3.1)."""

    detail: list[Complaint]


class PageQuery(Message):
    """Which page of a list (3.6)."""

    page: int = Field(1, ge=1, description="Pages count from 1.")
    limit: int = Field(10, ge=1, le=MAX_PAGE, description="How many entries a page has.")

    @property
    def offset(self) -> int:
        """How many entries come before the page."""
        return min((self.page - 1) * self.limit, _FARTHEST)


class Page(View):
    """What every list says of itself (3.6)."""

    total_pages: int
    page: int
    limit: int
    total_count: int


def paged(query: PageQuery, total: int) -> dict[str, int]:
    """The members of `Page`. A list without entries has one page, an empty one."""
    pages = max(1, -(-total // query.limit))
    return {"total_pages": pages, "page": query.page, "limit": query.limit, "total_count": total}


class StepView(View):
    """One step of a task (3.3)."""

    id: str
    step: int
    evaluation_previous_goal: str
    next_goal: str
    url: str


class BrowserData(View):
    """What was kept of the browser, where the caller asked for it (3.3)."""

    cookies: list[dict[str, Any]]


class TaskError(Message):
    """Why a task failed: ours, the documents know no such member."""

    model_config = ConfigDict(extra="ignore")

    code: str
    message: str
    retry_after: int | None = Field(
        None,
        validation_alias="retryAfter",
        exclude_if=lambda seconds: seconds is None,
        description="Seconds to wait before it is tried again, where that is known.",
    )


class TaskView(View):
    """One task (3.3)."""

    id: str
    task: str
    status: Status
    created_at: Moment
    steps: list[StepView]
    output: str | None = Field(description="Text, or with `structured_output_json` a JSON text that satisfies it.")
    live_url: str | None = Field(description="A page that shows and controls the browser; null once the task ended.")
    finished_at: Moment | None
    browser_data: BrowserData | None = Field(description="Only with `save_browser_data`.")
    user_uploaded_files: list[str] | None
    output_files: list[str] | None
    public_share_url: str | None
    metadata: dict[str, Any] | None
    error: TaskError | None = Field(
        None, exclude_if=lambda error: error is None, description="Only there when the task failed."
    )


class TaskItem(View):
    """A task in a list (3.6)."""

    id: str
    task: str
    output: str | None
    status: Status
    created_at: Moment
    finished_at: Moment | None
    live_url: str | None


class TaskPage(Page):
    """GET /tasks (3.6)."""

    tasks: list[TaskItem]


def task_view(
    task: Task,
    steps: Sequence[Step],
    files: Sequence[Artifact],
    catalog: Catalog,
    *,
    live_url: str | None,
    share_url: str | None,
    browser_data: Mapping[str, Any] | None,
) -> TaskView:
    """One task. `files`: its output files."""
    uploads: list[str] = task.options.get("files", [])
    outputs = list(dict.fromkeys(file.name for file in files))
    return TaskView(
        **task_item(task, catalog, live_url=live_url).model_dump(),
        steps=[step_view(step) for step in steps],
        browser_data=BrowserData(cookies=browser_data["cookies"]) if browser_data is not None else None,
        user_uploaded_files=uploads or None,
        output_files=outputs or None,
        public_share_url=share_url,
        metadata=task.labels,
        error=TaskError.model_validate(task.error) if task.error is not None else None,
    )


def step_view(step: Step) -> StepView:
    """One step."""
    return StepView(
        id=step.id,
        step=step.sequence,
        evaluation_previous_goal=step.evaluation_previous_goal,
        next_goal=step.next_goal,
        url=step.url,
    )


def task_item(task: Task, catalog: Catalog, *, live_url: str | None) -> TaskItem:
    """A task in a list."""
    return TaskItem(
        id=task.id,
        task=wording(task, catalog),
        output=output_of(task),
        status=STATES[task.state],
        created_at=task.created_at,
        finished_at=task.finished_at,
        live_url=live_url,
    )


def output_of(task: Task) -> str | None:
    """What the task answered: text in every case (3.2)."""
    return task.result.get("output") if task.result is not None else None


def wording(task: Task, catalog: Catalog) -> str:
    """What was asked, in words: the caller's own, or what a platform's tool tells an agent."""
    own = task.parameters.get("task")
    if isinstance(own, str):
        return own
    try:
        tool = catalog.tool(task.platform, task.tool)
        return tool.goal(tool.parameters.model_validate(task.parameters))
    except (Failure, ValidationError):  # of an earlier version, whose tools were others
        return f"{task.platform}.{task.tool}"


def cut_to_text(value: Any) -> Any:
    """Numbers where texts belong are taken for their texts, as pydantic 1 did."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(cut_to_text)]
