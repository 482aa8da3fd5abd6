"""The web apps of a house: which paths there are, and what stands before them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount

from server.dashboard.door import guarded
from server.dashboard.page import nowhere
from server.dashboard.routes import dashboard_routes
from server.door import Door
from server.errors import handlers, status_of
from server.files import FILE_ROUTES
from server.health import HEALTH_ROUTES
from server.house import House
from server.questions import QUESTION_ROUTES
from server.rest.apis import BROWSERMAN_EXTRA, CLOUD_EXTRA, refuse_outside
from server.rest.browserman.routes import browserman_app
from server.rest.cloud.routes import cloud_app
from server.rest.reference import ROUTES as REFERENCE_ROUTES
from server.share import SHARE_ROUTES
from server.state import State
from tools.errors import Failure


def build_worker_app(house: House) -> Starlette:
    """What a process that only works answers: fronts that pass somebody's live view on, and whoever watches over it.

    The house is open while it answers.
    """
    routes = [*house.live.relayed_routes, *HEALTH_ROUTES]
    outside = handlers(refuse, refuse_outside)
    door = [Middleware(Door, refuse=refuse)]
    return Starlette(routes=routes, middleware=door, lifespan=knowing(house), exception_handlers=outside)


def knowing(house: House) -> Callable[[Starlette], AbstractAsyncContextManager[State]]:
    """An app's lifespan: its requests know what the house holds. Whoever serves opens the house, and learns what keeps it shut."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[State]:
        yield house.state

    return lifespan


async def refuse_lost(request: Request, error: Exception) -> Response:
    """What no route takes: a page for a person's browser, words for everybody else."""
    person = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    if person and isinstance(error, HTTPException) and error.status_code == 404:
        return guarded(nowhere(request))
    return await refuse_outside(request, error)


async def refuse(request: Request, failure: Exception) -> Response:
    """A failure outside the dialects, in plain words."""
    assert isinstance(failure, Failure)  # noqa: S101  # registered for nothing else
    headers = {"Retry-After": str(failure.retry_after)} if failure.retry_after is not None else None
    return await refuse_outside(request, HTTPException(status_of(failure), failure.message, headers))


def build_app(house: House) -> Starlette:
    """The web app of a house, which is open while it answers."""
    routes: list[BaseRoute] = [
        Mount("/api/v1", app=cloud_app(CLOUD_EXTRA)),
        Mount("/api", app=browserman_app(BROWSERMAN_EXTRA)),
        *REFERENCE_ROUTES,
        *FILE_ROUTES,
        *SHARE_ROUTES,
        *HEALTH_ROUTES,
        *house.mcp.routes(),
        *house.live.routes,
        *(house.live.relayed_routes if house.workshop is not None else ()),
        *house.sign_in_pages.routes,
        *QUESTION_ROUTES,
        *dashboard_routes(),
    ]
    middleware = [Middleware(Door, refuse=refuse)]
    if house.settings.cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=house.settings.cors_origins,
                allow_methods=["*"],
                allow_headers=["*"],
                expose_headers=[
                    "X-Request-Id",
                    "X-RateLimit-Limit",
                    "X-RateLimit-Remaining",
                    "X-RateLimit-Reset",
                    "Retry-After",
                    "ETag",
                    "Mcp-Session-Id",
                ],
            )
        )
    outside = handlers(refuse, refuse_lost)
    return Starlette(routes=routes, middleware=middleware, lifespan=knowing(house), exception_handlers=outside)
