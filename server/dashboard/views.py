"""Tasks and accounts as the pages show them: plain values for the templates, made of rows. Everything in them is escaped there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from server.advice import advice
from server.auth import Caller
from server.dashboard.door import path_of
from server.links import Links
from server.sign_in.attempt import SignIn
from server.words import in_words, outcome, platform_name, readable
from storage.states import TaskState
from storage.tables import Account, Artifact, Step, Task
from tools.catalog import Catalog
from tools.errors import Failure, OutcomeUncertain

WORDS: Mapping[TaskState, str] = {
    TaskState.PENDING: "Waiting",
    TaskState.PROCESSING: "Running",
    TaskState.PAUSED: "Paused",
    TaskState.COMPLETED: "Completed",
    TaskState.FAILED: "Failed",
    TaskState.TIMEOUT: "Timed out",
    TaskState.CANCELLED: "Cancelled",
}
"""Every state in a word for people."""

UNCERTAIN = "uncertain"
"""How a failed task looks whose act may have been done all the same: to call that failed invites to do it twice."""

ASKED: Mapping[str, tuple[str, str]] = {
    "challenge": ("The site wants a person", "Take control below, do what the site asks, and press Continue there."),
    "sign_in": ("The account must be signed in", "Take control below, sign in, and press Continue there."),
    "two_factor": ("The site asks for a code", "Take control below, enter the code, and press Continue there."),
    "approval": ("This waits for approval", "Nothing has been done yet."),
    "budget": ("The task's budget is used up", "Resume it to let it go on, or stop it."),
    "take_over": ("A person is in control", "Resuming it here takes the control away from them."),
    "requested": ("Paused", "Resume it to let it go on."),
}
"""Why a task waits: a title, and what a person can do about it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and a value; a link where the value is an address of the web."""

    name: str
    value: str
    href: str | None = None


@dataclass(frozen=True, slots=True)
class StepView:
    """A finished step."""

    number: int
    kind: str
    goal: str
    outcome: str
    address: str
    moves: str
    took: str
    picture: str | None


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task at one moment."""

    id: str
    title: str
    action: str
    platform: str
    account: str | None
    engine: str
    state: str
    look: str
    """The state, or `uncertain`."""
    word: str
    ended: bool
    created: datetime
    started: datetime | None
    took: str
    progress: str
    percentage: int
    question: Mapping[str, str] | None
    output: str | None
    facts: Sequence[Fact]
    error: Mapping[str, str] | None
    dry_run: bool


def task_view(task: Task, catalog: Catalog, now: datetime) -> TaskView:
    """The task's own part of its page, and of the list."""
    result = task.result or {}
    return TaskView(
        id=task.id,
        title=title_of(task, catalog),
        action=in_words(task.tool),
        platform=platform_name(task.platform, catalog),
        account=task.account_name,
        engine=task.engine,
        state=task.state.value,
        look=look_of(task),
        word=word_of(task),
        ended=task.state.final,
        created=task.created_at,
        started=task.started_at,
        took=took(task, now),
        progress=task.progress_word.replace("_", " "),
        percentage=100 if task.state is TaskState.COMPLETED else task.progress_percentage,
        question=question(task),
        output=readable(result["output"]) if result.get("output") is not None else None,
        facts=[fact(name, value) for name, value in result.items() if name != "output" and value is not None],
        error=error_view(task),
        dry_run=bool(task.options.get("dry_run")),
    )


def look_of(task: Task) -> str:
    """The state as the pages colour it."""
    unsure = task.error is not None and task.error.get("code") == OutcomeUncertain.code
    return UNCERTAIN if unsure else task.state.value


def word_of(task: Task) -> str:
    """The state in a word for people."""
    return "Uncertain" if look_of(task) == UNCERTAIN else WORDS[task.state]


def title_of(task: Task, catalog: Catalog) -> str:
    """What the task is about, on one line: the text it publishes, or what it was told."""
    try:
        tool = catalog.tool(task.platform, task.tool)
        parameters = tool.parameters.model_validate(task.parameters)
        told = tool.content(parameters) if tool.content is not None else ""
        told = told or str(task.parameters.get("task") or "") or tool.goal(parameters)
    except (Failure, ValidationError):  # of an earlier version, whose tools were others
        told = ""
    line = " ".join(told.split())
    return shortened(line, 160) or in_words(task.tool)


def question(task: Task) -> Mapping[str, str] | None:
    """What the task waits for a person to do."""
    if task.state is not TaskState.PAUSED:
        return None
    reason = task.pause_reason or "requested"
    title, todo = ASKED.get(reason, ASKED["requested"])
    return {"reason": reason, "title": title, "todo": todo, "message": task.pause_message or ""}


def error_view(task: Task) -> Mapping[str, str] | None:
    """What went wrong, and what to do about it."""
    if task.error is None:
        return None
    code = str(task.error.get("code", ""))
    todo = advice(code, task.error.get("retryAfter"))
    return {"code": code, "message": str(task.error.get("message", "")), "todo": todo}


def allowed(task: Task, caller: Caller) -> frozenset[str]:
    """What the caller can do with the task right now."""
    verbs: set[str] = set()
    scopes = caller.scopes
    if not {"write", "admin"} & scopes:
        return frozenset()
    verbs.add("unshare" if task.share_token else "share")
    if task.state.final:
        return frozenset(verbs)
    verbs.add("cancel")
    waits_for_approval = task.state is TaskState.PAUSED and task.pause_reason == "approval"
    if waits_for_approval:
        verbs |= {"approve", "reject"} if "admin" in scopes else set()
    else:
        verbs.add("resume" if task.state is TaskState.PAUSED or task.pause_wanted else "pause")
    return frozenset(verbs)


def step_views(steps: Sequence[Step], shots: Mapping[str, Artifact], links: Links) -> list[StepView]:
    """The steps. What came of one is known with the next."""
    following = [*steps[1:], None]
    return [
        StepView(
            number=step.sequence,
            kind=step.kind,
            goal=step.next_goal or step.title or f"Step {step.sequence}",
            outcome=outcome(step, then),
            address=shortened(step.url, 120) if step.url.startswith(("http://", "https://")) else "",
            moves=", ".join(dict.fromkeys(name.replace("_", " ") for action in step.actions for name in action)),
            took=seconds(step.duration_ms / 1000) if step.duration_ms else "",
            picture=path_of(links.file(shot)) if (shot := shots.get(step.screenshot_id or "")) is not None else None,
        )
        for step, then in zip(steps, following, strict=False)
    ]


def account_facts(account: Account, attempt: SignIn | None, catalog: Catalog) -> Mapping[str, Any]:
    """An account for its card; nothing secret."""
    words = {"active": "Connected", "error": "Needs attention", "pending": "Not connected yet"}
    return {
        "id": account.id,
        "name": account.name,
        "platform": platform_name(account.platform, catalog),
        "status": account.status,
        "word": words.get(account.status, account.status),
        "identity": account.identity,
        "method": {"oauth": "signed in here", "cookies": "imported", "credentials": "user name and password"}.get(
            account.auth_method, account.auth_method
        ),
        "has_login": account.login_state is not None or account.credentials is not None,
        "created": account.created_at,
        "used": account.last_used_at,
        "error": {"code": account.error_code, "message": account.error_message} if account.status == "error" else None,
        "approval": account.approval,
        "signing_in": attempt is not None and attempt.state == "open",
    }


def parameter_facts(task: Task) -> list[Fact]:
    """What the task was given."""
    return [fact(name, value) for name, value in task.parameters.items() if value is not None]


def fact(name: str, value: Any) -> Fact:
    """A member of a result or of parameters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    is_link = text.startswith(("https://", "http://")) and not any(char.isspace() for char in text)
    return Fact(in_words(name), text, text if is_link else None)


def took(task: Task, now: datetime) -> str:
    """How long it has been running, or ran."""
    if task.started_at is None:
        return ""
    return seconds(((task.finished_at or now) - task.started_at).total_seconds())


def seconds(count: float) -> str:
    """A length of time."""
    if count < 10:
        return f"{count:.1f} s"
    whole = round(count)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def ago(when: datetime, now: datetime | None = None) -> str:
    """How long ago, as lists say it."""
    past = ((now or datetime.now(UTC)) - when).total_seconds()
    if past < 45:
        return "just now"
    if past < 5400:
        return f"{max(1, round(past / 60))} min ago"
    if past < 129_600:
        return f"{round(past / 3600)} h ago"
    return f"{round(past / 86_400)} days ago" if past < 2_592_000 else f"{when:%d %b %Y}".lstrip("0")


def shortened(text: str, limit: int) -> str:
    """The text, cut at so many characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
