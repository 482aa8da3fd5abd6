"""Every failure has a code, a message and a place in the documented tree."""

from __future__ import annotations

import re

import pytest

import tools.errors
from tools.errors import AccountNotFound, Failure, RateLimited, every_failure

FAILURES = list(every_failure())
every = pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.__name__)


def test_every_code_belongs_to_one_failure() -> None:
    codes = [failure.code for failure in FAILURES]
    assert len(set(codes)) == len(codes)


def test_the_documented_codes_of_the_tasks_api_are_there() -> None:
    documented = {
        "ACCOUNT_NOT_FOUND",
        "INVALID_PARAMETERS",
        "RATE_LIMITED",
        "TIMEOUT",
        "PLATFORM_ERROR",
        "AUTHENTICATION_FAILED",
        "UNAUTHORIZED",
        "ACCOUNT_SUSPENDED",
    }
    assert documented <= {failure.code for failure in FAILURES}


@every
def test_the_tree_in_the_docstring_shows_the_failure_with_its_code(failure: type[Failure]) -> None:
    assert re.search(rf"─ {failure.__name__}\s+{failure.code}\b", tools.errors.__doc__ or "")


@every
def test_a_failure_says_in_a_sentence_what_happened(failure: type[Failure]) -> None:
    told = failure().as_error()
    assert told["code"] == failure.code
    assert (
        re.fullmatch(r"[A-Z].*[^.\s](\.|>'\.)", str(told["message"]), re.DOTALL) or str(told["message"])[-1].isalnum()
    )
    assert str(failure()) == told["message"]


def test_an_error_carries_its_wait_and_details_only_when_known() -> None:
    assert RateLimited("Slow down.").as_error() == {"code": "RATE_LIMITED", "message": "Slow down."}
    assert RateLimited("Slow down.", retry_after=0, details={"limit": 3}).as_error() == {
        "code": "RATE_LIMITED",
        "message": "Slow down.",
        "retryAfter": 0,
        "details": {"limit": 3},
    }


def test_an_unknown_account_is_told_in_the_documented_words() -> None:
    assert AccountNotFound.named("main", "twitter").as_error() == {
        "code": "ACCOUNT_NOT_FOUND",
        "message": "Account 'main' not found for platform 'twitter'",
        "details": {"platform": "twitter", "accountName": "main"},
    }
