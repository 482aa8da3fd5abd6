"""Which HTTP status each failure has (contract 1.9, [rec]; RFC 9110 for the others), and what becomes of exceptions that are none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from storage.database import AWAY, is_away, reason
from tools.errors import (
    AccountNotFound,
    AuthenticationFailed,
    BodyTooLarge,
    BrowserFailed,
    ChallengeRequired,
    Conflict,
    DatabaseAway,
    DuplicateContent,
    Failure,
    Forbidden,
    Internal,
    InvalidParameters,
    MethodNotAllowed,
    ModelUnavailable,
    NotFound,
    PlatformError,
    PlatformNotFound,
    RateLimited,
    TaskNotFound,
    TimedOut,
    Unauthorized,
    UnsupportedType,
)

_AGAIN_S = 2
_TOLD = "webhand_told"
_log = structlog.get_logger(__name__)

STATUSES: dict[type[Failure], int] = {
    InvalidParameters: 400,
    Unauthorized: 401,
    Forbidden: 403,
    AccountNotFound: 404,
    TaskNotFound: 404,
    PlatformNotFound: 404,
    NotFound: 404,
    MethodNotAllowed: 405,
    BodyTooLarge: 413,
    UnsupportedType: 415,
    Conflict: 409,
    DuplicateContent: 409,
    AuthenticationFailed: 409,
    RateLimited: 429,
    ModelUnavailable: 503,
    DatabaseAway: 503,
    # What a look at an account's login may come to: the site's fault, or the browser's.
    ChallengeRequired: 409,
    PlatformError: 502,
    BrowserFailed: 503,
    TimedOut: 504,
}


def status_of(failure: Failure) -> int:
    """The status of the nearest class that has one; 500 for what is our own fault."""
    return next((STATUSES[kind] for kind in type(failure).__mro__ if kind in STATUSES), 500)


def unforeseen(error: Exception) -> DatabaseAway | Internal:
    """What an exception that no code foresaw is to a caller: the log says more, once; the caller hears whether to come back."""
    told = any(hasattr(one, _TOLD) for one in (error, error.__cause__))  # by an app inside, which raised it on
    setattr(error, _TOLD, True)
    if is_away(error):
        if not told:
            _log.warning("database.away", error=reason(error))
        return DatabaseAway(retry_after=_AGAIN_S)
    if not told:
        _log.error("request.broke", exc_info=error)
    return Internal()


Refusing = Callable[[Request, Exception], Awaitable[Response]]


def handlers(refuse: Refusing, refuse_http: Refusing) -> dict[Any, ExceptionHandler]:
    """How an app answers whatever is raised in it, in its own words: `refuse` has those for a Failure, `refuse_http` for the router's."""

    async def leave(_request: Request, _error: Exception) -> Response:
        return Response(status_code=400)  # to nobody: the client went away in the middle of its request

    async def refuse_away(request: Request, error: Exception) -> Response:
        if not is_away(error):
            raise error
        return await refuse(request, unforeseen(error))

    async def refuse_defect(request: Request, error: Exception) -> Response:
        return await refuse(request, unforeseen(error))

    return {
        Failure: refuse,
        ClientDisconnect: leave,
        HTTPException: refuse_http,
        Exception: refuse_defect,
        **dict.fromkeys(AWAY, refuse_away),
    }
