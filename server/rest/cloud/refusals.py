"""What goes back when a request cannot be answered: `{"detail": "..."}`, and for a 422 the complaints (3.1)."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.door import BodyTooLarge, UnsupportedType
from server.errors import STATUSES as USUAL
from server.rest.cloud.balance import InsufficientCredits
from server.rest.cloud.parsing import Unprocessable
from server.rest.cloud.search import NoSearchPage, SiteUnreadable
from tools.errors import Conflict, Failure, IdempotencyReused, InvalidParameters, TaskNotFound

STATUSES: Mapping[type[Failure], int] = {
    **USUAL,
    InvalidParameters: 422,
    IdempotencyReused: 409,
    Conflict: 400,
    InsufficientCredits: 402,
    BodyTooLarge: 413,
    UnsupportedType: 415,
    NoSearchPage: 501,
    SiteUnreadable: 502,
}
"""The usual statuses, and where this dialect has another one."""


def status_of(failure: type[Failure]) -> int:
    """The HTTP status of a failure: of the nearest class that has one; 500 for what is our own fault."""
    return next((STATUSES[kind] for kind in failure.__mro__ if kind in STATUSES), 500)


async def refuse(_request: Request, failure: Exception) -> Response:
    """A failure in this dialect's words."""
    assert isinstance(failure, Failure)  # noqa: S101  # registered for nothing else
    status = status_of(type(failure))
    headers = {"Retry-After": str(failure.retry_after)} if failure.retry_after is not None else {}
    if status == 401:  # RFC 9110
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(failure, InvalidParameters):
        return JSONResponse({"detail": complaints(failure)}, status, headers)
    return JSONResponse({"detail": words(failure)}, status, headers)


def words(failure: Failure) -> str:
    """What is said: the documented text where there is one."""
    return "Task not found" if isinstance(failure, TaskNotFound) else failure.message


def complaints(failure: InvalidParameters) -> object:
    """The complaints of a failure, also of one that comes from below and names its field in its details."""
    if isinstance(failure, Unprocessable):
        return failure.complaints
    return [{"loc": where(failure), "msg": failure.message, "type": "value_error"}]


def where(failure: InvalidParameters) -> list[str]:
    """Which part of the request a failure from below is about."""
    if "header" in failure.details:
        return ["header", str(failure.details["header"]).lower()]
    field = failure.details.get("field")
    return ["body", field] if isinstance(field, str) else ["body"]


async def refuse_http(_request: Request, error: Exception) -> Response:
    """What the router itself refuses: no such path, no such method."""
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    return JSONResponse({"detail": error.detail}, error.status_code, dict(error.headers or {}))
