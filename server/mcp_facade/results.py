"""Results as models read them: one JSON object with everything needed to go on, the same as text, never longer than it should be."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import mcp_types as types
from anyio import to_thread

from server.links import Links
from server.mcp_facade.next import (
    NEW_KEY,
    after_error,
    after_state,
    details_task,
    is_whole_at,
    keep_asking,
    never_begins,
)
from server.mcp_facade.people import People
from server.mcp_facade.tools import mcp_name
from server.mcp_facade.visit import Visit
from server.tasks import TaskService
from storage.artifacts import ArtifactStore
from storage.states import TaskState
from storage.tables import Step, Task
from tools.errors import Failure

LARGEST = 20_000
"""Bytes of JSON that a result may have: what is longer is cut, and says so."""
_SHORTEST_CUT = 200
_LINKED = {TaskState.PENDING, TaskState.PROCESSING, TaskState.PAUSED, TaskState.FAILED, TaskState.TIMEOUT}

Json = dict[str, Any]


class Results:
    """Tells of tasks."""

    def __init__(self, tasks: TaskService, artifacts: ArtifactStore, links: Links, people: People) -> None:
        self._tasks = tasks
        self._artifacts = artifacts
        self._links = links
        self._people = people

    async def told(self, task: Task, visit: Visit) -> Json:
        """The task as structured content, for this visit."""
        told: Json = {"task_id": task.id, "status": task.state.value, "tool": self.tool_name(task)}
        if task.account_name is not None:
            told["account"] = task.account_name
        if not task.state.final:
            told["progress"] = await self._progress(task)
        if task.result is not None:
            told["result"] = task.result
        if task.error is not None:
            told["error"] = task.error
        hint = self.next(task, visit)
        if hint is not None:
            told["next"] = hint
        if task.state in _LINKED:
            told["live_url"] = self._links.live(task, control=visit.writes)
        if capped(told) is told:
            return told
        return capped({**told, "next": f"{is_whole_at(task)} {told.get('next', '')}".rstrip()})

    def next(self, task: Task, visit: Visit) -> str | None:
        """What to do about the task now."""
        if task.state is TaskState.PAUSED and task.pause_reason is not None:
            told = f"{task.pause_message}\n" if task.pause_message else ""  # which may end with what is to be published
            return f"{told}{self._people.in_words(task, visit)} Then: {keep_asking(task)}"
        trouble = self._tasks.stuck(task)
        if trouble is not None:
            return never_begins(task, trouble)
        return after_state(task)

    def tool_name(self, task: Task) -> str:
        """The name of the tool that the task came from."""
        tool = self._tasks.catalog.tools.get(f"{task.platform}.{task.tool}")
        return mcp_name(tool) if tool is not None else f"{task.platform}_{task.tool}"

    async def result(
        self,
        task: Task,
        visit: Visit,
        *,
        screenshot: bool = False,
        error: bool = False,
        merged: bool = False,
        keyed: bool = False,
    ) -> types.CallToolResult:
        """The task as a tool's result, with its newest screenshot if wanted. `keyed`: the call has an idempotency key."""
        told = await self.told(task, visit)
        if keyed and task.error is not None:
            told["next"] = f"{told['next']} {NEW_KEY}"
        if merged:
            told["note"] = "The same call came before: this is its task."
        blocks: list[types.ContentBlock] = [text_block(words(told) if error else dumped(told))]
        if screenshot:
            picture = await self.screenshot(task)
            blocks.append(picture or text_block("There is no screenshot of this task yet."))
        return types.CallToolResult(content=blocks, structured_content=told, is_error=error)

    async def screenshot(self, task: Task) -> types.ImageContent | None:
        """The task's newest screenshot."""
        found = await self._tasks.files(task, "screenshot")
        if not found:
            return None
        place = await self._artifacts.local(found[-1])
        data = await to_thread.run_sync(_read, place) if place is not None else None
        if data is None:
            return None
        return types.ImageContent(data=base64.b64encode(data).decode(), mime_type=found[-1].media_type)

    async def _progress(self, task: Task) -> Json:
        progress: Json = {"doing": task.progress_word, "percentage": task.progress_percentage, "steps": task.step_count}
        if task.state is TaskState.PAUSED and task.pause_reason is not None:
            progress["paused_for"] = task.pause_reason
        last = await self.last_step(task)
        if last is not None:
            progress["step"] = step_line(last)
        return progress

    async def last_step(self, task: Task) -> Step | None:
        """The newest step."""
        if not task.step_count:
            return None
        steps = await self._tasks.steps(task, task.step_count - 1)
        return steps[-1] if steps else None


def refused(failure: Failure, hint: str | None = None) -> types.CallToolResult:
    """A call that made no task: what was wrong, and what mends it."""
    error = failure.as_error()
    following = hint or after_error(failure.code, failure.retry_after, task_id=details_task(failure.details))
    told: Json = {"status": "refused", "error": error, "next": following}
    return types.CallToolResult(content=[text_block(words(told))], structured_content=capped(told), is_error=True)


def plain(told: Json) -> types.CallToolResult:
    """Any other JSON object as a result."""
    told = capped(told)
    return types.CallToolResult(content=[text_block(dumped(told))], structured_content=told)


def words(told: Mapping[str, Any]) -> str:
    """The same in sentences: for an error a model sees only the text."""
    error: Mapping[str, Any] = told.get("error") or {}
    parts = [sentence(f"{error['code']}: {error['message']}")] if error else [f"The task is {told['status']}."]
    if "task_id" in told:
        parts.append(f"(task_id {told['task_id']})")
    if "next" in told:
        parts.append(f"Next: {told['next']}")
    return " ".join(parts)


def step_line(step: Step) -> str:
    """A step in one line: its goal and where."""
    return f"{step.next_goal} ({step.url})" if step.url else step.next_goal


def sentence(text: str) -> str:
    """The text with a full stop at its end."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def text_block(text: str) -> types.TextContent:
    """A text as a content block."""
    return types.TextContent(text=text)


def dumped(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def capped(told: Json, largest: int = LARGEST) -> Json:
    """The same object with its longest texts and lists cut until it fits, and `truncated` set if anything was cut."""
    limit = largest
    cut = told
    while len(dumped(cut).encode()) > largest and limit > _SHORTEST_CUT:
        limit = limit * 4 // 5
        cut = {**cast("Json", _cut(told, limit)), "truncated": True}
    return cut


def _cut(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= limit else f"{value[:limit]}… [{len(value) - limit} more characters]"
    if isinstance(value, Mapping):
        return {key: _cut(item, limit) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, Sequence):
        items = cast("Sequence[Any]", value)
        room = max(1, limit // 100)
        return [_cut(item, limit) for item in items[:room]] + (
            [f"… {len(items) - room} more"] if len(items) > room else []
        )
    return value


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
