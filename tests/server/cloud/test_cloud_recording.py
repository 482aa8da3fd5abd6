"""A task of Cloud v1 leaves a video of its own browser, whatever comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser

from agent.chromium import Chromium, find_chromium
from agent.engine import Assignment, Desk, Outcome
from tests.agent.screens import colour, driven_chromium, driven_page
from tests.server.cloud.stage import Stage, begun, ran, staged
from tools.errors import AgentFailed

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def driven(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[Chromium, Browser]]:
    found = find_chromium(None)
    assert found, "these tests need a Chromium: webhand doctor --fix installs one"
    async with driven_chromium(found, tmp_path_factory.mktemp("run")) as both:
        yield both


@pytest.fixture(scope="module")
async def stage(driven: tuple[Chromium, Browser], tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    async def browse(assignment: Assignment, desk: Desk) -> Outcome:
        async with driven_page(*driven) as (page, window):
            await page.goto(colour("red"))
            desk.show(window)
            recording = assignment.folder / f"{assignment.task_id}.mp4"
            async with asyncio.timeout(60):
                while not await asyncio.to_thread(recording.exists):  # the encoder begins with the second frame
                    await page.evaluate("document.body.textContent = Math.random()")
                    await asyncio.sleep(0.05)
            if assignment.parameters == stop:
                await asyncio.Event().wait()
            desk.show(None)
        if assignment.parameters == fail:
            raise AgentFailed
        return Outcome({"output": "seen"})

    async with staged(tmp_path_factory.mktemp("data"), record=True) as stage:
        tool = stage.house.catalog.tool("browser", "runTask")
        stop, fail = (tool.parameters.model_validate({"task": task}) for task in ("stop", "fail"))
        stage.actor.acts |= dict.fromkeys(("finish", "stop", "fail"), browse)
        yield stage


async def recording(client: httpx.AsyncClient, task_id: str) -> bytes:
    (url,) = (await client.get(f"/task/{task_id}/media")).json()["recordings"]
    assert urlsplit(str(url)).path.endswith(f"/{task_id}.mp4")
    async with httpx.AsyncClient(trust_env=False) as keyless:
        answer = await keyless.get(url)
    assert answer.headers["content-type"] == "video/mp4"
    return answer.content


@pytest.mark.parametrize("task", ["finish", "fail"])
async def test_a_task_that_ends_leaves_its_video(client: httpx.AsyncClient, task: str) -> None:
    video = await recording(client, await ran(client, task))
    assert video[4:8] == b"ftyp"


async def test_a_task_that_is_stopped_leaves_its_video(stage: Stage, client: httpx.AsyncClient) -> None:
    task_id = await begun(client, "stop")
    video: Path = stage.house.settings.data / "scratch" / task_id / f"{task_id}.mp4"
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(video.exists):  # noqa: ASYNC110  # the encoder is another process
            await asyncio.sleep(0.02)
    assert (await client.put("/stop-task", params={"task_id": task_id})).status_code == 200
    assert (await client.get(f"/task/{task_id}/status")).json() == "stopped"
    assert (await recording(client, task_id))[4:8] == b"ftyp"


async def test_a_task_without_a_browser_leaves_none(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/task/{await ran(client)}/media")).json() == {"recordings": None}
