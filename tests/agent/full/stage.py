"""Plays tasks on the full engine as the worker would, with a model that says what a test wants."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.engine import Assignment, Login, Options, Outcome, Reason, StepReport, Window
from agent.full.supervisor import FullEngine
from server.rehearsed_model import RehearsedModel
from tests.agent.full.board import SITE, Journal
from tests.scripted_model import Line, in_turn
from tools.browser.run_task import RunTask
from tools.browser.run_task import tool as run_task
from tools.errors import ChallengeRequired
from tools.site import Site
from tools.tool import AnyTool, Parameters


@dataclass
class RecordingDesk:
    """Keeps what an engine reports. `pause` holds it at the gate, `answer` answers what it asks a person."""

    steps: list[StepReport] = field(default_factory=list[StepReport])
    armed: list[int] = field(default_factory=list[int])
    """How many steps were reported at each arming."""
    asked: list[tuple[Reason, str]] = field(default_factory=list[tuple[Reason, str]])
    kept: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    windows: list[Window | None] = field(default_factory=list[Window | None])
    words: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    go: asyncio.Event = field(default_factory=asyncio.Event)
    waits: asyncio.Event = field(default_factory=asyncio.Event)
    stepped: asyncio.Event = field(default_factory=asyncio.Event)
    pause: bool = False
    answer: Callable[[Reason], Awaitable[None] | None] | None = None

    async def progress(self, word: str, percentage: int) -> None:
        self.words.append((word, percentage))

    async def step(self, report: StepReport) -> None:
        self.steps.append(report)
        self.stepped.set()

    async def arm(self) -> None:
        self.armed.append(len(self.steps))

    async def gate(self) -> None:
        if self.pause:
            self.waits.set()
            await self.go.wait()

    async def ask(self, reason: Reason, message: str) -> None:
        self.asked.append((reason, message))
        if self.answer is None:
            raise ChallengeRequired(message)
        if (coming := self.answer(reason)) is not None:
            await coming

    async def keep_login(self, state: Mapping[str, Any]) -> None:
        self.kept.append(state)

    def show(self, window: Window | None) -> None:
        self.windows.append(window)


@dataclass
class Stage:
    """What a test plays on: the engine, the model's scripts, the site, and what the site noted."""

    engine: FullEngine
    model: RehearsedModel
    url: str
    journal: Journal
    folder: Path
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def script(self, *lines: Line) -> str:
        """Registers a script; its model name."""
        name = f"script-{len(self.model.scripts)}"
        self.scripts[name] = in_turn(*lines)
        return name

    def rename(self, name: str) -> str:
        """The same script as a new conversation."""
        return f"{name}@{next(self.numbers)}"

    @property
    def scripts(self) -> dict[str, Any]:
        scripts: Any = self.model.scripts
        return scripts

    def assignment(
        self,
        *lines: Line,
        tool: AnyTool = run_task,
        parameters: Parameters | None = None,
        site: Site = SITE,
        login: Login | None = None,
        secrets: Mapping[str, str] | None = None,
        files: tuple[Path, ...] = (),
        **options: Any,
    ) -> Assignment:
        """A task whose model says those lines. Without parameters: a task in plain words that begins on the site."""
        number = next(self.numbers)
        options = {"max_steps": 8, "highlight_elements": False, **options}
        options.setdefault("model", self.script(*lines) if lines else None)
        folder = self.folder / f"task-{number}"
        folder.mkdir(mode=0o700)
        return Assignment(
            task_id=f"task_{number}",
            tool=tool,
            site=site if tool.account else None,
            parameters=parameters or RunTask(task=f"Do it at {self.url}", start_url=self.url),
            options=Options(**options),
            folder=folder,
            login=login,
            secrets=secrets or {},
            files=files,
        )

    async def play(self, *lines: Line, desk: RecordingDesk | None = None, **more: Any) -> Outcome:
        """Carries such a task out."""
        return await self.engine.carry_out(self.assignment(*lines, **more), desk or RecordingDesk())

    def another(self, **settings: Any) -> FullEngine:
        """An engine with other settings, on the same nursery, and on the same pairs unless the settings say how many it has."""
        engine = FullEngine(replace(self.engine.settings, **settings), self.engine.nursery)
        engine.driver = self.engine.driver
        if "warm" not in settings:
            engine.pairs = self.engine.pairs
        return engine

    async def settle(self) -> None:
        """Waits until no pair is being made in the background."""
        if self.engine.pairs.filling is not None:
            await self.engine.pairs.filling
