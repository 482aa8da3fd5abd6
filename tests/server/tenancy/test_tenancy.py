"""Nobody reaches what is another's: every route of the running app, called by another owner, with too small a key, and without one.

The routes are taken from the app itself and from the endpoints' own values, so that none can be forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from starlette.routing import BaseRoute, Mount, Route, Router, WebSocketRoute

from server.app import build_app
from server.rest.apis import cloud_api, tasks_api
from server.rest.endpoint import Endpoint
from tests.server.tenancy.conftest import ALICE, BOB, SCOPES, Two
from tests.server.tenancy.estate import UPLOAD, Estate, rows

pytestmark = pytest.mark.anyio
PUBLIC = {"platforms"}
"""What is named by an id and is everybody's."""
PAGES = {
    "/files/{name:path}",
    "/uploads/{name:path}",
    "/share/{token}",
    "/share/{token}/{picture}",
    "/live/{token}",
    "/live/{token}/state",
    "/live/{token}/news",
    "/live/{token}/ws",
    "/live/{token}/files",
    "/live/{token}/vnc",
    "/questions/{id}",
    "/sign-in/{token}",
    "/sign-in/{token}/start",
    "/sign-in/{token}/cancel",
    "/sign-in/live/{token}",
    "/sign-in/live/{token}/state",
    "/sign-in/live/{token}/news",
    "/sign-in/live/{token}/ws",
    "/sign-in/live/{token}/files",
    "/sign-in/live/{token}/vnc",
    "/tasks/{task_id}",
    "/tasks/{task_id}/events",
    "/tasks/{task_id}/{verb}",
    "/accounts/{account_id}/{verb}",
    "/new/{platform}/{tool}",
}
"""Every path outside the REST dialects that has a parameter: test_pages.py walks these."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one endpoint."""

    endpoint: Endpoint
    prefix: str
    path: str
    query: dict[str, str]

    @property
    def body(self) -> Any:
        """A documented example: what fails must fail for whose it is, not for its shape."""
        return next(iter(self.endpoint.body_examples.values()), None)

    def __str__(self) -> str:
        return f"{self.endpoint.method} {self.prefix}{self.path} {self.query or ''}"


def endpoints() -> list[tuple[str, Endpoint]]:
    """Every endpoint of both dialects, with where it is mounted; those that the documents do not show too."""
    return [(api.prefix, endpoint) for api in (tasks_api(), cloud_api()) for endpoint in api.endpoints]


def things(kind: str, parameter: str, estate: Estate) -> Sequence[str]:
    """The ids that an estate has for a parameter of a path; a new kind of thing must be named here."""
    if parameter == "file_name":
        return ["report.csv"]
    if parameter == "delivery_id":
        return [estate.delivery]
    return {
        "tasks": estate.tasks,
        "task": estate.tasks,
        "stop-task": estate.tasks,
        "pause-task": estate.tasks,
        "resume-task": estate.tasks,
        "accounts": [estate.account],
        "webhooks": [estate.webhook],
        "scheduled-task": [estate.schedule],
        "browser-profiles": [estate.profile],
    }[kind]


def calls(prefix: str, endpoint: Endpoint, hers: Estate, his: Estate) -> Iterator[Call]:
    """The endpoint with each of her things in the place of each of its ids; of several ids also with his outer and her inner one."""
    kind, names = endpoint.path.split("/")[1], re.findall(r"{(\w+)}", endpoint.path)
    if kind in PUBLIC:
        return
    if not names and endpoint.query is not None and "task_id" in endpoint.query.model_fields:
        yield from (Call(endpoint, prefix, endpoint.path, {"task_id": task}) for task in hers.tasks)
    for number in range(len(names)):
        if names[number] == "file_name":
            continue  # a name inside a task, which is walked as the task's id
        for value in things(kind, names[number], hers):
            path = endpoint.path
            for place, name in enumerate(names):
                other = things(kind, name, his if place < number else hers)[0]
                path = path.replace(f"{{{name}}}", value if place == number else other)
            yield Call(endpoint, prefix, path, {})


async def ask(two: Two, call: Call, secret: str | None) -> httpx.Response:
    async with two.stage.client(secret) as client:
        url = f"{two.stage.origin}{call.prefix}{call.path}"
        return await client.request(call.endpoint.method, url, params=call.query, json=call.body)


def refused(answer: httpx.Response, status: int, call: Call) -> Any:
    """The refusal is this status, in its dialect's own shape."""
    assert answer.status_code == status, f"{call}: {answer.status_code} {answer.text[:300]}"
    body = answer.json()
    if call.prefix == "/api":
        assert set(body) == {"success", "error"}, call
        assert body["success"] is False, call
        assert {"code", "message", "details"} <= set(body["error"]), call
    elif call.endpoint.path == "/me":
        assert body is False
    else:
        assert set(body) == {"detail"}, call
        assert isinstance(body["detail"], str), call
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer", call
    return body


def allows(scope: str, endpoint: Endpoint) -> bool:
    return scope in ("admin", endpoint.scope)


async def test_another_owners_id_is_unknown_everywhere_and_nothing_changes(two: Two) -> None:
    before, walked = await rows(two.stage, ALICE), 0
    for prefix, endpoint in endpoints():
        for call in calls(prefix, endpoint, two.alice, two.bob):
            for scope in SCOPES:
                answer = await ask(two, call, two.keys[BOB, scope])
                refused(answer, 404 if allows(scope, endpoint) else 403, call)
                assert not any(link in answer.text for link in two.alice.links), call
                walked += 1
    assert walked > 150
    assert await rows(two.stage, ALICE) == before


async def test_another_owners_id_is_answered_as_one_that_nobody_has(two: Two) -> None:
    for prefix, endpoint in endpoints():
        for call in calls(prefix, endpoint, two.alice, two.bob):
            theirs = (await ask(two, call, two.keys[BOB, "admin"])).text
            nobodys = "00000000-0000-7000-8000-000000000000"
            text = str(call.query.get("task_id") or call.path)
            mine = next(part for part in two.alice.ids if part in text)
            unknown = Call(
                endpoint,
                prefix,
                call.path.replace(mine, nobodys),
                dict.fromkeys(call.query, nobodys),
            )
            answer = await ask(two, unknown, two.keys[BOB, "admin"])
            assert answer.text == theirs.replace(mine, nobodys), call


async def test_no_list_shows_what_is_another_owners(two: Two) -> None:
    for prefix, endpoint in endpoints():
        if endpoint.method == "GET" and "{" not in endpoint.path:
            call = Call(endpoint, prefix, endpoint.path, {})
            answer = await ask(two, call, two.keys[BOB, "admin"])
            assert answer.status_code == 200, call
            assert not any(name in answer.text for name in (*two.alice.ids, two.alice.account_name)), call


async def test_nothing_new_can_be_made_of_another_owners_things(two: Two) -> None:
    async with two.stage.client(two.keys[BOB, "admin"]) as bob:
        post = {"platform": "demo", "tool": "createPost", "parameters": {"text": "x"}}
        by_name = await bob.post(f"{two.stage.origin}/api/tasks", json=post | {"accountName": two.alice.account_name})
        assert (by_name.status_code, by_name.json()["error"]["code"]) == (404, "ACCOUNT_NOT_FOUND")
        by_id = await bob.get(f"{two.stage.origin}/api/tasks", params={"accountId": two.alice.account})
        assert by_id.json()["data"]["total"] == 0
        with_profile = await bob.post("/run-task", json={"task": "x", "browser_profile_id": two.alice.profile})
        assert with_profile.status_code == 404
        async with two.stage.caller("write") as nobody:  # who has uploaded nothing
            files = {"task": "x", "included_file_names": [UPLOAD]}
            hourly = {"schedule_type": "interval", "interval_minutes": 60}
            assert (await nobody.post("/run-task", json=files)).status_code == 400
            assert (await nobody.post("/scheduled-task", json=files | hourly)).status_code == 400


async def test_a_key_of_too_small_a_scope_is_refused_with_its_owners_own_things_too(two: Two) -> None:
    before = await rows(two.stage, ALICE)
    for prefix, endpoint in endpoints():
        found = list(calls(prefix, endpoint, two.alice, two.bob)) or [Call(endpoint, prefix, endpoint.path, {})]
        for scope in SCOPES:
            if endpoint.scope is not None and not allows(scope, endpoint):
                refused(await ask(two, found[0], two.keys[ALICE, scope]), 403, found[0])
    assert await rows(two.stage, ALICE) == before


async def test_without_a_key_or_with_a_bad_one_nothing_is_answered(two: Two) -> None:
    before = await rows(two.stage, ALICE)
    open_to_all = {"/ping", "/health-check", "/openapi.json"}
    for prefix, endpoint in endpoints():
        found = list(calls(prefix, endpoint, two.alice, two.bob)) or [Call(endpoint, prefix, endpoint.path, {})]
        for secret in (None, "sk_live_of_nobody"):
            if endpoint.path in open_to_all:
                assert (await ask(two, found[0], secret)).status_code == 200, found[0]
            else:
                refused(await ask(two, found[0], secret), 401, found[0])
    assert await rows(two.stage, ALICE) == before


def test_no_path_of_the_app_is_left_out(two: Two) -> None:
    rest = {f"{prefix}{endpoint.path}" for prefix, endpoint in endpoints()}
    found = {path for path in paths(build_app(two.stage.house).routes) if "{" in path}
    assert found - rest == PAGES
    assert {path for path in rest if "{" in path} <= found
    assert all(tag.scope is not None for _, tag in endpoints() if "{" in tag.path)


def paths(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[str]:
    """Every path that the app routes."""
    for route in routes:
        if isinstance(route, Route | WebSocketRoute):
            yield prefix + route.path
        elif isinstance(route, Mount):
            inner: Any = route.app
            below = route.routes or (inner.routes if isinstance(inner, Router) else [])
            yield from paths(below, prefix + route.path)
        else:
            raise AssertionError(route)
