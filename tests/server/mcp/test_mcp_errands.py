"""Tasks and accounts looked after: listed, stopped, paused, resumed. Nobody sees what is another's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mcp.client import Client

from server.mcp_facade.errands import cursor_read, cursor_write
from storage.tables import now
from tests.server.mcp.client import connected, text_of, told
from tests.server.mcp.house import House
from tools.errors import InvalidParameters

pytestmark = pytest.mark.anyio
RUN = "browser_run_task"


async def started(client: Client, text: str) -> str:
    """The id of a task that runs."""
    made = told(await client.call_tool(RUN, {"task": text}))
    return str(made["task_id"])


async def state_of(client: Client, task_id: str, wanted: str) -> dict[str, Any]:
    """The task once it has the wanted status."""
    for _ in range(100):
        seen = told(await client.call_tool("task_get", {"task_id": task_id}))
        if seen["status"] == wanted:
            return seen
        await client.call_tool("task_get", {"task_id": task_id, "wait_seconds": 0.1})
    raise AssertionError(f"never {wanted}")


async def test_tasks_are_listed_newest_first_page_by_page(url: str, secret: str, era: str) -> None:
    async with connected(url, secret, era) as client:
        made = [await started(client, f"tell:{number}") for number in range(5)]
        first = told(await client.call_tool("task_list", {"limit": 2}))
        late = await started(client, "tell:late")
        second = told(await client.call_tool("task_list", {"limit": 2, "cursor": first["cursor"]}))
        third = told(await client.call_tool("task_list", {"limit": 2, "cursor": second["cursor"]}))
    pages = [row["task_id"] for page in (first, second, third) for row in page["tasks"]]
    assert pages == made[::-1], "what came meanwhile must not shift the pages"
    assert late not in pages
    assert first["total"] == 5
    assert "cursor" not in third
    assert first["tasks"][0] == {
        "task_id": made[-1],
        "status": "completed",
        "tool": RUN,
        "created_at": first["tasks"][0]["created_at"],
        "output": "4",
    }


async def test_a_list_can_be_narrowed(house: House, url: str, secret: str) -> None:
    await house.account(secret, "me")
    async with connected(url, secret, headers={"X-MCP-Wait": "5"}) as client:
        await client.call_tool("demo_createPost", {"accountName": "me", "text": "step"})
        await started(client, "fail:AGENT_FAILED")
        failed = told(await client.call_tool("task_list", {"status": "failed"}))
        demo = told(await client.call_tool("task_list", {"platform": "demo"}))
        none = told(await client.call_tool("task_list", {"status": "open"}))
    assert [row["error"] for row in failed["tasks"]] == ["AGENT_FAILED"]
    assert [row["tool"] for row in demo["tasks"]] == ["demo_createPost"]
    assert none["tasks"] == []


@pytest.mark.parametrize("cursor", ["nonsense", "", "MTIz", "LTEgMjAyNg"])
async def test_a_cursor_of_somebodys_own_making_is_refused(url: str, secret: str, cursor: str) -> None:
    async with connected(url, secret) as client:
        answer = await client.call_tool("task_list", {"cursor": cursor})
    assert answer.is_error == bool(cursor)


def test_a_cursor_says_what_was_put_in() -> None:
    moment = now()
    assert cursor_read(cursor_write(7, moment)) == (7, moment)
    with pytest.raises(InvalidParameters, match="task_list gave"):
        cursor_read("%%%")


async def test_a_task_is_stopped_for_good(url: str, secret: str, era: str) -> None:
    async with connected(url, secret, era, {"X-MCP-Wait": "0"}) as client:
        task_id = await started(client, "step hold")
        await state_of(client, task_id, "processing")
        stopped = told(await client.call_tool("task_cancel", {"task_id": task_id}))
        again = await client.call_tool("task_cancel", {"task_id": task_id})
    assert stopped["status"] == "cancelled"
    assert "Only if the user wants it" in stopped["next"]
    assert again.is_error
    assert told(again)["error"]["code"] == "TASK_NOT_CANCELLABLE"


async def test_a_task_is_paused_between_steps_and_goes_on(house: House, url: str, secret: str, era: str) -> None:
    async with connected(url, secret, era, {"X-MCP-Wait": "0"}) as client:
        task_id = await started(client, "hold step step tell:Done")
        await state_of(client, task_id, "processing")
        asked = told(await client.call_tool("task_pause", {"task_id": task_id}))
        assert "task_resume" in asked["next"]
        house.engine.released.set()
        paused = await state_of(client, task_id, "paused")
        assert "task_resume" in paused["next"]
        await client.call_tool("task_resume", {"task_id": task_id})
        ended = await state_of(client, task_id, "completed")
        late = await client.call_tool("task_pause", {"task_id": task_id})
    assert ended["result"]["output"] == "Done"
    assert told(late)["error"]["code"] == "CONFLICT"


async def test_who_waits_hears_of_the_requested_pause_when_it_has_landed(
    house: House, url: str, secret: str, era: str
) -> None:
    waits = asyncio.Event()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        waits.set()

    async with connected(url, secret, era, {"X-MCP-Wait": "0"}) as client:
        task_id = await started(client, "hold step step tell:Done")
        await state_of(client, task_id, "processing")
        await client.call_tool("task_pause", {"task_id": task_id})
        named = {"task_id": task_id, "wait_seconds": 50}
        waiting = asyncio.create_task(client.call_tool("task_get", named, progress_callback=hear))
        await waits.wait()
        house.engine.released.set()
        async with asyncio.timeout(20):
            paused = await waiting
        await client.call_tool("task_cancel", {"task_id": task_id})
    assert told(paused)["status"] == "paused"
    assert not paused.is_error


async def test_what_cannot_be_done_to_a_task_is_answered_with_what_can(house: House, url: str) -> None:
    supervised = await house.key(approval=True)
    await house.account(supervised, "me")
    async with connected(url, supervised, headers={"X-MCP-Wait": "0"}) as client:
        waits = told(await client.call_tool("demo_createPost", {"accountName": "me", "text": "tell:Hello"}))
        resumed = await client.call_tool("task_resume", {"task_id": waits["task_id"]})
        await client.call_tool("task_cancel", {"task_id": waits["task_id"]})
        late = await client.call_tool("task_pause", {"task_id": waits["task_id"]})
    assert f"/tasks/{waits['task_id']}" in text_of(resumed)
    assert "stopped on purpose" in text_of(late)


async def test_another_owners_task_does_not_exist(house: House, url: str, secret: str) -> None:
    async with connected(url, secret) as client:
        task_id = await started(client, "step")
    async with connected(url, await house.key()) as other:
        for tool in ("task_get", "task_cancel", "task_pause", "task_resume"):
            answer = await other.call_tool(tool, {"task_id": task_id})
            assert told(answer)["error"]["code"] == "TASK_NOT_FOUND"
            assert "task_list" in text_of(answer)
        assert told(await other.call_tool("task_list", {}))["tasks"] == []


async def test_accounts_are_listed_with_what_they_need(house: House, url: str, secret: str, era: str) -> None:
    async with connected(url, secret, era) as client:
        none = told(await client.call_tool("account_list", {}))
        await house.account(secret, "well", identity="@well")
        await house.account(
            secret, "ill", platform="twitter", status="error", error_code="AUTHENTICATION_FAILED", error_message="Out."
        )
        both = told(await client.call_tool("account_list", {}))
        one = told(await client.call_tool("account_list", {"platform": "x"}))
    assert none["accounts"] == []
    assert "webhand account add" in none["next"]
    assert both["accounts"][0] == {"name": "well", "platform": "demo", "status": "active", "identity": "@well"}
    assert "signed in" in both["next"]
    assert [account["name"] for account in one["accounts"]] == ["ill"]


async def test_a_wait_longer_than_clients_bear_is_brought_down(url: str, secret: str) -> None:
    async with connected(url, secret) as client:
        task_id = await started(client, "step")
        answer = await client.call_tool("task_get", {"task_id": task_id, "wait_seconds": 600})
    assert told(answer)["status"] == "completed"
