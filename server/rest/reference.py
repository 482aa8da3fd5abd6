"""Where the OpenAPI documents are served."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

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


ROUTES = [Route("/openapi.json", everything)]
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
