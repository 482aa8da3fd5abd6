"""Idempotency-Key on everything that creates something: the same request again, and another one under the same key."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from server.new_task import NewTask
from server.rest.apis import cloud_api, tasks_api
from storage.ids import mint
from storage.tables import Idempotency
from tests.server.cloud.stage import Stage, staged

pytestmark = pytest.mark.anyio
COOKIE = {"name": "auth", "value": "secret", "domain": "localhost", "path": "/"}
LOGIN = {"username": "alice", "password": "one"}
TASK = {"platform": "browser", "tool": "runTask", "parameters": {"task": "x"}}
HOURLY = {"task": "x", "schedule_type": "interval", "interval_minutes": 60, "start_at": "2100-01-01T00:00:00Z"}
HOOK = {"url": "http://127.0.0.1:9/hook", "events": ["task.completed"], "secret": "one"}
CASES: Mapping[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "POST /api/tasks": (
        TASK,
        [
            {"parameters": {"task": "y"}},
            {"timeout": 5000},
            {"dryRun": True},
            {"priority": 5},
            {"allowDuplicate": True},
            {"parameters": {"task": "x", "preferredEngine": "full"}},
            {"unknown": 1},
        ],
    ),
    "POST /api/accounts": (
        {"platform": "demo", "name": "me", "credentials": LOGIN},
        [
            {"name": "you"},
            {"credentials": LOGIN | {"password": "two"}},
            {"cookies": [COOKIE]},
            {"identity": "me"},
            {"approval": True},
        ],
    ),
    "POST /api/webhooks": (HOOK, [{"secret": "two"}, {"events": ["task.failed"]}, {"url": "http://127.0.0.1:9/other"}]),
    "POST /api/v1/run-task": (
        {"task": "x", "secrets": {"password": "one"}, "metadata": {"a": "1"}},
        [
            {"task": "y"},
            {"secrets": {"password": "two"}},
            {"secrets": None},
            {"metadata": {"a": "2"}},
            {"enable_public_share": True},
            {"save_browser_data": True},
            {"max_agent_steps": 5},
            {"allowed_domains": ["example.com"]},
        ],
    ),
    "POST /api/v1/scheduled-task": (
        HOURLY | {"secrets": {"password": "one"}},
        [
            {"secrets": {"password": "two"}},
            {"metadata": {"a": "2"}},
            {"enable_public_share": True},
            {"start_at": "2100-01-02T00:00:00Z"},
            {"end_at": "2100-02-01T00:00:00Z"},
            {"max_agent_steps": 5},
        ],
    ),
    "POST /api/v1/browser-profiles": ({"profile_name": "x"}, [{"profile_name": "y"}, {"persist": False}]),
    "POST /api/v1/uploads/presigned-url": (
        {"file_name": "a.csv", "content_type": "text/csv"},
        [{"file_name": "b.csv"}, {"content_type": "text/plain"}],
    ),
}
"""What creates something: a request, and what makes each other one of it."""


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    async with staged(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest.fixture
async def client(stage: Stage) -> AsyncGenerator[httpx.AsyncClient]:
    async with stage.caller("read", "write") as opened:
        opened.base_url = httpx.URL(stage.origin)
        yield opened


def test_everything_that_creates_something_takes_a_key() -> None:
    flagged = {
        f"{endpoint.method} {api.prefix}{endpoint.path}"
        for api in (tasks_api(), cloud_api())
        for endpoint in api.endpoints
        if endpoint.idempotent
    }
    assert flagged == set(CASES)


@pytest.mark.parametrize("endpoint", CASES)
async def test_a_key_stands_for_the_whole_body(client: httpx.AsyncClient, endpoint: str) -> None:
    path, (body, others) = endpoint.partition(" ")[2], CASES[endpoint]
    headers = {"Idempotency-Key": mint("key")}
    first = await client.post(path, json=body, headers=headers)
    assert first.status_code == 200, first.text
    again = await client.post(path, json=dict(reversed(body.items())), headers=headers)
    assert named(again.json()) == named(first.json())
    for other in others:
        clash = await client.post(path, json=body | other, headers=headers)
        assert clash.status_code == 409, (other, clash.text)
        said = clash.json()
        assert "detail" in said or said["error"]["code"] == "IDEMPOTENCY_KEY_REUSED", other
    fresh = await client.post(path, json=body | others[0], headers={"Idempotency-Key": mint("key")})
    assert named(fresh.json()) != named(first.json()), "another key makes another one"


@pytest.mark.parametrize("endpoint", CASES)
async def test_of_the_same_request_many_times_at_once_one_comes(client: httpx.AsyncClient, endpoint: str) -> None:
    path, (body, _) = endpoint.partition(" ")[2], CASES[endpoint]
    headers = {"Idempotency-Key": mint("key")}
    answers = await asyncio.gather(*(client.post(path, json=body, headers=headers) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({named(answer.json()) for answer in answers}) == 1


async def test_a_key_is_answered_with_what_it_made_whatever_has_changed_since(client: httpx.AsyncClient) -> None:
    announced = await client.post(
        "/api/v1/uploads/presigned-url", json={"file_name": "a.txt", "content_type": "text/plain"}
    )
    put = await client.put(announced.json()["upload_url"], content=b"x", headers={"Content-Type": "text/plain"})
    assert put.status_code == 200
    profile = (await client.post("/api/v1/browser-profiles", json={"profile_name": "short-lived"})).json()["profile_id"]
    task = {"task": "x", "included_file_names": ["a.txt"], "browser_profile_id": profile}
    for path, body in (("/api/v1/run-task", task), ("/api/v1/scheduled-task", HOURLY)):
        headers = {"Idempotency-Key": mint("key")}
        first = await client.post(path, json=body, headers=headers)
        assert first.status_code == 200, first.text
        await client.delete(f"/api/v1/browser-profiles/{profile}")
        assert (await client.post(path, json=body, headers=headers)).json() == first.json()


@pytest.mark.parametrize(
    ("endpoint", "there"),
    [
        ("POST /api/v1/scheduled-task", "/api/v1/scheduled-task/"),
        ("POST /api/v1/browser-profiles", "/api/v1/browser-profiles/"),
        ("POST /api/accounts", "/api/accounts/"),
    ],
)
async def test_a_key_whose_thing_was_deleted_makes_another_one(
    client: httpx.AsyncClient, endpoint: str, there: str
) -> None:
    path, (body, _) = endpoint.partition(" ")[2], CASES[endpoint]
    headers = {"Idempotency-Key": mint("key")}
    body = body | ({"name": mint("name")} if "name" in body else {})
    first = named((await client.post(path, json=body, headers=headers)).json())
    assert (await client.delete(f"{there}{first}")).status_code == 200
    second = named((await client.post(path, json=body, headers=headers)).json())
    assert (await client.get(f"{there}{second}")).status_code == 200
    assert named((await client.post(path, json=body, headers=headers)).json()) == second != first


async def test_a_key_that_is_no_text_is_a_fault_of_the_header(client: httpx.AsyncClient) -> None:
    refused = await client.post("/api/v1/run-task", json={"task": "x"}, headers={"Idempotency-Key": "k" * 256})
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["header", "idempotency-key"]


async def test_what_is_kept_of_a_request_tells_nothing_of_its_secrets(stage: Stage, client: httpx.AsyncClient) -> None:
    key = mint("key")
    await client.post("/api/webhooks", json=HOOK | {"secret": "correct horse"}, headers={"Idempotency-Key": key})
    async with stage.house.database.reading() as session:
        wanted = select(Idempotency).where(Idempotency.idempotency_key == key)  # pyright: ignore[reportArgumentType]  # a column
        row = (await session.execute(wanted)).scalar_one()
    path = stage.house.settings.data / "webhand.db"
    kept = path.read_bytes() + path.with_name("webhand.db-wal").read_bytes()
    assert b"correct horse" not in kept
    assert hashlib.sha256(b"correct horse").hexdigest().encode() not in kept
    assert len(row.request_hash) == 64


def test_without_a_body_everything_that_is_asked_for_counts() -> None:
    asked = NewTask(dialect="mcp", platform="browser", tool="runTask", parameters={"task": "x"})
    same = NewTask(dialect="mcp", platform="browser", tool="runTask", parameters={"task": "x"}, idempotency_key="k")
    other = NewTask(dialect="mcp", platform="browser", tool="runTask", parameters={"task": "x"}, secrets={"a": "b"})
    assert asked.told() == same.told() != other.told()


def named(answer: Any) -> str:
    """The id of what was made, wherever the answer has it."""
    told = answer.get("data", answer)
    if "upload_url" in told:  # a signed link, which is renewed now and then: what it is for
        claims = told["upload_url"].rpartition("=")[2].partition(".")[0]
        return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))[0])
    return str(told.get("taskId") or told.get("id") or told["profile_id"])
