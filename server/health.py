"""Whether the server lives, whether it can work, and what it counts: /healthz, /readyz and /metrics.

They tell no secrets, so they need no key; put them behind the proxy's own rules where even counts are private.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from server.state import reach


async def healthz(_request: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n")


async def readyz(request: Request) -> Response:
    """The database answers and is not a newer Webhand's, tasks can be queued, and where there is to be a worker, it is there and no other
    can think it dead: else 503.
    """
    state = reach(request)
    workshop = state["workshop"]
    works = workshop is None or (workshop.worker is not None and workshop.worker.holds_lease())
    answers = await state["database"].answers()
    checks = {
        "database": answers,
        "version": answers and not await state["database"].outgrown(),
        "queue": state["queue"].is_open,
        "worker": works,
    }
    return JSONResponse(checks, 200 if all(checks.values()) else 503)


async def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    from server.metrics import MEDIA_TYPE, exposition  # a tenth of a second that no start needs

    return Response(await exposition(reach(request)), media_type=MEDIA_TYPE)


HEALTH_ROUTES = (Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics))
