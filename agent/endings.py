"""What a run's end is called: which failure a caller reads, given what is known of the publishing act."""

from __future__ import annotations

import errno

from storage.tables import Task
from tools.errors import BrowserFailed, Failure, Internal, Interrupted, OutcomeUncertain, TimedOut


def lost_error(task: Task) -> dict[str, object]:
    """The error of a task whose run was lost: what it says depends on whether the publishing act may have gone out."""
    if task.armed_at is not None:
        return OutcomeUncertain(
            "The run ended while the publishing act was going out, so it may or may not have happened: "
            "look at the site before you try again."
        ).as_error()
    return Interrupted().as_error()


def uncertain(task: Task, failure: Failure) -> Failure:
    """The failure, unless it says nothing of an act that may have gone out: callers make such a call again."""
    if task.armed_at is None or not isinstance(failure, BrowserFailed | Internal | Interrupted):
        return failure
    return OutcomeUncertain(
        f"The run failed after the publishing act was armed, so it may or may not have happened ({failure.message}) "
        "Look at the site before you try again."
    )


def broken(error: Exception) -> Failure:
    """What a defect is called. A full disk is none, and has its own sentence."""
    if (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}) or "disk is full" in str(error):
        return Internal("The disk of the data folder is full: make room, then try again.")
    return Internal()


def timed_out(task: Task) -> Failure:
    """The failure of a task whose deadline passed."""
    if task.armed_at is not None:
        return OutcomeUncertain(
            f"The task took longer than {task.timeout_ms} ms and was stopped after the publishing act went out: "
            "look at the site before you try again."
        )
    more = "max_agent_steps" if task.dialect in {"cloud", "schedule"} else "timeout"  # contract 3.2 knows no time-out
    return TimedOut(f"The task did not finish within {task.timeout_ms} ms: raise '{more}', or make the task smaller.")
