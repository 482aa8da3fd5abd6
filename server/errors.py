"""Which HTTP status each failure has (contract 1.9, [rec]; RFC 9110 for the others)."""

from __future__ import annotations

from tools.errors import (
    AccountNotFound,
    AuthenticationFailed,
    BodyTooLarge,
    BrowserFailed,
    ChallengeRequired,
    Conflict,
    DuplicateContent,
    Failure,
    Forbidden,
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
    # What a look at an account's login may come to: the site's fault, or the browser's.
    ChallengeRequired: 409,
    PlatformError: 502,
    BrowserFailed: 503,
    TimedOut: 504,
}


def status_of(failure: Failure) -> int:
    """The status of the nearest class that has one; 500 for what is our own fault."""
    return next((STATUSES[kind] for kind in type(failure).__mro__ if kind in STATUSES), 500)
