"""What to do about a task that failed, in words for people."""

from __future__ import annotations

from collections.abc import Mapping

_LOOK = "Look at the account on the site. When it did not happen there, create the task again."
_AGAIN = "Nothing was published. Create the task again."
_MODEL = "Mend the server's model settings: 'webhand doctor' says what is wrong. The engine 'lite' needs no model."

ADVICE: Mapping[str, str] = {
    "ACCOUNT_NOT_FOUND": "Connect the account, or choose another one.",
    "INVALID_PARAMETERS": "Correct what the message names, and create the task again.",
    "RATE_LIMITED": "Wait, then create the task again.",
    "TIMEOUT": "Nothing was published. Create the task again with more time, or make it smaller.",
    "PLATFORM_ERROR": "Look at the last screenshot. The engine 'full' may find a way where 'lite' does not.",
    "PAGE_CHANGED": "The site may look different by now. Try the engine 'full', which finds its own way, or put in new selectors.",
    "WRONG_PAGE": "Check the address that the task was given; the last screenshot shows where it led.",
    "SITE_UNREACHABLE": "The site did not answer. Create the task again in a while.",
    "DUPLICATE_CONTENT": "This text is published already. Change it, or allow duplicates for the task.",
    "CONTENT_REJECTED": "Change the text as the message says, and create the task again.",
    "AUTHENTICATION_FAILED": "Connect the account again, then create the task again.",
    "ACCOUNT_SUSPENDED": "Sort it out on the site itself, then connect the account again.",
    "UNAUTHORIZED": "Use a valid API key.",
    "FORBIDDEN": "Use an API key with that scope.",
    "TASK_NOT_FOUND": "The list of tasks shows the ones there are.",
    "PLATFORM_NOT_FOUND": "Use one of the platforms that the message names.",
    "NOT_FOUND": "The list of tasks shows what there is.",
    "CONFLICT": "Load the page again: the task has moved on.",
    "TASK_NOT_CANCELLABLE": "It has ended already.",
    "IDEMPOTENCY_KEY_REUSED": "Use a new key for a new task.",
    "CHALLENGE_REQUIRED": "The site wanted a person and nobody came. Create the task again, and stay near its live view.",
    "OUTCOME_UNCERTAIN": _LOOK,
    "INTERRUPTED": _AGAIN,
    "BROWSER_FAILED": f"{_AGAIN} When it fails again, run 'webhand doctor'.",
    "BLOCKED_BY_WALL": "The task wanted to leave the sites it may reach. Allow the host, or leave it out of the task.",
    "AGENT_FAILED": "Read why, say the task more exactly or in smaller parts, and create it again.",
    "AGENT_GAVE_UP": "Split the task into smaller ones, or allow more steps.",
    "MODEL_ERROR": "Create the task again. When it fails again, the model misbehaves: 'webhand doctor' tries it.",
    "MODEL_UNAVAILABLE": _MODEL,
    "MODEL_UNAUTHORIZED": _MODEL,
    "MODEL_RATE_LIMITED": "The model is asked too often. Wait, then create the task again.",
    "MODEL_CONTEXT_EXCEEDED": "Split the task into smaller ones.",
    "MODEL_OUTPUT_TRUNCATED": "Split the task into smaller ones.",
    "MODEL_REFUSED": "The model refuses this. Say it differently; what it refuses on principle will not work.",
    "BUDGET_EXCEEDED": "Allow a larger budget, or make the task smaller.",
    "DATABASE_UNAVAILABLE": "Wait a moment, then look whether the task is there; when it is not, create it again.",
    "INTERNAL_ERROR": "This is a defect. The server's log has the details.",
}
"""By code."""


def advice(code: str, retry_after: int | None = None) -> str:
    """What to do about that code."""
    if retry_after is not None:
        return f"Wait {waiting(retry_after)}, then create the task again."
    return ADVICE.get(code, ADVICE["INTERNAL_ERROR"])


def waiting(seconds: int) -> str:
    """A time to wait, as people say it."""
    if seconds < 120:
        return f"{seconds} seconds"
    return f"{round(seconds / 60)} minutes" if seconds < 7200 else f"{round(seconds / 3600)} hours"
