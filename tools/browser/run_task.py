"""Carries out a task on any website."""

from __future__ import annotations

from pydantic import Field

from tools.tool import Parameters, Result, Tool


class RunTask(Parameters):
    """What to do."""

    task: str = Field(
        min_length=1,
        max_length=32_000,
        pattern=r"\S",
        description="What to do in the browser, in plain words: where to go, what to do there, what to report.",
    )
    start_url: str | None = Field(
        default=None,
        max_length=2_000,
        pattern=r"^https?://[^\s/]+",
        description="The page to begin on. Optional: the task may name it too.",
    )


class TaskResult(Result):
    """What the agent reports."""


def goal(p: RunTask) -> str:
    """The caller's own words."""
    return f"Begin on {p.start_url}\n\n{p.task}" if p.start_url else p.task


tool = Tool(
    name="browser.runTask",
    summary="Do anything that a person could do in a browser, on any website, from a description in plain words.",
    parameters=RunTask,
    result=TaskResult,
    goal=goal,
    # It may do anything, so it is treated as what could do most: a write that is never repeated by itself.
    effect="publish",
    example=RunTask(task="Open example.com and report its main heading."),
    account=False,
)
