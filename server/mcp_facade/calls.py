"""tools/call: a tool of the catalogue becomes a task that outlives the call; an errand is done at once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from server.accounts import AccountService
from server.mcp_facade.arguments import input_schema, new_task
from server.mcp_facade.errands import Errands
from server.mcp_facade.logins import Logins
from server.mcp_facade.next import details_task, of_account
from server.mcp_facade.people import People, Question
from server.mcp_facade.results import Results, refused
from server.mcp_facade.tasks import TasksExtension, declared
from server.mcp_facade.tools import Errand, Toolbox, mcp_name
from server.mcp_facade.visit import LONGEST_WAIT, Context, Visit, visit_of
from server.mcp_facade.watch import Watch
from server.tasks import Created, NewTask, TaskService
from storage.states import TaskState
from storage.tables import Task
from tools.errors import AccountNotFound, AuthenticationFailed, Conflict, Failure, InvalidParameters
from tools.tool import AnyTool

Answer = types.CallToolResult | types.InputRequiredResult | dict[str, Any]
_UNDONE = {TaskState.FAILED, TaskState.TIMEOUT, TaskState.CANCELLED}


@dataclass
class Wait:
    """One call's wait for a task."""

    ctx: Context
    visit: Visit
    seconds: float
    creating: bool
    """Whether it is the call that made the task: only that one is an error when the task fails."""
    keyed: bool = False
    """Whether the call has an idempotency key."""
    patient: bool = False
    """Whether a pause that stood at the beginning is waited out instead of told again."""
    asked: list[Question] = field(default_factory=list[Question])
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self.began + self.seconds - time.monotonic())

    @property
    def modern(self) -> bool:
        """Whether questions are answered by calling again."""
        return self.ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


class Calls:
    """Carries tool calls out."""

    def __init__(
        self,
        toolbox: Toolbox,
        tasks: TaskService,
        accounts: AccountService,
        people: People,
        results: Results,
        errands: Errands,
        extension: TasksExtension,
        logins: Logins,
    ) -> None:
        self._toolbox = toolbox
        self._tasks = tasks
        self._accounts = accounts
        self._people = people
        self._results = results
        self._errands = errands
        self._extension = extension
        self._logins = logins

    async def call(self, ctx: Context, params: types.CallToolRequestParams) -> Answer:
        """Answers a tools/call. What the caller can mend is a result with `isError`, not an error of the protocol."""
        visit = visit_of(ctx)
        tool = self._toolbox.tool(params.name, visit)
        errand = self._toolbox.errand(params.name, visit)
        try:
            if tool is not None:
                return await self._act(ctx, visit, tool, params)
            if errand is not None:
                return await self._run(ctx, visit, errand, params)
        except Failure as failure:
            return refused(failure, await self._hint(visit, tool, failure))
        raise MCPError(types.INVALID_PARAMS, self._toolbox.unknown(params.name, visit))

    async def _act(self, ctx: Context, visit: Visit, tool: AnyTool, params: types.CallToolRequestParams) -> Answer:
        wait = Wait(ctx, visit, visit.wait_seconds, creating=True)
        if params.request_state is not None and not self._logins.asked(params):
            return await self._follow(wait, await self._errands.task(visit, params.request_state), params)
        visit.need_write()
        asked = new_task(tool, params.arguments or {}, trace(ctx))
        wait.keyed = asked.idempotency_key is not None
        refusal = await self._logins.answered(visit, params, wait.left)
        if refusal is not None:
            return refusal
        try:
            created = await self._create(visit, asked)
        except AuthenticationFailed as failure:
            refusal = await self._logins.ask(ctx, visit, failure, wait.left, modern=wait.modern)
            if refusal is not None:
                return refusal
            created = await self._create(visit, asked)
        if declared(ctx):
            return await self._extension.created(ctx, created.task)
        return await self._follow(wait, created.task, params, merged=not created.new)

    async def _create(self, visit: Visit, asked: NewTask) -> Created:
        # A client that goes away at this moment leaves its task behind: it asks again, and finds it.
        return await asyncio.shield(self._tasks.create(visit.caller, asked))

    async def _run(self, ctx: Context, visit: Visit, errand: Errand, params: types.CallToolRequestParams) -> Answer:
        arguments = params.arguments or {}
        if errand.name != "task_get":
            return await self._errands.run(visit, errand, arguments)
        task, wish = await self._errands.wanted(visit, arguments)
        wait = Wait(ctx, visit, min(max(wish.wait_seconds, 0.0), LONGEST_WAIT), creating=False, patient=True)
        if not wait.seconds:
            return await self._results.result(task, visit, screenshot=wish.screenshot)
        return await self._follow(wait, task, params, screenshot=wish.screenshot)

    async def _follow(
        self,
        wait: Wait,
        task: Task,
        params: types.CallToolRequestParams,
        *,
        screenshot: bool = False,
        merged: bool = False,
    ) -> Answer:
        """Waits, asking people what the task asks of them, and tells how it stands."""
        task = await self._answered(wait, task, params)
        watch = Watch(wait.ctx, self._tasks)
        while True:
            task = await watch.until(task, wait.left, lambda seen: self._stops(wait, seen))
            await self._close_questions(wait, task)
            question = self._askable(wait, task)
            if question is not None and wait.modern:
                requests: types.InputRequests = {question.key: question.request(legacy=False)}
                return types.InputRequiredResult(input_requests=requests, request_state=task.id)
            if question is not None:
                await self._ask(wait, task, question)
            elif self._settled(task) or not wait.left:
                break
        unheard = task.state is TaskState.PAUSED and bool(self._people.questions(task))
        failed = wait.creating and (task.state in _UNDONE or unheard or self._tasks.stuck(task) is not None)
        return await self._results.result(
            task, wait.visit, screenshot=screenshot, error=failed, merged=merged, keyed=wait.keyed
        )

    def _settled(self, task: Task) -> bool:
        """Whether waiting longer changes nothing by itself."""
        return task.state.final or task.state is TaskState.PAUSED or self._tasks.stuck(task) is not None

    def _stops(self, wait: Wait, task: Task) -> bool:
        """Whether the wait is interrupted, though the task goes on."""
        if task.state is not TaskState.PAUSED:
            wait.patient = False
            return bool(wait.asked) or self._settled(task)
        if self._askable(wait, task) is not None:
            return True
        news = bool(self._people.questions(task)) or task.pause_reason == "requested"
        return news and not wait.patient  # whoever took over is about to give back: that is waited out

    def _askable(self, wait: Wait, task: Task) -> Question | None:
        """The question that this client can put to its user now."""
        for question in self._people.questions(task):
            known = any(question.key == asked.key for asked in wait.asked)
            if not known and self._people.can_ask(wait.ctx, question):
                return question
        return None

    async def _answered(self, wait: Wait, task: Task, params: types.CallToolRequestParams) -> Task:
        """Takes the answers that came with a repeated call."""
        for question in self._people.questions(task):
            answer = (params.input_responses or {}).get(question.key)
            if isinstance(answer, types.ElicitResult):
                wait.asked.append(question)
                wait.patient = True
                await self._people.answer(wait.visit, task, question, answer)
        return await self._tasks.get(wait.visit.caller, task.id) if wait.asked else task

    async def _ask(self, wait: Wait, task: Task, question: Question) -> None:
        wait.asked.append(question)
        answer = await self._people.ask(wait.ctx, question, wait.left)
        if answer is not None:
            wait.patient = True
            await self._people.answer(wait.visit, task, question, answer)

    async def _close_questions(self, wait: Wait, task: Task) -> None:
        """Tells the client that what it showed its user is settled."""
        if task.state is TaskState.PAUSED or not wait.asked:
            return
        for question in wait.asked:
            if question.url is not None and not wait.modern:
                await wait.ctx.session.send_elicit_complete(question.key, wait.ctx.request_id)
        wait.asked.clear()

    async def _hint(self, visit: Visit, tool: AnyTool | None, failure: Failure) -> str | None:
        """More than the code alone can say: how the task stands, the accounts that there are, the arguments that the tool takes."""
        reads = bool({"read", "admin"} & visit.caller.scopes)
        task_id = details_task(failure.details)
        if isinstance(failure, Conflict) and task_id is not None and reads:
            return self._results.next(await self._errands.task(visit, task_id), visit)
        if tool is None:
            return None
        about_account = failure.details.get("field") == "accountName" or isinstance(failure, AccountNotFound)
        if about_account and reads:
            accounts = await self._accounts.list(visit.caller, platform=tool.platform)
            return of_account([account.name for account in accounts], tool.platform)
        if isinstance(failure, InvalidParameters):
            takes = ", ".join(input_schema(tool)["properties"])
            return f"Correct the arguments and make the call again. {mcp_name(tool)} takes: {takes}."
        return None


def trace(ctx: Context) -> str | None:
    """The caller's W3C trace, where the request carries one."""
    found: Any = (ctx.meta or {}).get("traceparent")
    return found if isinstance(found, str) and len(found) <= 128 else None
