"""Waiting for a task inside a call, while the client hears of each step."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from mcp.shared.jsonrpc_dispatcher import progress_token_from_params

from server.mcp_facade.results import step_line
from server.mcp_facade.visit import Context
from server.tasks import TaskService
from storage.tables import Task

_QUIET_S = 10.0
"""After so long without a step the client hears that the task is still running: some give up on a silent call."""
_LEAST = 0.01


class Watch:
    """One call's wait. Progress goes from 0 to 100 and only ever rises, as the protocol wants."""

    def __init__(self, ctx: Context, tasks: TaskService) -> None:
        self._ctx = ctx
        self._tasks = tasks
        self._wanted = progress_token_from_params(ctx.params) is not None
        self._steps = 0
        self._told = 0.0
        self._word = ""
        self._last = time.monotonic()

    async def until(self, task: Task, seconds: float, reached: Callable[[Task], bool]) -> Task:
        """The task as it is once it is final or `reached`, or after so many seconds."""
        async with contextlib.aclosing(self._tasks.follow(task.id, seconds)) as following:
            async for seen in following:
                task = seen
                await self._tell(seen)
                if reached(seen):
                    break
        return task

    async def _tell(self, task: Task) -> None:
        if not self._wanted:
            return
        for step in await self._tasks.steps(task, self._steps) if task.step_count > self._steps else ():
            self._steps = step.sequence
            await self._report(task, step_line(step))
        if task.progress_word != self._word:
            self._word = task.progress_word
            await self._report(task, task.progress_word.replace("_", " "))
        elif time.monotonic() - self._last >= _QUIET_S:
            await self._report(task, f"still {task.progress_word.replace('_', ' ')}")

    async def _report(self, task: Task, message: str) -> None:
        self._told = max(float(task.progress_percentage), self._told + _LEAST)
        self._last = time.monotonic()
        await self._ctx.session.report_progress(self._told, 100, message)
