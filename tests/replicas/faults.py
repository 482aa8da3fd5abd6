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
    LATE = "publishing answered late"
    CLOSED = "tab closed"
    CLOSED_AFTER = "tab closed after the answer"
    TRANSLATED = "another language"
    FAKE_TOAST = "toast that links to another's post"
    OTHER_TEXT = "another text under the number"
    OTHER_AUTHOR = "published under another name"
    NEW_TAB = "new tab"
    SWITCHED = "account switched"
    SIGNED_OUT = "account logged out"
    RENEWED = "editor drawn anew"
    REORDERED = "page reordered"
    SECOND_SEND = "second button that sends"
    SEND_MOVED = "button that sends renamed"
    COVERED = "modal over the page"


MEANWHILE = tuple(Fault)[tuple(Fault).index(Fault.NEW_TAB) :]
"""What the page does at the last moment: after the publishing act was armed, before the click."""
