"""A task's steps over the Tasks API, while it runs and afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.engine import Assignment, Desk, Outcome
from tests.server.cloud.stage import Stage, picture, staged, step

pytestmark = pytest.mark.anyio


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    async with staged(tmp_path / "data") as opened:
        yield opened


async def test_each_step_is_there_as_soon_as_it_happened_with_its_picture(stage: Stage) -> None:
    go_on = asyncio.Event()

    async def act(_assignment: Assignment, desk: Desk) -> Outcome:
        await desk.step(step(1, picture("red")))
        await go_on.wait()
        await desk.step(step(2))
        return Outcome({"output": "Done"})

    stage.actor.acts["Look twice"] = act
    async with stage.caller("read", "write") as client:
        client.base_url = httpx.URL(f"{stage.origin}/api")
        asked = {"platform": "browser", "tool": "runTask", "parameters": {"task": "Look twice"}}
        task_id = (await client.post("/tasks", json=asked)).json()["data"]["taskId"]
        await stage.became(task_id, lambda task: task.step_count == 1)
        (first,) = await steps_of(client, task_id)
        assert (first["sequence"], first["kind"]) == (1, "agent")
        assert (first["nextGoal"], first["evaluationPreviousGoal"]) == ("Goal 1", "Evaluation 1")
        assert first["url"].startswith("https://example.com/1")
        seen = await client.get(first["screenshotUrl"], headers={"Authorization": ""})
        assert (seen.status_code, seen.headers["content-type"]) == (200, "image/png")
        go_on.set()
        await stage.became(task_id, lambda task: task.state.final)
        (second,) = await steps_of(client, task_id, after=1)
        assert second["sequence"] == 2
        assert "screenshotUrl" not in second


async def test_steps_of_no_task_or_from_nowhere_are_refused_in_the_envelope(stage: Stage) -> None:
    async with stage.caller("read") as client:
        client.base_url = httpx.URL(f"{stage.origin}/api")
        nobodys = await client.get("/tasks/task_none/steps")
        assert (nobodys.status_code, nobodys.json()["error"]["code"]) == (404, "TASK_NOT_FOUND")
        wrong = await client.get("/tasks/task_none/steps", params={"after": "first"})
        assert (wrong.status_code, list(wrong.json()["error"]["details"]["fields"])) == (400, ["after"])


async def steps_of(client: httpx.AsyncClient, task_id: str, after: int = 0) -> list[dict[str, Any]]:
    answer = await client.get(f"/tasks/{task_id}/steps", params={"after": after})
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["taskId"] == task_id
    return answer.json()["data"]["steps"]
