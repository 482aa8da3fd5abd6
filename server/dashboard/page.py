"""What every page of the dashboard is made with: the templates, who looks at it, and pages that say what went wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from server.auth import Caller
from server.dashboard.door import templates
from server.dashboard.views import ago
from server.errors import status_of
from tools.errors import Failure


def _environment() -> Any:
    made = templates("dashboard")
    made.filters["ago"] = ago
    made.filters["moment"] = moment
    return made


def moment(when: datetime) -> str:
    """A moment for people."""
    return f"{when.astimezone(UTC):%d %b %Y, %H:%M:%S} UTC".lstrip("0")


_templates = _environment()


def shown(request: Request, caller: Caller | None, name: str, /, *, status: int = 200, **context: Any) -> Response:
    """A page."""
    html = _templates.get_template(name).render(
        caller=caller,
        may_write=caller is not None and bool({"write", "admin"} & caller.scopes),
        here=request.url.path,
        now=datetime.now(UTC),
        **context,
    )
    return HTMLResponse(html, status)


def part(name: str, /, **context: Any) -> str:
    """A part of a page, as its script puts it in the place of the old one."""
    return _templates.get_template(name).render(now=datetime.now(UTC), **context).strip()


def nowhere(request: Request) -> Response:
    """The page of an address that leads nowhere."""
    return shown(
        request, None, "problem.html", status=404, title="Not found", message="There is no such page.", code="NOT_FOUND"
    )


def problem(request: Request, failure: Failure) -> Response:
    """What went wrong, as a page."""
    status = status_of(failure)
    title = {403: "Not allowed", 404: "Not found", 409: "That does not go now", 429: "Too often"}.get(
        status, "That did not work"
    )
    return shown(request, None, "problem.html", status=status, title=title, message=failure.message, code=failure.code)
