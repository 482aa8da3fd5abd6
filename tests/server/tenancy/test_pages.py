"""The pages for people, the links that need no key, and MCP: what is another owner's is not there either."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import mcp_types as types
import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from starlette.routing import Route

from server.dashboard.routes import dashboard_routes
from tests.server.mcp.client import connected
from tests.server.tenancy.conftest import ALICE, BOB, SCOPES, Two
from tests.server.tenancy.estate import rows
from tests.web import caller

pytestmark = pytest.mark.anyio
VERBS = {
    "/tasks/{task_id}/{verb}": ("cancel", "pause", "resume", "approve", "reject", "share", "unshare", "other"),
    "/accounts/{account_id}/{verb}": ("connect", "check", "delete", "other"),
}
TAMPERED = "x" * 43
"""What no token's signature is."""


@asynccontextmanager
async def browser(two: Two, secret: str | None) -> AsyncGenerator[httpx.AsyncClient]:
    """Somebody at the pages, logged in with the key."""
    async with caller(base_url=two.stage.origin, headers={"Origin": two.stage.origin}) as opened:
        if secret is not None:
            assert (await opened.post("/login", data={"key": secret})).status_code == 303
        yield opened


def dashboard(two: Two) -> list[tuple[str, str]]:
    """(method, path) of every page that names a thing, with each of Alice's things in its place."""
    found: list[tuple[str, str]] = []
    for route in dashboard_routes():
        if not isinstance(route, Route) or "_id}" not in route.path:
            continue
        things = two.alice.tasks if "{task_id}" in route.path else (two.alice.account,)
        for thing in things:
            path = re.sub(r"{\w+_id}", thing, route.path)
            verbs = VERBS[route.path] if "{verb}" in path else ("",)
            methods = (route.methods or set()) - {"HEAD"}
            found += [(method, path.replace("{verb}", verb)) for method in methods for verb in verbs]
    return found


async def test_no_page_shows_or_changes_what_is_another_owners(two: Two) -> None:
    before = await rows(two.stage, ALICE)
    assert len(dashboard(two)) > 30
    for scope in SCOPES:
        async with browser(two, two.keys[BOB, scope]) as bob:
            for method, path in dashboard(two):
                answer = await bob.request(method, path)
                assert answer.status_code in ({404} if scope == "admin" else {403, 404}), f"{method} {path} {scope}"
                assert not any(name in answer.text for name in two.alice.links), path
            if scope == "admin":
                for path in ("/", "/tasks", "/tasks/list", "/accounts", "/new/demo/createPost"):
                    shown = (await bob.get(path)).text
                    assert not any(name in shown for name in (*two.alice.ids, two.alice.account_name)), path
                form = {"text": "x", "-account": two.alice.account_name}
                assert (await bob.post("/new/demo/createPost", data=form)).status_code == 404
                for task_id in two.alice.tasks:
                    assert (await bob.get(f"/questions/{task_id}")).status_code == 200, "the form that everybody sees"
    assert await rows(two.stage, ALICE) == before


async def test_without_a_login_every_page_leads_to_the_login(two: Two) -> None:
    before = await rows(two.stage, ALICE)
    async with browser(two, None) as anyone:
        for method, path in dashboard(two):
            answer = await anyone.request(method, path)
            assert answer.status_code == 303, f"{method} {path}"
            assert answer.headers["location"].startswith("/login"), path
    assert await rows(two.stage, ALICE) == before


async def test_a_link_leads_to_what_it_was_made_for_and_nowhere_else(two: Two) -> None:
    stage = two.stage
    live = stage.house.links.live(await stage.task(two.alice.tasks[1]))
    tokens = [re.split("[/?=]", link.removeprefix(stage.origin)) for link in (*two.alice.links, live)]
    before = await rows(stage, ALICE)
    async with browser(two, None) as anyone:
        for parts in tokens:
            token = max(parts, key=len)
            wrong = [f"{token.partition('.')[0]}.{TAMPERED}", token[:-4] + "AAAA"]
            # A token of one purpose is none of another.
            for kind in ("files", "uploads", "share", "live", "sign-in"):
                wrong_here = wrong if kind in parts else [*wrong, token]
                for other in wrong_here:
                    method = "PUT" if kind == "uploads" else "GET"
                    path = f"/{kind}/x?token={other}" if kind in {"files", "uploads"} else f"/{kind}/{other}"
                    answer = await anyone.request(method, path)
                    assert answer.status_code in {403, 404}, f"{kind} {other} {answer.status_code}"
        for path in ("state", "files", "vnc"):
            method = {"state": "GET", "files": "PUT", "vnc": "POST"}[path]
            assert (await anyone.request(method, f"/live/{TAMPERED}/{path}")).status_code == 404
            assert (await anyone.request(method, f"/sign-in/live/{TAMPERED}/{path}")).status_code == 404
        for verb in ("start", "cancel"):
            assert (await anyone.post(f"/sign-in/{TAMPERED}/{verb}")).status_code == 404
        for task_id in (*two.alice.tasks, "task_none"):
            refused = await anyone.post(f"/questions/{task_id}", data={"code": "0000-0000"})
            assert refused.status_code == 403
            assert refused.text == (await anyone.post("/questions/x", data={"code": ""})).text.replace(
                "/x", f"/{task_id}"
            )
    assert await rows(stage, ALICE) == before


async def test_a_public_page_shows_the_pictures_of_its_own_task_only(two: Two) -> None:
    async with browser(two, None) as anyone:
        bobs = two.bob.links[-1]
        assert (await anyone.get(f"{bobs}/{two.bob.files[0]}")).status_code == 200
        for picture in two.alice.files:
            assert (await anyone.get(f"{bobs}/{picture}")).status_code == 404


async def test_a_link_to_a_live_view_that_a_key_for_reading_gets_is_for_watching(two: Two) -> None:
    running = two.alice.tasks[1]
    for path, member in ((f"/api/tasks/{running}", "liveUrl"), (f"/api/v1/task/{running}", "live_url")):
        for scope in ("read", "admin"):
            async with two.stage.client(two.keys[ALICE, scope]) as alice:
                shown = (await alice.get(two.stage.origin + path)).json()
                link = shown.get("data", shown)[member]
                news = (await alice.get(f"{link}/state")).json()
            assert news["control"]["allowed"] is (scope == "admin"), path


async def test_mcp_knows_nothing_of_another_owners_tasks(two: Two) -> None:
    before = await rows(two.stage, ALICE)
    async with connected(f"{two.stage.origin}/mcp", two.keys[BOB, "admin"]) as bob:
        templates = (await bob.list_resource_templates()).resource_templates
        for template in templates:
            for task in two.alice.tasks:
                with pytest.raises(MCPError, match="not found"):
                    await bob.read_resource(template.uri_template.replace("{id}", task))
        walked = await tools_about_a_task(bob, two)
        assert walked >= {"task_get", "task_cancel"}
        for tool in ("task_list", "account_list"):
            shown = str(await bob.call_tool(tool, {}))
            assert not any(name in shown for name in (*two.alice.ids, two.alice.account_name)), tool
    assert await rows(two.stage, ALICE) == before


async def tools_about_a_task(bob: Client, two: Two) -> set[str]:
    """Calls every tool that takes a task's id with Alice's, and returns their names."""
    found: set[str] = set()
    for tool in (await bob.list_tools()).tools:
        members: dict[str, Any] = tool.input_schema.get("properties", {})
        if "task_id" in members:
            found.add(tool.name)
            for task in two.alice.tasks:
                answer = await bob.call_tool(tool.name, {"task_id": task})
                assert isinstance(answer, types.CallToolResult)
                assert answer.is_error, tool.name
                assert "TASK_NOT_FOUND" in str(answer.structured_content) + str(answer.content), tool.name
        elif {"account_name", "accountName"} & set(members) and tool.name == "demo_createPost":
            answer = await bob.call_tool(tool.name, {"accountName": two.alice.account_name, "text": "x"})
            assert "ACCOUNT_NOT_FOUND" in str(answer), tool.name
    return found
