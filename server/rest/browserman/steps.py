"""A task's steps in the Tasks API, as they happen. An addition: the contract's own views show progress alone (1.4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from server.rest.browserman.answers import Moment
from server.rest.browserman.inputs import parsed
from server.rest.browserman.views import iso, present, succeeded
from server.rest.endpoint import Endpoint, caller_of
from server.rest.message import Message
from server.state import reach
from storage.tables import Step
from tools.errors import TaskNotFound


class StepsQuery(Message):
    """GET /api/tasks/:taskId/steps may go on from where the caller was."""

    after: int = Field(0, ge=0, le=2**31, description="Only the steps after the one with this sequence.")


class StepDetail(TypedDict):
    """One step: a round of an agent, a stage of a playbook, or an act of a person."""

    sequence: Annotated[int, Field(ge=1, description="Without gaps.")]
    kind: Literal["agent", "stage", "person"]
    evaluationPreviousGoal: str
    nextGoal: str
    memory: NotRequired[str]
    url: str
    title: str
    actions: Annotated[list[dict[str, Any]], Field(description="What was done, without secrets.")]
    results: Annotated[list[dict[str, Any]], Field(description="What came of each action.")]
    duration: Annotated[int, Field(description="Milliseconds.")]
    tokens: int
    cost: Annotated[float, Field(description="US dollars.")]
    screenshotUrl: NotRequired[Annotated[str, Field(description="A signed URL, which needs no key and expires.")]]
    createdAt: Moment


class StepList(TypedDict):
    """A task's steps so far, in order."""

    taskId: str
    steps: list[StepDetail]


EXAMPLE: dict[str, Any] = {
    "taskId": "task_abc123",
    "steps": [
        {
            "sequence": 1,
            "kind": "stage",
            "evaluationPreviousGoal": "Nothing was done before.",
            "nextGoal": "Open the home page",
            "url": "https://x.com/home",
            "title": "Home / X",
            "actions": [{"goto": {"url": "https://x.com/home"}}],
            "results": [],
            "duration": 840,
            "tokens": 0,
            "cost": 0.0,
            "screenshotUrl": "https://webhand.example/files/task_abc123-step-1.png?token=...",
            "createdAt": "2024-01-15T10:30:03Z",
        }
    ],
}


def step_view(step: Step, screenshot: str | None) -> dict[str, Any]:
    """A step as the caller gets it."""
    view = {
        "sequence": step.sequence,
        "kind": step.kind,
        "evaluationPreviousGoal": step.evaluation_previous_goal,
        "nextGoal": step.next_goal,
        "memory": step.memory or None,
        "url": step.url,
        "title": step.title,
        "actions": step.actions,
        "results": step.results,
        "duration": step.duration_ms,
        "tokens": step.tokens,
        "cost": step.cost,
        "screenshotUrl": screenshot,
        "createdAt": iso(step.created_at),
    }
    return present(view)


async def list_steps(request: Request) -> Response:
    """GET /tasks/:taskId/steps."""
    query = parsed(StepsQuery, dict(request.query_params))
    state = reach(request)
    task = await state["tasks"].get(caller_of(request), request.path_params["task_id"])
    steps = await state["tasks"].steps(task, query.after)
    shots = {shot.id: shot for shot in await state["tasks"].files(task, "screenshot")}

    def screenshot(step: Step) -> str | None:
        shot = shots.get(step.screenshot_id or "")
        return state["links"].screenshot(shot) if shot is not None else None

    shown = [step_view(step, screenshot(step)) for step in steps]
    return JSONResponse(succeeded({"taskId": task.id, "steps": shown}))


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="GET",
        path="/tasks/{task_id}/steps",
        handler=list_steps,
        scope="read",
        summary="List a task's steps",
        tag="Tasks",
        query=StepsQuery,
        answer=StepList,
        examples={"One": EXAMPLE},
        errors=(TaskNotFound,),
    ),
)
