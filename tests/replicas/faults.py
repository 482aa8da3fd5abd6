"""What a replica can be told to do wrong."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """One misbehaviour each; a replica may show several at once."""

    SLOW = "slow"
    SILENT_DROP = "silent drop"
    MOVED = "moved selector"
    DUPLICATE = "duplicate refused"
    RATE_LIMIT = "rate limit with a number"
    RATE_LIMIT_BARE = "rate limit without a number"
    LOGGED_OUT = "logged out"
    WRONG_ACCOUNT = "wrong account logged in"
    CHALLENGE = "challenge"
    LOCKED = "lock banner"
    REVIEW = "hidden by review"
    BLANK = "hidden without a word"
    ERRORS = "answer 200 with errors"
    CUT = "network cut after the click"
    REJECTED = "text refused"
    NO_RIGHTS = "no right to write"
    NO_ANSWER = "answer at an unknown address"
    PARTIAL = "errors beside a made post"
    CHALLENGE_AFTER = "challenge after the click"
    FORBIDDEN = "publishing answered with 403"
    BROKEN = "publishing answered with 500"
    NONSENSE = "publishing answered with a page"
    LOGIN_AFTER = "publishing led to the login"
