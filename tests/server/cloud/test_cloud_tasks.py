"""Tasks of Cloud v1, from created to their end: views, words, steering, pages."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest

from agent.engine import Assignment, Desk, Outcome
from server.rest.cloud.wire import STATES
from storage.states import TaskState
from tests.server.cloud.stage import Stage, begun, ran, step
from tools.errors import AgentFailed, TimedOut

pytestmark = pytest.mark.anyio
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
KEYS = {
    "id",
    "task",
    "status",
    "created_at",
    "steps",
    "output",
    "live_url",
    "finished_at",
    "browser_data",
    "user_uploaded_files",
    "output_files",
    "public_share_url",
    "metadata",
}


class Standstill:
    """An act that stands between two steps until the test lets it go on."""

    def __init__(self) -> None:
        self.there = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, assignment: Assignment, desk: Desk) -> Outcome:
        await desk.step(step(1))
        self.there.set()
        while not self.go.is_set():
            await desk.gate()
            await asyncio.sleep(0.01)  # what an engine does between two steps takes a moment
        await desk.step(step(2))
        return Outcome({"output": "done"})


@pytest.fixture
def standstill(stage: Stage) -> Standstill:
    act = Standstill()
    stage.actor.acts["stand still"] = act
    return act


async def fail(assignment: Assignment, desk: Desk) -> Outcome:
    raise AgentFailed("The site sells nothing.")


async def time_out(assignment: Assignment, desk: Desk) -> Outcome:
    raise TimedOut


def test_every_stored_state_has_a_word() -> None:
    assert set(STATES) == set(TaskState)
    assert STATES[TaskState.PENDING] == "created"
    assert STATES[TaskState.PROCESSING] == "running"
    assert STATES[TaskState.PAUSED] == "paused"
    assert STATES[TaskState.COMPLETED] == "finished"
    assert STATES[TaskState.FAILED] == STATES[TaskState.TIMEOUT] == "failed"
    assert STATES[TaskState.CANCELLED] == "stopped"


async def test_a_finished_task_has_every_member(client: httpx.AsyncClient) -> None:
    task_id = await ran(client, metadata={"customer": "42"})
    task = (await client.get(f"/task/{task_id}")).json()
    assert task.keys() == KEYS
    assert (task["id"], task["task"], task["status"]) == (task_id, "Report the title of example.com", "finished")
    assert MOMENT.fullmatch(task["created_at"])
    assert MOMENT.fullmatch(task["finished_at"])
    assert task["output"] == "Example Domain"
    assert task["output_files"] == ["report.csv"]
    assert task["metadata"] == {"customer": "42"}
    assert task["live_url"] is task["browser_data"] is task["public_share_url"] is task["user_uploaded_files"] is None
    assert [entry.keys() for entry in task["steps"]] == [
        {"id", "step", "evaluation_previous_goal", "next_goal", "url"}
    ] * 2
    assert [entry["step"] for entry in task["steps"]] == [1, 2]
    assert task["steps"][0]["next_goal"] == "Goal 1"


async def test_a_task_that_has_just_been_created_has_every_member_too(
    client: httpx.AsyncClient, standstill: Standstill
) -> None:
    task_id = await begun(client, "stand still")
    await standstill.there.wait()
    task = (await client.get(f"/task/{task_id}")).json()
    assert task.keys() == KEYS
    assert task["status"] == "running"
    assert task["output"] is task["finished_at"] is task["metadata"] is task["output_files"] is None
    standstill.go.set()


async def test_a_failed_task_also_says_why(stage: Stage, client: httpx.AsyncClient) -> None:
    stage.actor.acts |= {"fail": fail, "take for ever": time_out}
    task = (await client.get(f"/task/{await ran(client, 'fail')}")).json()
    assert (task["status"], task["output"]) == ("failed", None)
    assert task["error"] == {"code": "AGENT_FAILED", "message": "The site sells nothing."}
    assert (await client.get(f"/task/{await ran(client, 'take for ever')}/status")).json() == "failed"


async def test_the_status_is_a_bare_json_text(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/task/{await ran(client)}/status")
    assert answer.text == '"finished"'
    assert answer.headers["content-type"] == "application/json"


async def test_a_request_may_wait_for_the_end(client: httpx.AsyncClient, standstill: Standstill) -> None:
    task_id = await begun(client, "stand still")
    await standstill.there.wait()
    assert (await client.get(f"/task/{task_id}/status", params={"wait": "0.1"})).json() == "running"
    waiting = asyncio.create_task(client.get(f"/task/{task_id}", params={"wait": 20}))
    standstill.go.set()
    assert (await waiting).json()["status"] == "finished"
    assert (await client.get(f"/task/{task_id}", params={"wait": 61})).status_code == 422


async def test_the_live_url_needs_no_key_and_ends_with_the_task(
    stage: Stage, client: httpx.AsyncClient, anyone: httpx.AsyncClient, standstill: Standstill
) -> None:
    task_id = await begun(client, "stand still")
    await standstill.there.wait()
    url = (await client.get(f"/task/{task_id}")).json()["live_url"]
    assert url.startswith(f"{stage.origin}/live/")
    assert (await anyone.get(url)).status_code == 200
    listed = (await client.get("/tasks")).json()["tasks"][0]["live_url"]
    assert (await anyone.get(listed)).status_code == 200
    standstill.go.set()
    ended = (await client.get(f"/task/{task_id}", params={"wait": 20})).json()
    assert ended["live_url"] is None


async def test_a_key_that_only_reads_gets_a_live_url_that_only_watches(stage: Stage, standstill: Standstill) -> None:
    async with (
        stage.caller("write", "read", owner="watched") as writer,
        stage.caller("read", owner="watched") as reader,
    ):
        task_id = await begun(writer, "stand still")
        await standstill.there.wait()
        urls = [(await caller.get(f"/task/{task_id}")).json()["live_url"] for caller in (writer, reader)]
        signed = [stage.house.signer.verify("live", url.rpartition("/")[2]) for url in urls]
        assert [one.rights if one else None for one in signed] == [{"control"}, set()]
        standstill.go.set()


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("place", ["query", "path", "body"])
async def test_a_task_is_paused_resumed_and_stopped_in_every_spelling(
    stage: Stage, client: httpx.AsyncClient, standstill: Standstill, method: str, place: str
) -> None:
    async def steer(verb: str) -> httpx.Response:
        if place == "query":
            return await client.request(method, f"/{verb}-task", params={"task_id": task_id})
        if place == "path":
            return await client.request(method, f"/{verb}-task/{task_id}")
        return await client.request(method, f"/{verb}-task", json={"task_id": task_id})

    task_id = await begun(client, "stand still")
    await standstill.there.wait()
    paused = await steer("pause")
    assert (paused.status_code, paused.json()) == (200, {})
    await stage.became(task_id, lambda task: task.state is TaskState.PAUSED)
    assert (await client.get(f"/task/{task_id}/status")).json() == "paused"
    standstill.go.set()
    resumed = await steer("resume")
    assert (resumed.status_code, resumed.json()) == (200, {})
    assert (await client.get(f"/task/{task_id}/status", params={"wait": 20})).json() == "finished"

    standstill.go.clear()
    task_id = await begun(client, "stand still")
    stopped = await steer("stop")
    assert (stopped.status_code, stopped.json()) == (200, {})
    assert (await client.get(f"/task/{task_id}/status")).json() == "stopped"


async def test_a_paused_task_can_be_stopped(stage: Stage, client: httpx.AsyncClient, standstill: Standstill) -> None:
    task_id = await begun(client, "stand still")
    await standstill.there.wait()
    await client.put("/pause-task", params={"task_id": task_id})
    await stage.became(task_id, lambda task: task.state is TaskState.PAUSED)
    assert (await client.put("/stop-task", params={"task_id": task_id})).status_code == 200
    assert (await client.get(f"/task/{task_id}/status")).json() == "stopped"


async def test_what_a_state_does_not_allow_is_a_400_in_the_known_words(
    stage: Stage, client: httpx.AsyncClient, standstill: Standstill
) -> None:
    async def refused(verb: str, task_id: str) -> str:
        answer = await client.put(f"/{verb}-task", params={"task_id": task_id})
        assert answer.status_code == 400
        return answer.json()["detail"]

    finished = await ran(client)
    assert await refused("stop", finished) == "Agent session already finished"
    assert await refused("pause", finished) == "Agent session is not running"
    assert await refused("resume", finished) == "Agent session is not paused"
    stage.actor.acts["fail"] = fail
    assert await refused("stop", await ran(client, "fail")) == "Agent session already failed"
    stopped = await begun(client, "stand still")
    await standstill.there.wait()
    assert await refused("resume", stopped) == "Agent session is not paused"
    await client.put("/stop-task", params={"task_id": stopped})
    assert await refused("stop", stopped) == "Agent session already stopped"
    assert await refused("resume", stopped) == "Agent session is not paused"


async def test_steering_needs_to_know_which_task(client: httpx.AsyncClient) -> None:
    for verb in ("stop", "pause", "resume"):
        answer = await client.put(f"/{verb}-task")
        assert answer.status_code == 422
        assert answer.json() == {
            "detail": [{"loc": ["query", "task_id"], "msg": "field required", "type": "value_error.missing"}]
        }
        assert (await client.put(f"/{verb}-task", content=b"not json")).status_code == 422
        unknown = await client.put(f"/{verb}-task", params={"task_id": "task_nobody_has"})
        assert (unknown.status_code, unknown.json()) == (404, {"detail": "Task not found"})


async def test_a_task_that_waits_for_approval_is_not_resumed_by_whoever_asked_for_it(stage: Stage) -> None:
    async with stage.caller(settings={"approval": True}) as client:
        task_id = await begun(client)
        assert (await client.get(f"/task/{task_id}/status")).json() == "paused"
        answer = await client.put("/resume-task", params={"task_id": task_id})
        assert answer.status_code == 400
        assert "approval" in answer.json()["detail"]
        assert (await client.put("/stop-task", params={"task_id": task_id})).status_code == 200


async def test_pages_are_newest_first_and_count_what_there_is(client: httpx.AsyncClient) -> None:
    empty = (await client.get("/tasks")).json()
    assert empty == {"tasks": [], "total_pages": 1, "page": 1, "limit": 10, "total_count": 0}
    ids = [await ran(client) for _ in range(3)]
    first = (await client.get("/tasks", params={"limit": 2})).json()
    second = (await client.get("/tasks", params={"limit": 2, "page": 2})).json()
    beyond = (await client.get("/tasks", params={"limit": 2, "page": 10**30})).json()
    assert [task["id"] for task in first["tasks"] + second["tasks"]] == ids[::-1]
    assert first["tasks"][0].keys() == {"id", "task", "output", "status", "created_at", "finished_at", "live_url"}
    assert (first["total_pages"], first["page"], first["limit"], first["total_count"]) == (2, 1, 2, 3)
    assert beyond["tasks"] == []


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"page": 0}, "value_error.number.not_ge"),
        ({"limit": 0}, "value_error.number.not_ge"),
        ({"limit": 101}, "value_error.number.not_le"),
        ({"page": "x"}, "type_error.integer"),
    ],
)
async def test_a_page_that_cannot_be_is_a_422(client: httpx.AsyncClient, query: dict[str, object], kind: str) -> None:
    answer = await client.get("/tasks", params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", next(iter(query))]
    assert answer.json()["detail"][0]["type"] == kind


async def test_a_task_of_another_dialect_is_read_in_words(stage: Stage) -> None:
    async with stage.caller(owner="both") as client:
        asked = await client.post(
            f"{stage.origin}/api/tasks",
            json={"platform": "browser", "tool": "runTask", "parameters": {"task": "Report the title of example.com"}},
        )
        task_id = asked.json()["data"]["taskId"]
        task = (await client.get(f"/task/{task_id}", params={"wait": 20})).json()
        assert task.keys() == KEYS
        assert (task["task"], task["status"]) == ("Report the title of example.com", "finished")


async def test_another_owners_task_does_not_exist(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    task_id = await ran(client)
    paths = ["", "/status", "/media", "/screenshots", "/gif", "/output-file/report.csv"]
    answers = [await stranger.get(f"/task/{task_id}{path}") for path in paths]
    answers += [
        await stranger.put(f"/{verb}-task", params={"task_id": task_id}) for verb in ("stop", "pause", "resume")
    ]
    answers += [await stranger.post(f"/task/{task_id}/share"), await stranger.delete(f"/task/{task_id}/share")]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, '{"detail":"Task not found"}')}
    assert (await stranger.get("/tasks")).json()["total_count"] == 0
