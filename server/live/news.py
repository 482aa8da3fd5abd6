"""What the live page is told: a JSON object made afresh of the room at each change, so that nothing is ever queued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from server.live.room import Room
from server.live.tasks import LiveStep


class Said(BaseModel):
    """What the page says on behalf of its person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    do: Literal["take", "give_back", "continue", "stop", "answer", "back", "forward", "reload", "show_tab", "close_tab"]
    id: str = Field("", max_length=100)
    """The question that is answered, or the tab."""
    accept: bool = False
    text: str = Field("", max_length=10_000)
    files: list[str] = Field(default_factory=list[str], max_length=100)


def news(room: Room, seat: str, *, may_control: bool, steps_known: int = 0) -> dict[str, Any]:
    """The room as one person may see it; of the steps only those that are new, and the last known one."""
    control = room.control
    mine = control.holder == seat
    prompts = room.prompts.pending if room.prompts and mine and control.phase == "held" else []
    first = max(0, steps_known - 1)
    return {
        "task": about_task(room),
        "control": {
            "allowed": may_control,
            "phase": control.phase,
            "mine": mine,
            "notice": control.notice,
            "seconds_left": control.seconds_left if mine else None,
        },
        "browser": about_browser(room),
        "prompts": [
            {
                "id": prompt.id,
                "kind": prompt.kind,
                "origin": prompt.origin,
                "message": prompt.message,
                "default": prompt.default,
                "multiple": prompt.multiple,
                "accept": prompt.accept,
                "permission": prompt.permission,
                "field": prompt.field.model_dump() if prompt.field else None,
            }
            for prompt in prompts
        ],
        "first_step": first,
        "steps": about_steps(room.snapshot.steps[first:]),
    }


def about_task(room: Room) -> dict[str, Any]:
    """The task itself."""
    task = room.snapshot
    return {
        "title": task.title,
        "state": task.state.value,
        "ended": task.ended,
        "word": task.word,
        "percentage": task.percentage,
        "reason": task.reason,
        "message": task.message,
        "output": task.output,
    }


def about_browser(room: Room) -> dict[str, Any] | None:
    """The browser as the page's bar shows it; None while there is none."""
    screen = room.screen
    if screen is None:
        return None
    tab = screen.tab
    tabs = [{"id": each.target, "title": each.title or each.url, "shown": each is tab} for each in screen.tabs]
    shown = {"url": tab.url, "title": tab.title, "crashed": tab.crashed} if tab else {}
    return {"url": "", "title": "", "crashed": False, **shown, "tabs": tabs}


def about_steps(steps: Sequence[LiveStep]) -> list[dict[str, Any]]:
    """Steps as the page lists them."""
    return [
        {
            "number": step.number,
            "kind": step.kind,
            "goal": step.goal,
            "outcome": step.outcome,
            "url": step.url,
            "screenshot": step.screenshot,
        }
        for step in steps
    ]
