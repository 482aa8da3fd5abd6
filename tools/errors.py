"""What can go wrong with a request or a task, each with the code that every facade shows.

The seven codes of the Tasks API (contract 1.7) come first; the others are ours.

    Failure
    ├── AccountNotFound        ACCOUNT_NOT_FOUND       no such account for that platform
    ├── InvalidParameters      INVALID_PARAMETERS      the request itself is wrong
    ├── RateLimited            RATE_LIMITED            too often; retry_after says when (seconds)
    ├── TimedOut               TIMEOUT                 the task's deadline passed
    ├── PlatformError          PLATFORM_ERROR          the site refused, or did not behave as known
    │   ├── PageChanged        PAGE_CHANGED            an element the playbook needs is not there
    │   ├── WrongPage          WRONG_PAGE              the site led somewhere else
    │   ├── Unreachable        SITE_UNREACHABLE        the site did not answer
    │   ├── DuplicateContent   DUPLICATE_CONTENT       the same text was already published
    │   └── ContentRejected    CONTENT_REJECTED        the site refused the text
    ├── AuthenticationFailed   AUTHENTICATION_FAILED   the login no longer holds: reconnect the account
    ├── AccountSuspended       ACCOUNT_SUSPENDED       the site locked or limited the account
    ├── Unauthorized           UNAUTHORIZED            missing or bad API key
    ├── Forbidden              FORBIDDEN               the key's scopes do not allow this
    ├── TaskNotFound           TASK_NOT_FOUND
    ├── PlatformNotFound       PLATFORM_NOT_FOUND
    ├── NotFound               NOT_FOUND               any other thing, or no such path
    ├── MethodNotAllowed       METHOD_NOT_ALLOWED
    ├── BodyTooLarge           PAYLOAD_TOO_LARGE
    ├── UnsupportedType        UNSUPPORTED_MEDIA_TYPE
    ├── Conflict               CONFLICT                the state does not allow it
    │   ├── NotCancellable     TASK_NOT_CANCELLABLE
    │   └── IdempotencyReused  IDEMPOTENCY_KEY_REUSED  same key, other request
    ├── ChallengeRequired      CHALLENGE_REQUIRED      the site wants a person, and none came
    ├── OutcomeUncertain       OUTCOME_UNCERTAIN       the publishing act went out and no proof came back
    ├── Interrupted            INTERRUPTED             the worker died or was stopped before anything was published
    ├── BrowserFailed          BROWSER_FAILED          Chromium died, froze or could not start
    ├── BlockedByWall          BLOCKED_BY_WALL         the task needs a host outside its allowed domains
    ├── AgentFailed            AGENT_FAILED            the agent itself says that it did not succeed
    │   └── AgentGaveUp        AGENT_GAVE_UP           too many steps or failures
    ├── ModelError             MODEL_ERROR             the model answered wrongly
    │   ├── ModelUnavailable   MODEL_UNAVAILABLE       not configured, or not reachable
    │   ├── ModelUnauthorized  MODEL_UNAUTHORIZED
    │   ├── ModelRateLimited   MODEL_RATE_LIMITED
    │   ├── ModelContext       MODEL_CONTEXT_EXCEEDED
    │   ├── ModelTruncated     MODEL_OUTPUT_TRUNCATED
    │   └── ModelRefused       MODEL_REFUSED
    ├── BudgetExceeded         BUDGET_EXCEEDED
    ├── DatabaseAway           DATABASE_UNAVAILABLE    our database does not answer, or takes nothing
    └── Internal               INTERNAL_ERROR          our fault; the log has the details under the request id
"""

# ruff: noqa: D404
# A failure's docstring is the message that callers read, and may begin with the word 'This'.
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar


class Failure(Exception):
    """Something went wrong in a way that has a name. The class docstring is the default message."""

    code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(
        self, message: str | None = None, *, retry_after: int | None = None, details: Mapping[str, object] | None = None
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.retry_after = retry_after
        self.details = dict(details or {})
        super().__init__(self.message)

    def as_error(self) -> dict[str, object]:
        """The error as every dialect carries it: code, message, and retryAfter (seconds) or details where known."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.retry_after is not None:
            error["retryAfter"] = self.retry_after
        if self.details:
            error["details"] = self.details
        return error


class AccountNotFound(Failure):
    """No such account for that platform."""

    code = "ACCOUNT_NOT_FOUND"

    @classmethod
    def named(cls, name: str, platform: str) -> AccountNotFound:
        """The message and details that contract 1.3 documents."""
        return cls(
            f"Account '{name}' not found for platform '{platform}'", details={"platform": platform, "accountName": name}
        )


class InvalidParameters(Failure):
    """The request is not valid."""

    code = "INVALID_PARAMETERS"


class RateLimited(Failure):
    """Too many requests: wait, then try again."""

    code = "RATE_LIMITED"


class TimedOut(Failure):
    """The task did not finish before its deadline."""

    code = "TIMEOUT"


class PlatformError(Failure):
    """The site refused the request or did not behave as known."""

    code = "PLATFORM_ERROR"


class PageChanged(PlatformError):
    """An element that the playbook needs is not on the page: the site may have changed."""

    code = "PAGE_CHANGED"


class WrongPage(PlatformError):
    """The site led to another page than the one asked for."""

    code = "WRONG_PAGE"


class Unreachable(PlatformError):
    """The site did not answer."""

    code = "SITE_UNREACHABLE"


class DuplicateContent(PlatformError):
    """The same text was already published by this account."""

    code = "DUPLICATE_CONTENT"


class ContentRejected(PlatformError):
    """The site refused the text."""

    code = "CONTENT_REJECTED"


class AuthenticationFailed(Failure):
    """The account is not logged in any more: reconnect it."""

    code = "AUTHENTICATION_FAILED"


class AccountSuspended(Failure):
    """The site has locked or limited this account: sort it out there, then reconnect it."""

    code = "ACCOUNT_SUSPENDED"


class Unauthorized(Failure):
    """A valid API key is needed: send it as 'Authorization: Bearer <key>' ('webhand key create NAME' makes one)."""

    code = "UNAUTHORIZED"


class Forbidden(Failure):
    """This API key's scopes do not allow that."""

    code = "FORBIDDEN"


class NotFound(Failure):
    """There is nothing at this path."""

    code = "NOT_FOUND"


class TaskNotFound(Failure):
    """Task not found."""

    code = "TASK_NOT_FOUND"


class PlatformNotFound(Failure):
    """No such platform: GET /api/platforms lists them."""

    code = "PLATFORM_NOT_FOUND"


class MethodNotAllowed(Failure):
    """There is no such method at this path."""

    code = "METHOD_NOT_ALLOWED"


class BodyTooLarge(Failure):
    """The request's body is too large."""

    code = "PAYLOAD_TOO_LARGE"


class UnsupportedType(Failure):
    """The body must be JSON: send 'Content-Type: application/json'."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class Conflict(Failure):
    """The present state does not allow that."""

    code = "CONFLICT"


class NotCancellable(Conflict):
    """Only a pending, processing or paused task can be cancelled."""

    code = "TASK_NOT_CANCELLABLE"


class IdempotencyReused(Conflict):
    """This Idempotency-Key was already used for another request: use a new key."""

    code = "IDEMPOTENCY_KEY_REUSED"


class ChallengeRequired(Failure):
    """The site asked for a person and none came in time: open the live view, or reconnect the account."""

    code = "CHALLENGE_REQUIRED"


class OutcomeUncertain(Failure):
    """The publishing act went out but no proof of it came back: look at the site before you try again."""

    code = "OUTCOME_UNCERTAIN"


class Interrupted(Failure):
    """The task was interrupted before anything was published: it is safe to create it again."""

    code = "INTERRUPTED"


class BrowserFailed(Failure):
    """The browser died, froze or could not start: try again; 'webhand doctor' checks the browser."""

    code = "BROWSER_FAILED"


class BlockedByWall(Failure):
    """The task needed a host outside its allowed domains: allow it, or change the task."""

    code = "BLOCKED_BY_WALL"


class AgentFailed(Failure):
    """The agent says that it did not succeed: look at its steps, then say the task more plainly."""

    code = "AGENT_FAILED"


class AgentGaveUp(AgentFailed):
    """The agent used up its steps or failed too often: allow more steps, or say the task more plainly."""

    code = "AGENT_GAVE_UP"


class ModelError(Failure):
    """The language model did not give a usable answer: try again, or use another model."""

    code = "MODEL_ERROR"


class ModelUnavailable(ModelError):
    """No language model can be reached: check WEBHAND_LLM_BASE_URL and WEBHAND_LLM_MODEL."""

    code = "MODEL_UNAVAILABLE"


class ModelUnauthorized(ModelError):
    """The language model refused the key: check WEBHAND_LLM_API_KEY."""

    code = "MODEL_UNAUTHORIZED"


class ModelRateLimited(ModelError):
    """The language model is rate limited: wait, then try again."""

    code = "MODEL_RATE_LIMITED"


class ModelContext(ModelError):
    """The page was too large for the language model's context: use a model with a larger one, or make the task smaller."""

    code = "MODEL_CONTEXT_EXCEEDED"


class ModelTruncated(ModelError):
    """The language model's answer was cut off: raise its output limit, or make the task smaller."""

    code = "MODEL_OUTPUT_TRUNCATED"


class ModelRefused(ModelError):
    """The language model refused the task: say it differently, or use another model."""

    code = "MODEL_REFUSED"


class BudgetExceeded(Failure):
    """The task's budget is used up: raise it, or make the task smaller."""

    code = "BUDGET_EXCEEDED"


class DatabaseAway(Failure):
    """Webhand's database cannot be used right now: try again in a moment, with the same idempotency key where there was one."""

    code = "DATABASE_UNAVAILABLE"


class Internal(Failure):
    """Something went wrong inside Webhand: the log has the details under this request id."""

    code = "INTERNAL_ERROR"


def every_failure(root: type[Failure] = Failure, *, elsewhere: bool = False) -> Iterator[type[Failure]]:
    """Each failure of this module below `root`; those that are defined elsewhere (they share these codes) only if wished."""
    for child in root.__subclasses__():
        if elsewhere or child.__module__ == __name__:
            yield child
            yield from every_failure(child, elsewhere=elsewhere)
