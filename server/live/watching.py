"""What the live view shows of a task and asks of it: `LiveTasks` over the stores. The link's token is the right to do so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import cast

from agent.engine import Reason, Window
from agent.worker import Worker
from server.links import Links
from server.live.tasks import LiveStep, Snapshot
from server.words import in_words, outcome, platform_name
from storage.artifacts import ArtifactStore
from storage.database import Database
from storage.ids import mint
from storage.states import TaskState
from storage.tables import Step, Task
from storage.tasks import TaskStore
from tools.catalog import Catalog
from tools.errors import Conflict

_LOOK_AGAIN_S = 2.0
_LANDING_S = 120.0


class WatchedTasks:
    """Tasks for the live view (server.live.tasks.LiveTasks)."""

    def __init__(
        self,
        database: Database,
        tasks: TaskStore,
        artifacts: ArtifactStore,
        links: Links,
        catalog: Catalog,
        folder: Path,
        worker: Callable[[], Worker | None],
    ) -> None:
        self._database = database
        self._tasks = tasks
        self._artifacts = artifacts
        self._links = links
        self._catalog = catalog
        self._folder = folder
        self._worker = worker

    async def look(self, task_id: str) -> Snapshot | None:
        """The task now."""
        task = await self._tasks.get(task_id)
        return await self._snapshot(task) if task is not None else None

    async def follow(self, task_id: str) -> AsyncIterator[Snapshot]:
        """The task now and after every change."""
        with self._database.changes.follow(task_id) as follower:
            while (task := await self._tasks.get(task_id)) is not None:
                yield await self._snapshot(task)
                if task.state.final:
                    return
                await follower.changed(_LOOK_AGAIN_S)

    async def window(self, task_id: str) -> Window | None:
        """The browser that the task drives here."""
        worker = self._worker()
        return worker.windows.get(task_id) if worker is not None else None

    async def elsewhere(self, task_id: str) -> str | None:
        """`host:port` of the other process that runs the task, as far as it says where it is (server.live.relay.Whereabouts)."""
        task = await self._tasks.get(task_id)
        worker = self._worker()
        if task is None or task.state.final or task.worker_id is None or (worker and worker.id == task.worker_id):
            return None
        return await self._tasks.address(task.worker_id)

    async def moves(self, task_id: str) -> AsyncGenerator[str | None]:
        """Where else it runs, now and after every change of the task."""
        with self._database.changes.follow(task_id) as follower:
            while True:
                yield await self.elsewhere(task_id)
                await follower.changed(_LOOK_AGAIN_S)

    async def take_control(self, task_id: str, by: str) -> None:
        """Pauses the run for a person, and waits until it stands still."""
        del by
        task = await self._tasks.get(task_id)
        if task is not None and task.state is TaskState.PAUSED:
            return
        told = "A person has taken control in the live view. The task goes on when they give it back."
        if await self._tasks.ask_pause(task_id, "take_over", told) is None:
            message = "The task cannot be paused now."
            raise Conflict(message)
        async with asyncio.timeout(_LANDING_S):
            async for seen in self.follow(task_id):
                if seen.state is TaskState.PAUSED or seen.ended:
                    return

    async def give_back(self, task_id: str) -> None:
        """Lets the run go on."""
        await self._tasks.ask_resume(task_id)

    async def continue_(self, task_id: str) -> None:
        """The person has done what the task waited for. Approval is not given here: that needs a key."""
        task = await self._tasks.get(task_id)
        if task is not None and task.pause_reason == "approval":
            message = "This task waits for approval: approve or reject it with an API key."
            raise Conflict(message)
        if await self._tasks.ask_resume(task_id) is None:
            message = "The task does not wait for anybody."
            raise Conflict(message)

    async def stop(self, task_id: str) -> None:
        """Cancels the task."""
        if await self._tasks.cancel(task_id) is None:
            message = "The task has ended already."
            raise Conflict(message)

    async def record_person_step(self, task_id: str, what: str, url: str) -> None:
        """Records what a person did."""
        step = Step(id=mint("step"), task_id=task_id, sequence=0, kind="person", next_goal=what, url=url)
        await self._tasks.note(step)

    async def receive_file(self, task_id: str, name: str, pieces: AsyncIterator[bytes]) -> Path:
        """Keeps a person's file in the run's own folder, which goes with the run."""
        target = self._folder / task_id / "person" / name
        await asyncio.to_thread(target.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
        with await asyncio.to_thread(target.open, "wb") as file:
            async for piece in pieces:
                await asyncio.to_thread(file.write, piece)
        return target

    async def _snapshot(self, task: Task) -> Snapshot:
        steps = await self._tasks.steps(task.id)
        shots = {shot.id: self._links.file(shot) for shot in await self._artifacts.of(task.id, "screenshot")}
        ended = task.error["message"] if task.error is not None else (task.result or {}).get("output", "")
        return Snapshot(
            title=f"{in_words(task.tool)} · {platform_name(task.platform, self._catalog)}",
            state=task.state,
            word=task.progress_word,
            percentage=task.progress_percentage,
            reason=cast("Reason | None", task.pause_reason),
            message=task.pause_message or "",
            output=str(ended),
            steps=[
                LiveStep(
                    number=step.sequence,
                    kind=step.kind,  # pyright: ignore[reportArgumentType]  # the same words, as text in the row
                    goal=step.next_goal,
                    outcome=outcome(step, following),
                    url=step.url,
                    screenshot=shots.get(step.screenshot_id or ""),
                )
                for step, following in zip(steps, [*steps[1:], None], strict=False)
            ],
        )
