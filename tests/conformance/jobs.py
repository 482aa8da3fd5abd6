"""The suite's tools that become tasks: tools of the catalogue, played by an engine of the tests'.

They go through the same calls, queue, worker and tasks extension as every other.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import mcp_types as types

from agent.engine import Assignment, Desk, EngineName, Outcome
from server.codes import Codes
from server.links import Links
from server.mcp_facade.people import People, Question
from server.mcp_facade.visit import Visit
from server.tasks import TaskService
from storage.tables import Task
from tools.catalog import Catalog
from tools.errors import AgentFailed
from tools.site import Signs, Site
from tools.tool import AnyTool, Parameters, Result, Tool


class SlowCompute(Parameters):
    """How long it takes."""

    seconds: float = 0
    label: str = ""


class ConfirmDelete(Parameters):
    """What would go."""

    filename: str = ""


class NoParameters(Parameters):
    """Nothing."""


class Output(Result):
    """A text."""


def task_tools() -> Catalog:
    """The catalogue's tools whose MCP names the suite knows: `slow.compute` is slow_compute."""
    kinds: dict[str, type[Parameters]] = {
        "slow.compute": SlowCompute,
        "failing.job": NoParameters,
        "protocol.error_job": NoParameters,
        "confirm.delete": ConfirmDelete,
        "multi.input": NoParameters,
    }
    tools: dict[str, AnyTool] = {
        name: Tool(
            name=name,
            summary=f"Conformance: {name}.",
            parameters=parameters,
            result=Output,
            goal=lambda _parameters: "",
            effect="engage",
            example=parameters(),
            account=False,
        )
        for name, parameters in kinds.items()
    }
    sites = {
        tool.platform: Site(tool.platform, tool.platform, "about:blank", hosts=("*",), login_url="", logged_in=Signs())
        for tool in tools.values()
    }
    return Catalog(sites=sites, tools=tools)


class ConformanceEngine:
    """Does what the suite expects of each of these tools."""

    name: EngineName = "full"

    async def carry_out(self, assignment: Assignment, desk: Desk) -> Outcome:
        parameters = assignment.parameters
        match assignment.tool.name:
            case "slow.compute":
                assert isinstance(parameters, SlowCompute)
                await asyncio.sleep(parameters.seconds)
                return Outcome({"output": f"Computed {parameters.label}"})
            case "failing.job":
                raise AgentFailed("This job always fails.")
            case "protocol.error_job":
                raise RuntimeError("This job breaks.")
            case _:
                await desk.ask("budget", "May it go on?")
                return Outcome({"output": "Confirmed"})

    async def close(self) -> None: ...


class TwoQuestions(People):
    """Asks two questions at once of the task multi_input: the suite wants to answer them one by one."""

    def __init__(self, tasks: TaskService, links: Links, codes: Codes) -> None:
        super().__init__(tasks, links, codes)
        self._given: set[str] = set()

    def questions(self, task: Task) -> list[Question]:
        asked = super().questions(task)
        if task.platform != "multi":
            return asked
        both = [replace(question, key=f"{question.key}-{part}") for question in asked for part in ("a", "b")]
        return [question for question in both if question.key not in self._given]

    async def answer(self, visit: Visit, task: Task, question: Question, answered: types.ElicitResult) -> None:
        if task.platform == "multi":
            self._given.add(question.key)
            if self.questions(task):
                return
            question = replace(question, key=question.key.rpartition("-")[0])
        await super().answer(visit, task, question, answered)
