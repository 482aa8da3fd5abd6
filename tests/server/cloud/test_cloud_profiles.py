"""Browser profiles: a kept login, and settings for tasks that do not say them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from agent.engine import Assignment, Desk, Outcome, Viewport
from tests.server.cloud.stage import Stage, ran

pytestmark = pytest.mark.anyio
WORK: dict[str, Any] = {
    "profile_name": "Work",
    "description": "",
    "persist": True,
    "ad_blocker": True,
    "proxy": True,
    "proxy_country_code": "US",
    "browser_viewport_width": 1280,
    "browser_viewport_height": 960,
}
LOGIN = {"cookies": [{"name": "session", "value": "abc"}], "origins": []}


async def created(client: httpx.AsyncClient, **fields: Any) -> str:
    answer = await client.post("/browser-profiles", json={"profile_name": "Work", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["profile_id"]


async def log_in(assignment: Assignment, desk: Desk) -> Outcome:
    known = assignment.login.state if assignment.login is not None else None
    return Outcome({"output": "known" if known == LOGIN else "unknown"}, login_state=LOGIN)


async def output(client: httpx.AsyncClient, task_id: str) -> str:
    return (await client.get(f"/task/{task_id}")).json()["output"]


async def test_a_profile_has_the_documented_members_and_defaults(client: httpx.AsyncClient) -> None:
    answer = await client.post("/browser-profiles", json={"profile_name": "Work"})
    profile = answer.json()
    assert profile == {"profile_id": profile["profile_id"], **WORK}
    assert (await client.get(f"/browser-profiles/{profile['profile_id']}")).json() == profile


async def test_a_change_leaves_everything_else_as_it_is(client: httpx.AsyncClient) -> None:
    profile_id = await created(client, description="mine")
    changed = await client.put(
        f"/browser-profiles/{profile_id}",
        json={"proxy_country_code": "de", "ad_blocker": False, "persist": None, "whatever": 1},
    )
    assert changed.json() == {
        **WORK,
        "profile_id": profile_id,
        "description": "mine",
        "proxy_country_code": "DE",
        "ad_blocker": False,
    }
    assert (await client.put(f"/browser-profiles/{profile_id}", json={})).json() == changed.json()


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"profile_name": None}, "profile_name"),
        ({"profile_name": ""}, "profile_name"),
        ({"proxy_country_code": "XX"}, "proxy_country_code"),
        ({"browser_viewport_width": 1}, "browser_viewport_width"),
        ({"persist": "perhaps"}, "persist"),
    ],
)
async def test_what_cannot_be_is_a_422(client: httpx.AsyncClient, fields: dict[str, Any], where: str) -> None:
    answer = await client.post("/browser-profiles", json={"profile_name": "Work", **fields})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", where]


async def test_profiles_are_listed_and_deleted(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    ids = [await created(client) for _ in range(2)]
    page = (await client.get("/browser-profiles")).json()
    assert [entry["profile_id"] for entry in page.pop("profiles")] == ids[::-1]
    assert page == {"total_pages": 1, "page": 1, "limit": 10, "total_count": 2}
    for method in ("GET", "PUT", "DELETE"):
        answer = await stranger.request(method, f"/browser-profiles/{ids[0]}", json={} if method == "PUT" else None)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Browser profile not found"})
    assert (await client.delete(f"/browser-profiles/{ids[0]}")).json() == {}
    assert (await client.get(f"/browser-profiles/{ids[0]}")).status_code == 404
    assert (await stranger.get("/browser-profiles")).json()["total_count"] == 0


async def test_the_same_idempotency_key_makes_one_profile(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "work"}
    answers = [await client.post("/browser-profiles", json={"profile_name": "Work"}, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    other = await client.post("/browser-profiles", json={"profile_name": "Home"}, headers=headers)
    assert other.status_code == 409


async def test_a_profile_speaks_for_the_task_where_that_says_nothing(stage: Stage, client: httpx.AsyncClient) -> None:
    profile_id = await created(client, ad_blocker=False, browser_viewport_width=800, browser_viewport_height=600)
    plain = stage.assignment(await ran(client, browser_profile_id=profile_id)).options
    assert (plain.viewport, plain.use_adblock) == (Viewport(800, 600), False)
    said = await ran(client, browser_profile_id=profile_id, use_adblock=True, browser_viewport_width=1000)
    own = stage.assignment(said).options
    assert (own.viewport, own.use_adblock) == (Viewport(1000, 600), True)


async def test_a_login_is_kept_for_the_next_task_with_the_same_profile(stage: Stage, client: httpx.AsyncClient) -> None:
    stage.actor.acts["log in"] = log_in
    keeping, forgetting = await created(client), await created(client, persist=False)
    for profile_id, second in ((keeping, "known"), (forgetting, "unknown")):
        assert await output(client, await ran(client, "log in", browser_profile_id=profile_id)) == "unknown"
        assert await output(client, await ran(client, "log in", browser_profile_id=profile_id)) == second
    assert "abc" not in (await client.get(f"/browser-profiles/{keeping}")).text
    row = await stage.house.profile_store.get(keeping)
    assert row is not None
    assert b"session" not in (row.login_state or b"")


async def test_saved_browser_data_is_there_for_later_tasks_until_it_is_deleted(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    stage.actor.acts["log in"] = log_in
    assert await output(client, await ran(client, "log in")) == "unknown"
    assert await output(client, await ran(client, "log in", save_browser_data=True)) == "unknown", "nothing was kept"
    assert await output(client, await ran(client, "log in")) == "known"
    for _ in range(2):
        answer = await client.post("/delete-browser-profile-for-user")
        assert (answer.status_code, answer.json()) == (200, {})
    assert await output(client, await ran(client, "log in")) == "unknown"
