"""Where the OpenAPI documents are served, and the page that shows them: Swagger UI from our own server, no CDN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from server.rest.documents import Documents
from server.rest.endpoint import Endpoint
from server.state import reach


async def everything(request: Request) -> Response:
    """GET /openapi.json."""
    return _documents(request).everything.answer(request)


async def cloud(request: Request) -> Response:
    """GET /api/v1/openapi.json."""
    return _documents(request).cloud.answer(request)


async def platforms(request: Request) -> Response:
    """GET /api/platforms/schema: the bare document, without the envelope."""
    return _documents(request).platforms.answer(request)


def _documents(request: Request) -> Documents:
    return reach(request)["documents"]


async def page(_request: Request) -> Response:
    """GET /docs."""
    return FileResponse(PAGES / "docs.html", headers=_HEADERS)


PAGES = Path(__file__).parent.parent / "pages" / "docs"
SWAGGER_UI = Path(__file__).parent.parent / "static" / "swagger-ui"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

ROUTES: list[BaseRoute] = [
    Route("/openapi.json", everything),
    Route("/docs", page),
    Mount("/static/docs", StaticFiles(directory=PAGES)),
    Mount("/static/swagger-ui", StaticFiles(directory=SWAGGER_UI, check_dir=False)),
]
API_DOCUMENT = Endpoint(
    method="GET",
    path="/openapi.json",
    handler=cloud,
    scope=None,
    summary="This document",
    tag="Documents",
    answer=dict[str, Any],
)
PLATFORMS_DOCUMENT = Endpoint(
    method="GET",
    path="/platforms/schema",
    handler=platforms,
    scope="read",
    summary="Get every action's schema",
    description="An OpenAPI document of all platforms and actions, without the envelope.",
    tag="Platforms",
    answer=dict[str, Any],
    bare=True,
)
