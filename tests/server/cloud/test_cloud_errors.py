"""Every refusal of Cloud v1 in its shape, whoever refuses: keys, scopes, paths, methods, bodies, limits, defects."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from server.rest.cloud import refusals
from server.rest.cloud.routes import ENDPOINTS
from tests.server.cloud.stage import API, Stage, staged
from tools.errors import every_failure

pytestmark = pytest.mark.anyio
GUARDED = [endpoint for endpoint in ENDPOINTS if endpoint.scope is not None]


def detail(answer: httpx.Response) -> str:
    """The one member of an error that is no 422."""
    assert answer.json().keys() == {"detail"}
    assert isinstance(answer.json()["detail"], str)
    return answer.json()["detail"]


def path_of(path: str) -> str:
    return path.format(task_id="unknown", profile_id="unknown", file_name="unknown")


@pytest.mark.parametrize("sent", [None, "Bearer bu_not_a_key", "Bearer", "Basic c2tfbGl2ZV8=", "Bearer sk_live_é"])
async def test_a_missing_or_bad_key_is_a_401_everywhere(anyone: httpx.AsyncClient, sent: str | None) -> None:
    headers = httpx.Headers({"Authorization": sent} if sent is not None else {}, encoding="utf-8")
    for endpoint in GUARDED:
        answer = await anyone.request(endpoint.method, API + path_of(endpoint.path), headers=headers)
        assert answer.status_code == 401, endpoint.path
        assert answer.headers["www-authenticate"] == "Bearer"
        assert detail(answer)


async def test_me_says_true_or_false(client: httpx.AsyncClient, anyone: httpx.AsyncClient) -> None:
    good = await client.get("/me")
    assert (good.status_code, good.text) == (200, "true")
    for headers in ({}, {"Authorization": "Bearer sk_live_wrong"}):
        bad = await anyone.get(f"{API}/me", headers=headers)
        assert (bad.status_code, bad.text) == (401, "false")


async def test_ping_needs_no_key_and_minds_none(client: httpx.AsyncClient, anyone: httpx.AsyncClient) -> None:
    answers = [await anyone.get(f"{API}/ping"), await client.get("/ping")]
    answers.append(await anyone.get(f"{API}/ping", headers={"Authorization": "Bearer sk_live_wrong"}))
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, "{}")}
    assert (await anyone.get(f"{API}/health-check")).json() == {}


async def test_a_key_that_may_only_read_changes_nothing(stage: Stage) -> None:
    async with stage.caller("read") as reader:
        for endpoint in GUARDED:
            answer = await reader.request(endpoint.method, path_of(endpoint.path))
            if endpoint.scope == "write":
                assert answer.status_code == 403, endpoint.path
                assert "write" in detail(answer)
            else:
                assert answer.status_code != 403, endpoint.path


async def test_an_unknown_path_and_a_wrong_method_keep_the_shape(client: httpx.AsyncClient) -> None:
    unknown = await client.get("/no-such-path")
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "Not Found"})
    wrong = await client.delete("/run-task")
    assert (wrong.status_code, wrong.json()) == (405, {"detail": "Method Not Allowed"})
    assert wrong.headers["allow"] == "POST"


async def test_ids_that_no_row_can_have_are_not_found(client: httpx.AsyncClient) -> None:
    for odd in ("%00", "a%00b", "%ff", "x" * 500, "1'--"):
        assert (await client.get(f"/task/{odd}/status")).json() == {"detail": "Task not found"}
        assert (await client.put("/stop-task?task_id=" + odd)).json() == {"detail": "Task not found"}
        assert (await client.get(f"/scheduled-task/{odd}")).status_code == 404
        assert (await client.get(f"/browser-profiles/{odd}")).status_code == 404


async def test_a_body_that_is_no_json_or_too_large_is_refused_in_shape(client: httpx.AsyncClient) -> None:
    form = await client.post("/run-task", data={"task": "x"})
    assert form.status_code == 415
    assert detail(form)
    large = await client.post("/run-task", json={"task": "x", "padding": "x" * 1_100_000})
    assert large.status_code == 413
    assert detail(large)


async def test_a_rate_limited_key_is_told_when_to_come_back(stage: Stage) -> None:
    async with stage.caller(settings={"hourly": 2}) as client:
        answers = [await client.get("/tasks") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert int(answers[2].headers["retry-after"]) > 0
        assert detail(answers[2])


async def test_a_defect_is_a_500_that_tells_nothing(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, stage.caller() as client:
        async with stage.house.database.writing() as session:
            await session.execute(text("DROP TABLE profile"))
        with capture_logs() as said:
            answer = await client.get("/browser-profiles")
        assert [one["event"] for one in said if one["log_level"] == "error"] == ["request.broke"], "told once"
        assert answer.status_code == 500
        assert "inside Webhand" in detail(answer)
        assert answer.headers["x-request-id"], "the log has it under this id"
        assert (await client.get("/ping")).status_code == 200


async def test_a_caller_who_goes_away_in_the_middle_of_a_body_is_no_defect(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, stage.caller() as client:
        url = httpx.URL(stage.origin)
        head = f"POST {API}/run-task HTTP/1.1\r\nHost: x\r\nAuthorization: {client.headers['authorization']}\r\n"
        with capture_logs() as said:
            _, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(f"{head}Content-Length: 100\r\n\r\n{{".encode())
            await writer.drain()
            writer.close()
            while not [one for one in said if one["event"] == "request"]:  # noqa: ASYNC110  # the log tells nobody
                await asyncio.sleep(0.01)
        assert not [one for one in said if one["log_level"] == "error"]


async def test_a_defect_outside_the_dialects_is_a_500_that_tells_nothing(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, stage.caller() as client:
        async with stage.house.database.writing() as session:
            await session.execute(text("ALTER TABLE task RENAME TO gone"))
        with capture_logs() as said:
            answer = await client.get(f"{stage.origin}/share/anything")
        # Beside what the worker says, which misses the table too.
        told = [one["event"] for one in said if one["event"].startswith("request")]
        assert told == ["request.broke", "request"]
        assert (answer.status_code, bool(answer.headers["x-request-id"])) == (500, True)
        assert "inside Webhand" in answer.text
        assert (await client.get("/ping")).status_code == 200


def test_every_failure_has_a_status() -> None:
    statuses = {failure.__name__: refusals.status_of(failure) for failure in every_failure(elsewhere=True)}
    assert statuses["TaskNotFound"] == statuses["ScheduleNotFound"] == statuses["ProfileNotFound"] == 404
    assert statuses["NotCancellable"] == statuses["Conflict"] == 400
    assert statuses["IdempotencyReused"] == 409
    assert statuses["InvalidParameters"] == statuses["Unprocessable"] == 422
    assert statuses["InsufficientCredits"] == 402
    assert statuses["NoSearchPage"] == 501
    assert all(400 <= status < 600 for status in statuses.values())
