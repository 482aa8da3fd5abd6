"""Plays tools on the replicas, as the worker would."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.cdp import Cdp
from agent.engine import Assignment, Engine, Login, Options, Outcome, Reason, StepReport, Window
from tests.agent.platforms.pace import hasty
from tests.replicas.faults import Fault
from tests.replicas.replica import Replica
from tools.catalog import Catalog
from tools.errors import ChallengeRequired, Failure
from tools.tool import AnyTool


@dataclass
class Bench:
    """The worker's desk: it records what is reported, and asks a person, who may come or not."""

    person: Callable[[], Awaitable[None]] | None = None
    on_arm: Callable[[], Awaitable[None]] | None = None
    on_report: Callable[[], Awaitable[None]] | None = None
    window: Window | None = None
    words: list[str] = field(default_factory=list[str])
    steps: list[StepReport] = field(default_factory=list[StepReport])
    asked: list[Reason] = field(default_factory=list[Reason])
    armed: int = 0

    async def progress(self, word: str, percentage: int) -> None:
        self.words.append(word)

    async def step(self, report: StepReport) -> None:
        self.steps.append(report)
        if self.on_report is not None:
            await self.on_report()

    async def arm(self) -> None:
        self.armed += 1
        if self.on_arm is not None:
            await self.on_arm()

    async def gate(self) -> None:
        await asyncio.sleep(0)

    async def ask(self, reason: Reason, message: str) -> None:
        self.asked.append(reason)
        if self.person is None:
            raise ChallengeRequired
        await self.person()

    async def keep_login(self, state: Mapping[str, Any]) -> None: ...

    def show(self, window: Window | None) -> None:
        self.window = window

    async def close_tabs(self) -> None:
        """A person closes every tab that the task has."""
        assert self.window
        cdp = await Cdp.open(self.window.cdp_url, unheard)
        for tab in (await cdp.call("Target.getTargets"))["targetInfos"]:
            if tab["type"] == "page" and self.window.context_id in (None, tab.get("browserContextId")):
                await cdp.call("Target.closeTarget", {"targetId": tab["targetId"]})
        await cdp.close()


@dataclass
class Ran:
    """How a run ended, and what its desk saw."""

    desk: Bench
    outcome: Outcome | None = None
    failure: Failure | None = None

    @property
    def result(self) -> Mapping[str, Any]:
        assert self.outcome, f"{self.failure!r}"
        return self.outcome.result

    @property
    def state(self) -> str:
        return self.failure.code if self.failure else "completed"


def unheard(method: str, parameters: dict[str, Any], session: str | None) -> None:
    """Takes an event of the browser, and lets it be."""


def closing_once(desk: Bench, time_has_come: Callable[[], bool]) -> Callable[[], Awaitable[None]]:
    """What closes the tabs of the task at its first report after that time, and never again."""

    async def close() -> None:
        if time_has_come():
            desk.on_report = None
            await desk.close_tabs()

    return close


@dataclass
class Stage:
    """Plays tools on replicas with an engine."""

    engine: Engine
    replicas: Mapping[str, Replica]
    folder: Path
    catalog: Catalog

    async def play(
        self,
        name: str,
        parameters: Mapping[str, Any],
        *,
        person: Callable[[], Awaitable[None]] | None = None,
        in_vain: bool = False,
        tool: AnyTool | None = None,
        options: Options | None = None,
    ) -> Ran:
        """Carries one task out; the replica's faults are those that the test set. `in_vain`: it will wait for nothing."""
        wanted = tool or self.catalog.tools[name]
        replica = self.replicas[wanted.platform]
        desk = Bench(person, replica.moment.pass_by)
        if Fault.CLOSED in replica.faults:
            desk.on_arm = desk.close_tabs
        elif Fault.CLOSED_AFTER in replica.faults:
            desk.on_report = closing_once(desk, lambda: bool(replica.published))
        assignment = Assignment(
            task_id="task_test",
            tool=hasty(wanted) if in_vain else wanted,
            site=self.catalog.sites[wanted.platform],
            parameters=wanted.parameters.model_validate(parameters),
            options=options or Options(),
            folder=self.folder,
            login=Login("acc_test", "main", identity=replica.member, state=replica.login_state()),
        )
        try:
            return Ran(desk, outcome=await self.engine.carry_out(assignment, desk))
        except Failure as failure:
            return Ran(desk, failure=failure)
