"""Whether the key is good and the server is there (3.11)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.door import enter
from server.state import reach
from tools.errors import Unauthorized


async def me(request: Request) -> Response:
    """GET /me: exactly `true`; with a bad key a 401 whose body is `false`."""
    try:
        await enter(request, "read")
    except Unauthorized:
        return JSONResponse(content=False, status_code=401, headers={"WWW-Authenticate": "Bearer"})
    return JSONResponse(content=True)


async def ping(_request: Request) -> Response:
    """GET /ping: no key is needed, and none is looked at."""
    return JSONResponse({})


async def health_check(request: Request) -> Response:
    """GET /health-check: whether the database answers."""
    if await reach(request)["database"].answers():
        return JSONResponse({})
    return JSONResponse({"detail": "The database does not answer."}, 503)
