"""A front, and workers in processes of their own on PostgreSQL: whatever is asked of the front reaches the worker that runs the task."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from server.practice.faults import Faults
from tests.chaos.storm import MEMBER, Storm, storm
from tests.server.mcp.client import Raw, connected
from tests.server.mcp.client import told as structured
from tests.server.rfb_client import TIGHT_JPEG, VncClient, vnc_over_websocket

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]
SEAT = "seat-of-the-person-0001"


@pytest.fixture
async def world(postgres_url: str, tmp_path: Path) -> AsyncGenerator[Storm]:
    """A front, and a worker with a folder of its own; files lie in an object store."""
    bucket = f"file://{tmp_path / 'bucket'}"
    async with storm(
        tmp_path,
        tasks=0,
        database=postgres_url,
        workers=("first",),
        artifacts_url=bucket,
        lease="60",
        vnc_port="0",
    ) as world:
        world.accounts = 1
        await world.call("POST", "/api/accounts", json={"platform": "demo", "name": "account-0", "credentials": MEMBER})
        yield world


async def cloud(world: Storm, task_id: str) -> dict[str, Any]:
    """The task as Cloud v1 shows it."""
    headers = {"Authorization": f"Bearer {world.key}"}
    async with httpx.AsyncClient(base_url=world.base, headers=headers, timeout=30) as client:
        return (await client.get(f"/api/v1/task/{task_id}")).json()


async def until(world: Storm, task_id: str, *words: str) -> dict[str, Any]:
    """The task, once it is in one of these states or steps."""
    while True:
        task = await world.call("GET", f"/api/tasks/{task_id}", params={"wait": 1})
        if task["state"] in words or step_of(task) in words:
            return task
        assert task["state"] in {"pending", "processing"}, task


def step_of(task: dict[str, Any]) -> str | None:
    progress: dict[str, Any] = task.get("progress") or {}
    return progress.get("step")


async def told(news: ClientConnection, *, phase: str | None = None, state: str | None = None) -> dict[str, Any]:
    """The first news with a browser that say so."""
    while True:
        said = json.loads(await news.recv())
        if phase in (None, said["control"]["phase"]) and state in (None, said["task"]["state"]):
            return said


@asynccontextmanager
async def viewer(live: str) -> AsyncGenerator[VncClient]:
    async with vnc_over_websocket(f"{live}/ws?seat={SEAT}") as client:
        client.take(*TIGHT_JPEG)
        await client.pixels(incremental=False)
        yield client


async def press_everywhere(world: Storm, client: VncClient) -> None:
    """Clicks down the middle of the picture until the site knows that a person was there."""
    width, height = client.picture.size
    while True:
        for y in range(0, height, 16):
            for x in (width // 2, width // 2 - 120):
                for mask in (0, 1, 0):
                    client.send(">BBHH", 5, mask, x, y)
                await asyncio.sleep(0.05)  # a click on nothing changes nothing that could be waited for
                if any(session.solved for session in world.site.sessions.values()):
                    return


async def test_a_person_sees_takes_over_and_helps_a_task_through_a_front_on_another_machine(world: Storm) -> None:
    world.site.faults = Faults(challenge="acts")
    await world.create(0)
    task_id = world.created["Storm 0"]
    waiting = await until(world, task_id, "waiting_for_human")
    assert waiting["state"] == "processing"
    live = (await cloud(world, task_id))["live_url"].replace("http://", "ws://")
    assert live.startswith(world.base.replace("http://", "ws://")), "the front's own address"
    async with connect(f"{live}/news?seat={SEAT}") as news:
        said = await told(news, state="paused")
        while said["browser"] is None:
            said = await told(news)
        async with viewer(live) as client:
            assert client.picture.size[0] > 600
            assert len(client.picture.getcolors(10**6) or []) > 20, "a page is seen, not a blank"
            await news.send(json.dumps({"do": "take"}))
            await told(news, phase="held")
            await press_everywhere(world, client)
        await news.send(json.dumps({"do": "continue"}))
        ended = await until(world, task_id, "completed", "failed")
    assert ended["state"] == "completed", (ended, world.logs())
    assert world.site.counts["Storm 0"] == 1
    await see_its_files(world, task_id, live.replace("ws://", "http://"))


async def see_its_files(world: Storm, task_id: str, live: str) -> None:
    """The front hands out pictures that another machine took."""
    async with httpx.AsyncClient(base_url=world.base, timeout=30) as client:
        state = (await client.get(live + "/state")).json()
        shots = [step["screenshot"] for step in state["steps"] if step["screenshot"]]
        assert shots
        picture = await client.get(shots[0])
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
    assert picture.content.startswith(b"\xff\xd8")
    assert not (world.members["front"].folder / "run" / "tasks" / task_id).exists()


async def test_a_take_over_is_called_so_everywhere_and_the_raw_vnc_port_is_the_workers(world: Storm) -> None:
    """A person takes control of a task that runs: nobody is asked for, and only they are to let it go on."""
    world.site.faults = Faults(slow=2)
    await world.create(0)
    task_id = world.created["Storm 0"]
    await until(world, task_id, "processing")
    live = (await cloud(world, task_id))["live_url"].replace("http://", "ws://")
    async with connect(f"{live}/news?seat={SEAT}") as news:
        while (await told(news))["browser"] is None:
            pass
        await news.send(json.dumps({"do": "take"}))
        await told(news, phase="held")
        task = await until(world, task_id, "waiting_for_human")
        assert (task["state"], task["progress"]["reason"]) == ("processing", "take_over")
        assert (await cloud(world, task_id))["status"] == "paused"
        await see_what_a_model_is_told(world, task_id)
        await see_it_in_a_plain_viewer(live.replace("ws://", "http://"))
        await news.send(json.dumps({"do": "give_back"}))
        ended = await until(world, task_id, "completed", "failed")
    assert ended["state"] == "completed", (ended, world.logs())
    assert world.site.counts["Storm 0"] == 1


async def see_what_a_model_is_told(world: Storm, task_id: str) -> None:
    """It hears of the take-over, and that it is neither to ask anybody nor to resume the task."""
    async with connected(f"{world.base}/mcp", world.key) as client:
        answer = await client.call_tool("task_get", {"task_id": task_id})
    said = structured(answer)
    assert (said["status"], said["progress"]["paused_for"]) == ("paused", "take_over")
    assert "task_resume would take the control away" in said["next"]
    raw = Raw(f"{world.base}/mcp", world.key, {"extensions": {"io.modelcontextprotocol/tasks": {}}})
    assert (await raw.result("tasks/get", {"taskId": task_id}, task_id))["status"] == "working"


async def see_it_in_a_plain_viewer(live: str) -> None:
    """Over the worker's raw port, with the password that the front passes on."""
    async with httpx.AsyncClient(timeout=30) as client:
        door = (await client.post(f"{live}/vnc")).raise_for_status().json()
    async with asyncio.timeout(60):
        viewer = VncClient(*await asyncio.open_connection("127.0.0.1", door["port"]))
        await viewer.greet(door["password"])
        viewer.take(*TIGHT_JPEG)
        await viewer.pixels(incremental=False)
        await viewer.close()
        stranger = VncClient(*await asyncio.open_connection("127.0.0.1", door["port"]))
        with pytest.raises(PermissionError):
            await stranger.greet("a guess.")
        await stranger.close()
    assert viewer.picture.size[0] > 600
    assert len(viewer.picture.getcolors(10**6) or []) > 20, "a page is seen, not a blank"


async def test_a_task_is_paused_resumed_and_cancelled_through_the_front(world: Storm) -> None:
    world.site.faults = Faults(slow=2)
    await world.create(0)
    task_id = world.created["Storm 0"]
    await until(world, task_id, "processing")
    headers = {"Authorization": f"Bearer {world.key}"}
    async with httpx.AsyncClient(base_url=world.base, headers=headers, timeout=60) as client:
        (await client.put("/api/v1/pause-task", params={"task_id": task_id})).raise_for_status()
        await until(world, task_id, "waiting_for_human")
        (await client.put("/api/v1/resume-task", params={"task_id": task_id})).raise_for_status()
    world.site.faults = Faults(slow=20)
    await world.call("DELETE", f"/api/tasks/{task_id}")
    assert (await until(world, task_id, "cancelled", "completed"))["state"] == "cancelled"
    assert world.site.counts["Storm 0"] == 0


async def test_a_rolling_restart_loses_nothing(world: Storm, tmp_path: Path) -> None:
    """One worker drains while another joins; a token of the front's is no person's, and the other way round."""
    world.add("second", ["worker"])
    world.site.faults = Faults(slow=1)
    for number in range(4):
        await world.create(number)
    await until(world, world.created["Storm 0"], "processing")
    world.members["second"].start()
    world.members["first"].signal(signal.SIGTERM)
    async with asyncio.timeout(200):
        ended = await world.ended()
    assert world.outcomes(ended) == {"completed": 4}, world.logs()
    assert await asyncio.to_thread(world.members["first"].running.wait) == 0
    assert set(world.site.counts.values()) == {1}
