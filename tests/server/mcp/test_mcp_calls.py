"""A tool call becomes a task, is waited for, told of, and never made twice."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anyio
import pytest

from server.auth import Caller
from server.mcp_facade.next import AFTER, NEW_KEY, of_account
from server.mcp_facade.results import LARGEST, capped, dumped
from storage.filters import TaskFilter
from storage.states import OPEN, TaskState
from tests.server.mcp.client import Raw, connected, text_of, told
from tests.server.mcp.house import House
from tools.errors import every_failure

pytestmark = pytest.mark.anyio
RUN = "browser_run_task"


async def owned(house: House, secret: str, *states: TaskState) -> list[Any]:
    """The tasks of a key's owner."""
    row = await house.keys.find(secret)
    assert row is not None
    caller = Caller(row.id, row.owner, frozenset({"admin"}))
    found, _ = await house.tasks.list(caller, TaskFilter(states=frozenset(states) or None), limit=50)
    return list(found)


async def test_a_call_answers_with_the_result_of_its_task(house: House, url: str, secret: str, era: str) -> None:
    await house.account(secret, "me")
    async with connected(url, secret, era) as client:
        answer = await client.call_tool("demo_createPost", {"accountName": "me", "text": "step tell:Published"})
    assert not answer.is_error
    assert told(answer)["status"] == "completed"
    assert told(answer)["result"] == {"output": "Published"}
    assert told(answer)["account"] == "me"
    assert json.loads(text_of(answer)) == told(answer)


async def test_each_step_is_told_as_it_happens_with_its_goal_and_page(url: str, secret: str, era: str) -> None:
    heard: list[tuple[float, str]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        assert total == 100
        heard.append((progress, message or ""))

    async with connected(url, secret, era) as client:
        answer = await client.call_tool(RUN, {"task": "step step step"}, progress_callback=hear)
        assert told(answer)["status"] == "completed"
    messages = [message for _, message in heard]
    assert [message for message in messages if message.startswith("Goal")] == [
        f"Goal {number} (https://site.test/{number})" for number in (1, 2, 3)
    ]
    values = [value for value, _ in heard]
    assert values == sorted(set(values)), "progress must rise"


async def test_after_the_wait_the_call_says_how_to_go_on(house: House, url: str, secret: str, era: str) -> None:
    async with connected(url, secret, era, {"X-MCP-Wait": "0"}) as client:
        answer = await client.call_tool(RUN, {"task": "step hold tell:Later"})
        first = told(answer)
        assert not answer.is_error
        assert first["status"] in {"pending", "processing"}
        assert first["task_id"] in first["next"]
        assert "Do not repeat" in first["next"]
        assert "/live/" in first["live_url"]
        seen = first
        while "step" not in seen["progress"]:
            seen = told(await client.call_tool("task_get", {"task_id": first["task_id"], "wait_seconds": 0.1}))
        assert seen["status"] == "processing"
        assert seen["progress"]["step"] == "Goal 1 (https://site.test/1)"
        waiting = asyncio.create_task(client.call_tool("task_get", {"task_id": first["task_id"], "wait_seconds": 30}))
        await asyncio.sleep(0)
        house.engine.released.set()
        second = told(await waiting)
    assert second["status"] == "completed"
    assert second["result"]["output"] == "Later"
    assert "next" not in second


async def test_the_key_says_how_long_its_calls_wait_unless_the_request_does(house: House, url: str) -> None:
    secret = await house.key(wait_seconds=0)
    house.engine.released.clear()
    async with connected(url, secret) as client:
        assert told(await client.call_tool(RUN, {"task": "hold one"}))["status"] in {"pending", "processing"}
    house.engine.released.set()
    async with connected(url, secret, headers={"X-MCP-Wait": "30"}) as client:
        assert told(await client.call_tool(RUN, {"task": "hold two"}))["status"] == "completed"


async def test_a_failed_task_is_an_error_of_its_own_call_only(url: str, secret: str, era: str) -> None:
    async with connected(url, secret, era) as client:
        answer = await client.call_tool(RUN, {"task": "step fail:AGENT_GAVE_UP"})
        assert answer.is_error
        assert told(answer)["error"]["code"] == "AGENT_GAVE_UP"
        assert "AGENT_GAVE_UP" in text_of(answer)
        assert AFTER["AGENT_GAVE_UP"] in text_of(answer)
        again = await client.call_tool("task_get", {"task_id": told(answer)["task_id"]})
    assert not again.is_error
    assert told(again)["next"] == AFTER["AGENT_GAVE_UP"]


async def test_a_defect_of_ours_is_told_without_its_details(url: str, secret: str) -> None:
    async with connected(url, secret) as client:
        answer = await client.call_tool(RUN, {"task": "break"})
    assert answer.is_error
    assert told(answer)["error"]["code"] == "INTERNAL_ERROR"
    assert "innermost secret" not in dumped(told(answer)) + text_of(answer)


def test_every_error_of_a_task_has_a_sentence_that_says_what_mends_it() -> None:
    codes = {failure.code for failure in every_failure()}
    assert codes == AFTER.keys()


async def test_the_same_call_twice_at_once_is_one_task(house: House, url: str, secret: str, era: str) -> None:
    async with connected(url, secret, era, {"X-MCP-Wait": "0"}) as client:
        first = told(await client.call_tool(RUN, {"task": f"hold {era}"}))
        second = told(await client.call_tool(RUN, {"task": f"hold {era}"}))
        other = told(await client.call_tool(RUN, {"task": f"hold {era} other"}))
    house.engine.released.set()
    assert first["task_id"] == second["task_id"] != other["task_id"]
    assert "note" in second
    assert len(await owned(house, secret)) == 2


async def test_an_idempotency_key_finds_its_task_even_after_its_end(house: House, url: str, secret: str) -> None:
    async with connected(url, secret) as client:
        first = told(await client.call_tool(RUN, {"task": "tell:Once", "idempotency_key": "k1"}))
        second = told(await client.call_tool(RUN, {"task": "tell:Once", "idempotency_key": "k1"}))
        clash = await client.call_tool(RUN, {"task": "tell:Other", "idempotency_key": "k1"})
    assert first["task_id"] == second["task_id"]
    assert second["result"]["output"] == "Once"
    assert clash.is_error
    assert told(clash)["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert len(await owned(house, secret)) == 1


async def test_a_failed_call_with_an_idempotency_key_says_that_another_try_needs_another(url: str, secret: str) -> None:
    call = {"task": "fail:AGENT_FAILED", "idempotency_key": "k1"}
    async with connected(url, secret) as client:
        first, again = await client.call_tool(RUN, call), await client.call_tool(RUN, call)
        fresh = await client.call_tool(RUN, {**call, "idempotency_key": "k2"})
        unkeyed = await client.call_tool(RUN, {"task": call["task"]})
    assert told(first)["task_id"] == told(again)["task_id"] != told(fresh)["task_id"]
    assert [NEW_KEY in text_of(answer) for answer in (first, again, fresh, unkeyed)] == [True, True, True, False]


async def test_a_client_that_goes_away_leaves_its_task_running(house: House, url: str, secret: str, era: str) -> None:
    with anyio.move_on_after(1):
        async with connected(url, secret, era) as client:
            await client.call_tool(RUN, {"task": "step hold tell:Still"})
    (task,) = await owned(house, secret)
    assert task.state in OPEN
    house.engine.released.set()
    async with connected(url, secret, era) as client:
        after = told(await client.call_tool("task_get", {"task_id": task.id, "wait_seconds": 30}))
    assert after["result"]["output"] == "Still"


async def test_a_long_result_is_cut_and_says_so(url: str, secret: str) -> None:
    async with connected(url, secret) as client:
        answer = await client.call_tool(RUN, {"task": "long"})
    assert told(answer)["truncated"] is True
    assert len(dumped(told(answer)).encode()) <= LARGEST
    assert len(dumped(told(answer)).encode()) > LARGEST * 0.75, "no more is cut than must be"
    assert "more characters]" in told(answer)["result"]["output"]
    assert f"task://{told(answer)['task_id']}" in told(answer)["next"]


def test_whatever_is_long_in_a_result_is_cut_until_it_fits() -> None:
    wide: dict[str, Any] = {"rows": [{"text": "x" * 300} for _ in range(2000)], "deep": {"list": ["y" * 9000] * 9}}
    assert len(dumped(capped(wide)).encode()) <= LARGEST
    small: dict[str, Any] = {"status": "completed", "result": {"output": "short"}}
    assert capped(small) is small


async def test_pictures_come_only_when_they_are_wanted(url: str, secret: str, era: str) -> None:
    async with connected(url, secret, era) as client:
        answer = await client.call_tool(RUN, {"task": "step step"})
        assert [block.type for block in answer.content] == ["text"]
        named = {"task_id": told(answer)["task_id"]}
        assert [block.type for block in (await client.call_tool("task_get", named)).content] == ["text"]
        pictured = await client.call_tool("task_get", {**named, "screenshot": True})
    assert [block.type for block in pictured.content] == ["text", "image"]
    assert getattr(pictured.content[1], "mime_type", None) == "image/jpeg"


async def test_an_unknown_account_is_answered_with_the_ones_there_are(house: House, url: str, secret: str) -> None:
    async with connected(url, secret) as client:
        none = await client.call_tool("demo_createPost", {"accountName": "me", "text": "Hello"})
        await house.account(secret, "first")
        await house.account(secret, "second")
        wrong = await client.call_tool("demo_createPost", {"accountName": "third", "text": "Hello"})
        missing = await client.call_tool("demo_createPost", {"text": "Hello"})
    assert "webhand account add demo" in told(none)["next"]
    assert told(wrong)["error"]["code"] == "ACCOUNT_NOT_FOUND"
    assert told(wrong)["next"] == "Set accountName to one of: first, second."
    assert "first, second" in text_of(missing)


def test_of_many_accounts_some_are_named() -> None:
    assert of_account([f"a{number}" for number in range(500)], "demo").endswith("a18, a19 and 480 more (account_list).")


@pytest.mark.parametrize(
    ("arguments", "teaches"),
    [
        ({"accountName": "me", "txt": "Hello"}, "demo_createPost takes: accountName, text, "),
        ({"accountName": "me", "text": "Hello", "preferredEngine": "fast"}, "preferredEngine"),
        ({"accountName": "me", "parameters": {"text": "Hello"}}, "flat"),
        ({"accountName": "me", "text": "x" * 501}, "text"),
        ({"accountName": "me", "text": "Hello", "timeout": "soon"}, "timeout"),
    ],
)
async def test_wrong_arguments_are_answered_with_what_to_correct(
    url: str, secret: str, arguments: dict[str, Any], teaches: str
) -> None:
    async with connected(url, secret) as client:
        answer = await client.call_tool("demo_createPost", arguments)
    assert answer.is_error
    assert told(answer)["status"] == "refused"
    assert told(answer)["error"]["code"] == "INVALID_PARAMETERS"
    assert teaches in text_of(answer)


@pytest.mark.parametrize(
    ("arguments", "teaches"),
    [
        ({"task": "Look", "structuredOutput": {"type": "nonsense", "properties": {}}}, "not a valid JSON Schema"),
        ({"task": "Look", "allowedDomains": ["https://example.com:8443/path"]}, "write example.com or *.example.com"),
        ({"task": "Look \x00"}, "task: holds characters or numbers that cannot be kept"),
        ({"task": "Look", "idempotency_key": "a\x00b"}, "idempotency_key: holds characters"),
        ({"task": "Look", "timeout": float("nan")}, "timeout: holds characters or numbers"),
    ],
)
async def test_what_no_task_could_be_carried_out_with_is_refused_before_there_is_one(
    house: House, url: str, secret: str, arguments: dict[str, Any], teaches: str
) -> None:
    call = {"name": RUN, "arguments": arguments}
    answer = await Raw(url, secret).result("tools/call", call, RUN)
    assert answer["isError"]
    assert answer["structuredContent"]["error"]["code"] == "INVALID_PARAMETERS"
    assert teaches in answer["content"][0]["text"]
    assert await owned(house, secret) == []


async def test_no_domains_at_all_means_every_domain_and_a_shape_may_be_an_example(
    house: House, url: str, secret: str
) -> None:
    given: dict[str, Any] = {"task": "tell:Fine", "allowedDomains": [], "structuredOutput": {"title": "string"}}
    async with connected(url, secret) as client:
        assert not (await client.call_tool(RUN, given)).is_error
    (task,) = await owned(house, secret)
    assert "allowed_domains" not in task.options
    assert task.options["structured_output"]["properties"] == {"title": {"type": "string"}}


async def test_an_error_says_its_sentences_one_after_the_other(url: str, secret: str) -> None:
    async with connected(url, secret) as client:
        answer = await client.call_tool("demo_createPost", {"accountName": "me", "text": 5})
    assert "Input should be a valid string. Next: Correct" in text_of(answer)


async def test_arguments_may_be_spelt_either_way_and_be_null(house: House, url: str, secret: str) -> None:
    await house.account(secret, "me")
    given = {"account_name": "me", "text": "tell:Fine", "preferred_engine": "full", "timeout": None, "dryRun": None}
    async with connected(url, secret) as client:
        answer = await client.call_tool("demo_createPost", given)
        assert told(answer)["result"]["output"] == "Fine"
        spelt = await client.call_tool("browser_runTask", {"task": "tell:Alias", "max_steps": 3})
    assert told(spelt)["result"]["output"] == "Alias"
    assert told(spelt)["tool"] == RUN
    newest = (await owned(house, secret))[0]
    assert newest.options == {"max_steps": 3}


async def test_an_unknown_tool_is_answered_with_those_that_sound_alike(url: str, secret: str, era: str) -> None:
    async with connected(url, secret, era) as client:
        with pytest.raises(Exception, match="Did you mean demo_createPost"):
            await client.call_tool("demo_create_post", {})


async def test_a_dry_run_says_that_nothing_was_published(house: House, url: str, secret: str) -> None:
    await house.account(secret, "me")
    async with connected(url, secret) as client:
        answer = await client.call_tool("demo_createPost", {"accountName": "me", "text": "step", "dryRun": True})
    assert "nothing was published" in told(answer)["next"]


async def test_calls_are_counted_and_told_when_it_is_enough(house: House, url: str) -> None:
    secret = await house.key(hourly=2)
    async with connected(url, secret) as client:
        await client.list_tools()
        for _ in range(2):
            assert not (await client.call_tool("task_list", {})).is_error
        enough = await client.call_tool("task_list", {})
    assert told(enough)["error"]["code"] == "RATE_LIMITED"
    assert told(enough)["next"].startswith("Wait ")
