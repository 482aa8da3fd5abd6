"""What to do next, in a sentence for the model: after every state and every error, so that nobody has to read documents first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.states import TaskState
from storage.tables import Task

_AGAIN_LATER = "Wait, then make the call again."
_LOOK = "Do not repeat the call: look at the site first, or let the user look. task_get with screenshot=true shows the last page."
_NOT_EVEN_FULL = (
    "The agent found no way either: task_get with screenshot=true shows the last page. Tell the user what it says."
)
_NO_MODEL = (
    "The user must mend the server's model settings ('webhand doctor' says how). A platform's own tool with "
    "preferredEngine='lite' needs no model."
)

AFTER: Mapping[str, str] = {
    "ACCOUNT_NOT_FOUND": "account_list shows the names that exist; a new account is made by the user with 'webhand account add'.",
    "INVALID_PARAMETERS": "Correct these arguments and make the call again.",
    "RATE_LIMITED": _AGAIN_LATER,
    "TIMEOUT": "Nothing was published. Make the call again with a larger timeout (ms), or ask for less.",
    "PLATFORM_ERROR": "Try preferredEngine='full', which finds its own way on the page, or tell the user.",
    "PAGE_CHANGED": "The site may look new: try preferredEngine='full', which finds its own way on the page.",
    "WRONG_PAGE": "Check the address that you gave; task_get with screenshot=true shows where it led.",
    "SITE_UNREACHABLE": "The site does not answer: wait a minute, then make the call again.",
    "DUPLICATE_CONTENT": "Do not send it again: it is published, or about to be. Another text goes through, or allowDuplicate=true.",
    "CONTENT_REJECTED": "Change the text as the message says, then make the call again.",
    "AUTHENTICATION_FAILED": (
        "The user must sign the account in again ('webhand account connect', or the dashboard). Then make the call again."
    ),
    "ACCOUNT_SUSPENDED": "Stop: the user must sort this out on the site itself.",
    "UNAUTHORIZED": "The user must put a valid API key into this client's configuration.",
    "FORBIDDEN": "The user must use a key with that scope, or another connection.",
    "TASK_NOT_FOUND": "task_list shows the tasks that there are.",
    "PLATFORM_NOT_FOUND": "Use one of the platforms that the message names.",
    "NOT_FOUND": "task_list and account_list show what there is.",
    "METHOD_NOT_ALLOWED": "Use the tools that tools/list names.",
    "PAYLOAD_TOO_LARGE": "Send less in one call.",
    "UNSUPPORTED_MEDIA_TYPE": "Send JSON.",
    "CONFLICT": "task_get shows the task's present state.",
    "TASK_NOT_CANCELLABLE": "It has ended already: task_get shows how.",
    "IDEMPOTENCY_KEY_REUSED": "Use a new idempotency_key for a new call; the old one still belongs to its first call.",
    "CHALLENGE_REQUIRED": "Make the call again when the user is there, and let them solve it at the task's live_url.",
    "OUTCOME_UNCERTAIN": _LOOK,
    "INTERRUPTED": "Nothing was published: make the call again.",
    "BROWSER_FAILED": "Nothing was published: make the call again; if it fails again, tell the user to run 'webhand doctor'.",
    "BLOCKED_BY_WALL": "Add the host to allowedDomains where the tool has it, or leave it out of the task.",
    "AGENT_FAILED": "Read why, say the task more exactly or in smaller parts, then make the call again.",
    "AGENT_GAVE_UP": "Split the task into smaller ones, or allow more with maxSteps, then make the call again.",
    "MODEL_ERROR": "Make the call again; if it fails again, tell the user that the server's model misbehaves.",
    "MODEL_UNAVAILABLE": _NO_MODEL,
    "MODEL_UNAUTHORIZED": _NO_MODEL,
    "MODEL_RATE_LIMITED": _AGAIN_LATER,
    "MODEL_CONTEXT_EXCEEDED": "Split the task into smaller ones.",
    "MODEL_OUTPUT_TRUNCATED": "Split the task into smaller ones.",
    "MODEL_REFUSED": "Say the task differently; what the model refuses on principle will not work.",
    "BUDGET_EXCEEDED": "Tell the user: the task needs a larger budget, or must become smaller.",
    "DATABASE_UNAVAILABLE": _AGAIN_LATER,
    "INTERNAL_ERROR": "This is a defect of the server: tell the user, whose log has the details. Do not repeat the call at once.",
}
"""By code: what mends it."""
NEW_KEY = "Made again, it needs a new idempotency_key: this one keeps giving back what came of its first call."
_MOST_NAMES = 20


def after_error(code: str, retry_after: int | None = None, *, task_id: str | None = None) -> str:
    """What to do after an error of that code."""
    hint = AFTER.get(code, AFTER["INTERNAL_ERROR"])
    if retry_after is not None:
        hint = f"Wait {retry_after} seconds, then make the call again."
    if task_id is not None and code == "DUPLICATE_CONTENT":
        hint = f"task_get with task_id='{task_id}' shows what became of it. {hint}"
    return hint


def after_state(task: Task) -> str | None:
    """What to do about a task as it stands; None when there is nothing left to do. What a pause needs, its question says."""
    if task.error is not None:
        hint = after_error(str(task.error.get("code")), task.error.get("retryAfter"))
        return _NOT_EVEN_FULL if task.engine == "full" and "preferredEngine='full'" in hint else hint
    match task.state:
        case TaskState.PENDING | TaskState.PROCESSING:
            return f"{keep_asking(task)} Do not repeat the call."
        case TaskState.PAUSED:
            return f"It is paused: task_resume lets it go on, task_cancel ends it. Until then: {keep_asking(task)}"
        case TaskState.CANCELLED:
            return "It was stopped on purpose. Only if the user wants it after all: a new call, with a new idempotency_key if any."
        case TaskState.COMPLETED if task.options.get("dry_run"):
            return "This was a dry run, nothing was published: task_get with screenshot=true shows the filled page."
        case _:
            return None


def keep_asking(task: Task) -> str:
    """How to wait for a task."""
    return f"Call task_get with task_id='{task.id}' and wait_seconds=45 until it has ended."


def never_begins(task: Task, trouble: str) -> str:
    """What to do about a task that waits for a worker which there is not."""
    return (
        f"It does not begin: {trouble}. Tell the user: 'webhand doctor' says more, and once it is mended and this server is "
        f"started again the task is carried out. task_cancel with task_id='{task.id}' takes it back."
    )


def of_account(names: list[str], platform: str) -> str:
    """What to do when an account is missing or was not named."""
    if not names:
        return f"There is no account for {platform} yet: the user makes one with 'webhand account add {platform} NAME'."
    more = f" and {len(names) - _MOST_NAMES} more (account_list)" if len(names) > _MOST_NAMES else ""
    return f"Set accountName to one of: {', '.join(names[:_MOST_NAMES])}{more}."


def is_whole_at(task: Task) -> str:
    """Where a result is that had to be cut."""
    return f"The result is cut here; the resource task://{task.id} has all of it."


def details_task(details: Mapping[str, Any]) -> str | None:
    """The task that an error is about."""
    found = details.get("taskId")
    return found if isinstance(found, str) else None
