"""What the live view shows of a task and asks of it. TaskService answers; the live view knows no more of tasks than this."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from agent.engine import Reason, Window
from storage.states import TaskState


@dataclass(frozen=True, slots=True)
class LiveStep:
    """One finished step, as the page shows it."""

    number: int
    kind: Literal["agent", "stage", "person"]
    goal: str
    outcome: str = ""
    url: str = ""
    screenshot: str | None = None
    """A URL of this server that needs no further credential."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A task at one moment."""

    title: str
    state: TaskState
    word: str = ""
    """Where the run stands, in a word for callers."""
    percentage: int = 0
    reason: Reason | None = None
    """Why it is paused."""
    message: str = ""
    """What a person is asked to do."""
    output: str = ""
    """What came of it, in plain words."""
    steps: Sequence[LiveStep] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing can follow."""
        return self.state.final


class LiveTasks(Protocol):
    """The tasks that can be watched. A verb that the task's state forbids raises a tools.errors.Failure."""

    async def look(self, task_id: str) -> Snapshot | None:
        """The task now; None when there is no such task."""
        ...

    def follow(self, task_id: str) -> AsyncIterator[Snapshot]:
        """The task now and after every change (also when its window comes or goes); ends when the task has ended."""
        ...

    async def window(self, task_id: str) -> Window | None:
        """The browser that the task drives, while it has one."""
        ...

    async def take_control(self, task_id: str, by: str) -> None:
        """Pauses the agent for a person; returns when it stands still between two steps."""
        ...

    async def give_back(self, task_id: str) -> None:
        """Undoes take_control, landed or not: the agent goes on."""
        ...

    async def continue_(self, task_id: str) -> None:
        """The person has done what the paused task waited for."""
        ...

    async def stop(self, task_id: str) -> None:
        """Cancels the task."""
        ...

    async def record_person_step(self, task_id: str, what: str, url: str) -> None:
        """Records what a person did, which never holds what was typed, and where."""
        ...

    async def receive_file(self, task_id: str, name: str, pieces: AsyncIterator[bytes]) -> Path:
        """Keeps a person's file where the task's browser can read it, until the task ends. `name` is a safe file name."""
        ...


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How the live view behaves. Durations in seconds, rates in frames a second, sizes in bytes."""

    frame_ancestors: str = "'self'"
    """Who may embed the page: the value of the CSP directive."""
    public_url: str | None = None
    """The base URL that people use, when a proxy changes the Host header."""
    idle: float = 120
    """A person who does nothing for so long loses control."""
    leave: float = 10
    """For so long control is kept for a person whose connection is lost."""
    watch_rate: float = 10
    control_rate: float = 20
    quality: int = 60
    largest_file: int = 100 * 1024 * 1024
