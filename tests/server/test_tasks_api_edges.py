"""What the Tasks API makes of requests that its documents leave open, on both databases: never a 500."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.cloud.stage import Stage, staged

pytestmark = pytest.mark.anyio
RUN = {"platform": "browser", "tool": "runTask"}
JSON = {"Content-Type": "application/json"}
NEVER = ("startDate=0001-01-01T00:00:00%2B23:59", "endDate=9999-12-31T23:59:59-23:00")
"""Moments that are none in UTC."""
REFUSED: list[tuple[str, str, int, dict[str, Any]]] = [
    ("POST", "/tasks", 400, {"json": RUN | {"parameters": {"task": "a\x00b"}}}),
    ("POST", "/tasks", 400, {"content": rb'{"platform": "browser", "tool": "\ud800"}', "headers": JSON}),
    ("POST", "/tasks", 400, {"json": RUN | {"parameters": {"task": "x", "preferredEngine": []}}}),
    ("POST", "/tasks", 400, {"json": RUN | {"accountName": "n" * 300, "parameters": {"task": "x"}}}),
    ("POST", "/tasks", 400, {"json": RUN | {"parameters": {"accountName": "n" * 300, "task": "x"}}}),
    ("POST", "/tasks", 400, {"json": [1]}),
    ("GET", "/tasks/", 401, {"headers": {"Authorization": "Bearer none"}}),
    ("GET", "/nothing/", 404, {}),
    ("GET", "/accounts?status=lost", 400, {}),
    ("POST", "/tasks", 400, {"content": b"{", "headers": JSON}),
    ("POST", "/tasks", 413, {"content": b" " * 2_000_000, "headers": JSON}),
    ("POST", "/tasks", 415, {"content": b"a=1", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}),
    ("PUT", "/tasks", 405, {}),
    *(("GET", f"/{kind}/%00", 404, {}) for kind in ("tasks", "accounts", "webhooks", "platforms", "nothing")),
    ("DELETE", "/tasks/%00", 404, {}),
    *(
        ("GET", f"/tasks?{query}", 400, {})
        for query in ("limit=0", "offset=-1", "status=no", "startDate=no", "success=maybe", "platform=%00", *NEVER)
    ),
]
TAKEN = ["success=false", "status=cancelled", "endDate=2024-01-01", "startDate=2024-01-01T00:00:00%2B02:00", "tool=x"]


@pytest.fixture
async def stage(tmp_path: Path, database_url: str) -> AsyncGenerator[Stage]:
    async with staged(tmp_path / "data", database_url=database_url) as opened:
        yield opened


@pytest.fixture
async def client(stage: Stage) -> AsyncGenerator[httpx.AsyncClient]:
    async with stage.caller("read", "write") as opened:
        opened.base_url = httpx.URL(f"{stage.origin}/api")
        yield opened


async def test_every_refusal_comes_in_the_envelope_and_every_answer_as_documented(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    for method, path, status, sent in REFUSED:
        answer = await client.request(method, path, **sent)
        assert answer.status_code == status, (method, path, answer.text)
        assert answer.json()["success"] is False
        assert set(answer.json()["error"]) == {"code", "message", "details"}
    for query in TAKEN:
        assert (await client.get(f"/tasks?{query}")).json()["success"] is True, query
    many = await client.get("/tasks?limit=1000")
    assert many.json()["data"]["limit"] == 100
    assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(many.headers)

    sent = RUN | {"parameters": {"task": "x"}, "timeout": 10**30, "preferredEngine": "full"}
    made = await client.post("/tasks", json=sent, headers={"traceparent": "x" * 500})
    assert made.json()["data"]["timeout"] == 600_000
    ended = await client.get(f"/tasks/{made.json()['data']['taskId']}", params={"wait": 20})
    assert ended.json()["data"]["state"] == "completed"
    known = {"If-None-Match": ended.headers["etag"]}
    again = await client.get(f"/tasks/{made.json()['data']['taskId']}", headers=known)
    assert (again.status_code, again.content) == (304, b"")


async def test_a_slash_at_the_end_of_a_path_changes_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.get("/tasks/")).json() == (await client.get("/tasks")).json()
    made = await client.post("/tasks/", json=RUN | {"parameters": {"task": "x"}})
    assert made.json()["success"] is True
    assert (await client.get("/v1/ping/")).json() == {}
    assert (await client.get("/v1/nothing/")).json() == {"detail": "Not Found"}


async def test_null_means_that_nothing_is_said(client: httpx.AsyncClient) -> None:
    names = ("action", "accountName", "timeout", "preferredEngine", "dryRun", "approval", "allowDuplicate", "priority")
    made = await client.post("/tasks", json=RUN | {"parameters": {"task": "x"}} | dict.fromkeys(names))
    assert made.status_code == 200, made.text


async def test_what_is_wrong_is_said_in_the_callers_words_and_always_under_its_fields(
    client: httpx.AsyncClient,
) -> None:
    no_object = (await client.post("/tasks", json=[1])).json()["error"]
    assert no_object["message"] == "The body is a JSON object."
    too_short = (await client.post("/tasks", json=RUN | {"parameters": {"task": "x"}, "timeout": 1})).json()["error"]
    assert list(too_short["details"]) == ["fields"]
    assert list(too_short["details"]["fields"]) == ["timeout"]


async def test_a_key_that_asks_too_often_is_told_how_long_to_wait(stage: Stage) -> None:
    async with stage.caller("read", settings={"hourly": 1}) as client:
        await client.get("/tasks")
        refused = await client.get("/tasks")
        same = await client.get(f"{stage.origin}/api/tasks")
    assert (refused.status_code, same.status_code) == (429, 429)
    error = same.json()["error"]
    assert error["code"] == "RATE_LIMITED"
    for answer in (refused, same):
        assert answer.headers["x-ratelimit-remaining"] == "0"
        assert abs(int(answer.headers["retry-after"]) - error["retryAfter"]) <= 1


async def test_the_documented_path_of_signing_in_leads_to_the_page(stage: Stage, client: httpx.AsyncClient) -> None:
    first = (await client.post("/accounts/oauth/authorize", json={"platform": "x"})).json()["data"]
    assert (first["platform"], first["name"], first["status"]) == ("twitter", "my-twitter", "pending")
    assert first["authorizationUrl"] == first["signInUrl"]
    assert (await client.get(first["signInUrl"])).status_code == 200
    again = (await client.post("/accounts/oauth/authorize", json={"platform": "twitter"})).json()["data"]
    assert again["id"] == first["id"]
    assert again["signInUrl"] != first["signInUrl"]
