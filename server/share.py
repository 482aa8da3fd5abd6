"""The public page of a shared task (contract 3.8): what was asked, each step with its picture, and what came of it.

Whoever has the link may read it, until the task is unshared. It shows neither cookies nor secrets, neither metadata nor the account,
and of the addresses that were visited nothing after the path, which may hold a token. Its pictures are under the same link, so that
they end with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from server.files import sent
from server.rest.cloud.wire import output_of, wording
from server.state import reach
from server.words import outcome, readable
from storage.states import TaskState
from storage.tables import Step, Task
from tools.errors import TaskNotFound

PAGES = Path(__file__).parent / "pages" / "share"
WORDS: Mapping[TaskState, str] = {
    TaskState.PENDING: "Waiting",
    TaskState.PROCESSING: "Working",
    TaskState.PAUSED: "Paused",
    TaskState.COMPLETED: "Done",
    TaskState.FAILED: "Failed",
    TaskState.TIMEOUT: "Timed out",
    TaskState.CANCELLED: "Stopped",
}
"""Every state in a word for people."""
_GUARD = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}
_LONG_TASK = 400
_templates = Environment(
    loader=FileSystemLoader(PAGES), autoescape=select_autoescape(default=True), trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A step, as the page shows it."""

    number: int
    goal: str
    outcome: str
    address: str
    picture: str | None


async def page(request: Request) -> Response:
    """GET /share/{token}."""
    state = reach(request)
    try:
        task = await state["tasks"].shared(request.path_params["token"])
    except TaskNotFound:
        return unknown()
    steps = await state["tasks"].steps(task)
    wanted = wording(task, state["catalog"])
    content = _templates.get_template("task.html").render(
        wanted=wanted,
        folded=len(wanted) > _LONG_TASK,
        title=wanted.strip().splitlines()[0][:80],
        state=task.state.value,
        word=WORDS[task.state],
        ended=task.state.final,
        began=moment(task.created_at),
        took=took(task),
        output=readable(output) if (output := output_of(task)) is not None else None,
        error=(task.error or {}).get("message"),
        steps=shown(steps, request.path_params["token"]),
    )
    return HTMLResponse(content, headers=_GUARD)


async def picture(request: Request) -> Response:
    """GET /share/{token}/{picture}: a screenshot of the shared task, and nothing else of it."""
    state = reach(request)
    try:
        task = await state["tasks"].shared(request.path_params["token"])
    except TaskNotFound:
        return unknown()
    artifact = await state["artifacts"].get(request.path_params["picture"])
    if artifact is None or artifact.task_id != task.id or artifact.kind != "screenshot":
        return unknown()
    return await sent(state["artifacts"], artifact, "", "no-store")


async def style(_request: Request) -> Response:
    """GET /share/share.css."""
    return FileResponse(PAGES / "share.css", headers={"Cache-Control": "public, max-age=3600"})


def unknown() -> Response:
    """The page of a link that leads nowhere, or nowhere any more."""
    return HTMLResponse(_templates.get_template("unknown.html").render(), 404, headers=_GUARD)


def shown(steps: Sequence[Step], token: str) -> list[Shown]:
    """The steps for the page."""
    return [
        Shown(
            number=step.sequence,
            goal=step.next_goal,
            outcome=outcome(step, following),
            address=address(step.url),
            picture=f"/share/{token}/{step.screenshot_id}" if step.screenshot_id else None,
        )
        for step, following in zip(steps, [*steps[1:], None], strict=False)
    ]


def address(url: str) -> str:
    """Host and path of a URL: what follows them may hold a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.hostname}{parts.path}" if parts.scheme in {"http", "https"} and parts.hostname else ""


def took(task: Task) -> str | None:
    """How long it took, pauses included."""
    if task.started_at is None or task.finished_at is None:
        return None
    seconds = round((task.finished_at - task.started_at).total_seconds())
    return f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"


def moment(when: datetime) -> Mapping[str, str]:
    """A moment for people and for machines."""
    return {"shown": when.strftime("%d %B %Y, %H:%M UTC").lstrip("0"), "machine": when.isoformat()}


SHARE_ROUTES = (
    Route("/share/share.css", style),
    Route("/share/{token}", page),
    Route("/share/{token}/{picture}", picture),
)
"""To be mounted at the root."""
