"""GET /questions/<id>: the page that a client sends its user to when a task or a sign-in needs a person (MCP's elicitation in URL mode).

Its address says nothing and opens nothing. Who types the code that came beside it is led to the task's live view or to the sign-in; who is
logged in to the dashboard needs none.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from server.codes import Codes, pause
from server.dashboard.door import guarded, make_sure_ours, path_of, templates
from server.dashboard.sessions import visitor
from server.errors import status_of
from server.state import reach
from tools.errors import Failure, Forbidden

_WRONG = (
    "That is not the code of an open question. It stands beside the address, and ends when the question is answered."
)
_templates = templates("sign_in")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a question is answered. `question`: whose code leads there."""

    question: str
    path: str


async def page(request: Request) -> Response:
    """Asks for the code. Whoever is logged in and may go on is led on."""
    caller = await visitor(request)
    about = request.path_params["id"]
    if caller is None:
        return _asked(request)
    state = reach(request)
    try:
        attempt = state["sign_ins"].find(about)
        if attempt is None:
            await state["tasks"].get(caller, about)
            return guarded(RedirectResponse(f"/tasks/{about}", 303))
        caller.need("write")
        await state["sign_ins"].allow(caller, attempt)
        return guarded(RedirectResponse(path_of(state["sign_ins"].link(attempt)), 303))
    except Failure:
        return _asked(request)


async def answer(request: Request) -> Response:
    """Leads on whoever has the code. What there is not is answered as a wrong code is."""
    state = reach(request)
    try:
        make_sure_ours(request, state["public_url"])
    except Forbidden as failure:
        return _asked(request, failure.message, status_of(failure))
    typed = str((await request.form()).get("code", ""))
    place = await _place(request)
    if place is None or not Codes(state["signer"]).fits(place.question, typed):
        return _asked(request, _WRONG, 403)
    return guarded(RedirectResponse(place.path, 303))


async def _place(request: Request) -> Place | None:
    state, about = reach(request), request.path_params["id"]
    attempt = state["sign_ins"].find(about)
    if attempt is not None:
        return Place(attempt.id, path_of(state["sign_ins"].link(attempt)))
    task = await state["tasks"].waiting(about)
    if task is None or task.pause_reason == "approval":  # that takes a key
        return None
    return Place(pause(task), path_of(state["links"].live(task)))


def _asked(request: Request, wrong: str = "", status: int = 200) -> Response:
    shown = _templates.get_template("code.html").render(here=request.url.path, wrong=wrong)
    return guarded(HTMLResponse(shown, status))


QUESTION_ROUTES: list[BaseRoute] = [
    Route("/questions/{id}", page, methods=["GET"]),
    Route("/questions/{id}", answer, methods=["POST"]),
]
