"""The tasks extension, rule by rule, in requests made by hand: no library speaks it yet."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import mcp_types as types
import pytest
from mcp.client import advertise

from tests.server.mcp.client import MODERN, Raw, connected, envelope, http_client
from tests.server.mcp.house import House

pytestmark = pytest.mark.anyio
RUN = "browser_run_task"
EXTENSION = "io.modelcontextprotocol/tasks"
DECLARED: dict[str, Any] = {"extensions": {EXTENSION: {}}, "elicitation": {"url": {}, "form": {}}}


@pytest.fixture
def raw(url: str, secret: str) -> Raw:
    """A client that declares the extension with each request."""
    return Raw(url, secret, DECLARED)


async def made(raw: Raw, text: str) -> str:
    """The id of the task that a call answers with."""
    answer = await raw.result("tools/call", {"name": RUN, "arguments": {"task": text}}, RUN)
    assert answer["resultType"] == "task"
    return str(answer["taskId"])


async def seen(raw: Raw, task_id: str, *wanted: str) -> dict[str, Any]:
    """What tasks/get says once the status is a wanted one."""
    for _ in range(200):
        answer = await raw.result("tasks/get", {"taskId": task_id}, task_id)
        if answer["status"] in wanted:
            return answer
        await raw.result(
            "tools/call", {"name": "task_get", "arguments": {"task_id": task_id, "wait_seconds": 0.1}}, "task_get"
        )
    raise AssertionError(f"never {wanted}")


async def test_the_extension_is_offered(url: str, secret: str) -> None:
    discovered = await Raw(url, secret).result("server/discover", {})
    assert discovered["capabilities"]["extensions"][EXTENSION] == {}
    assert "tasks" not in discovered["capabilities"]


async def test_a_call_answers_with_a_flat_task_that_can_be_asked_for_at_once(raw: Raw) -> None:
    answer = await raw.result("tools/call", {"name": RUN, "arguments": {"task": "hold"}}, RUN)
    assert answer["resultType"] == "task"
    assert answer["status"] == "working"
    assert isinstance(answer["ttlMs"], int)
    assert isinstance(answer["pollIntervalMs"], int)
    assert answer["createdAt"].endswith("Z")
    assert not {"task", "result", "error", "inputRequests", "requestState", "ttl"} & answer.keys()
    found = await raw.result("tasks/get", {"taskId": answer["taskId"]}, answer["taskId"])
    assert found["resultType"] == "complete"
    assert found["taskId"] == answer["taskId"]


async def test_a_completed_task_holds_the_whole_result_of_its_call(raw: Raw) -> None:
    ended = await seen(raw, await made(raw, "step tell:Done"), "completed")
    assert ended["result"]["structuredContent"]["result"]["output"] == "Done"
    assert ended["result"]["isError"] is False
    assert json.loads(ended["result"]["content"][0]["text"])["status"] == "completed"
    assert ended["lastUpdatedAt"] >= ended["createdAt"]


async def test_what_failed_is_completed_with_an_error(raw: Raw) -> None:
    ended = await seen(raw, await made(raw, "fail:AGENT_FAILED"), "completed", "failed")
    assert ended["status"] == "completed"
    assert ended["result"]["isError"] is True
    assert "AGENT_FAILED" in ended["result"]["content"][0]["text"]


async def test_only_a_defect_of_ours_is_failed(raw: Raw) -> None:
    ended = await seen(raw, await made(raw, "break"), "completed", "failed")
    assert ended["status"] == "failed"
    assert ended["error"]["code"] == types.INTERNAL_ERROR
    assert "result" not in ended
    assert "innermost secret" not in json.dumps(ended)


async def test_a_client_that_does_not_declare_it_gets_no_task_and_no_access(url: str, secret: str, raw: Raw) -> None:
    plain = Raw(url, secret)
    answer = await plain.result("tools/call", {"name": RUN, "arguments": {"task": "tell:Plain"}}, RUN)
    assert answer["resultType"] == "complete"
    assert answer["structuredContent"]["result"]["output"] == "Plain"
    task_id = await made(raw, "tell:Other")
    for method in ("tasks/get", "tasks/cancel", "tasks/update"):
        error = await plain.error(method, {"taskId": task_id, "inputResponses": {}}, task_id)
        assert error["code"] == types.MISSING_REQUIRED_CLIENT_CAPABILITY
        assert error["data"]["requiredCapabilities"]["extensions"] == {EXTENSION: {}}


@pytest.mark.parametrize("method", ["tasks/get", "tasks/cancel", "tasks/update"])
async def test_the_name_header_must_be_the_task(raw: Raw, method: str) -> None:
    task_id = await made(raw, "tell:Named")
    for name in ("task_other", None):
        response = await raw.post(method, {"taskId": task_id, "inputResponses": {}}, name)
        assert response.status_code == 400
        assert response.json()["error"]["code"] == types.HEADER_MISMATCH


async def test_unknown_and_foreign_tasks_are_the_same_error(house: House, url: str, raw: Raw) -> None:
    task_id = await made(raw, "tell:Mine")
    stranger = Raw(url, await house.key(), DECLARED)
    unknown = await stranger.error("tasks/get", {"taskId": "task_none"}, "task_none")
    foreign = await stranger.error("tasks/get", {"taskId": task_id}, task_id)
    assert unknown == foreign
    assert unknown["code"] == types.INVALID_PARAMS


@pytest.mark.parametrize("method", ["tasks/result", "tasks/list"])
async def test_methods_of_the_earlier_extension_are_not_found(raw: Raw, method: str) -> None:
    assert (await raw.error(method, {"taskId": "task_x"}, "task_x"))["code"] == types.METHOD_NOT_FOUND


async def test_cancelling_is_acknowledged_also_after_the_end(raw: Raw) -> None:
    task_id = await made(raw, "step hold")
    for _ in range(2):
        answer = await raw.result("tasks/cancel", {"taskId": task_id}, task_id)
        assert answer["resultType"] == "complete"
        assert not {"taskId", "status"} & answer.keys()
    assert (await seen(raw, task_id, "cancelled"))["status"] == "cancelled"


async def test_a_reader_may_look_and_not_cancel(house: House, url: str) -> None:
    writer, owner = await house.key(owner="tasks-owner"), "tasks-owner"
    task_id = await made(Raw(url, writer, DECLARED), "hold")
    reader = Raw(url, await house.key("read", owner=owner), DECLARED)
    assert (await reader.result("tasks/get", {"taskId": task_id}, task_id))["status"] == "working"
    assert "scope" in (await reader.error("tasks/cancel", {"taskId": task_id}, task_id))["message"]
    readonly = Raw(f"{url}/readonly", writer, DECLARED)
    assert "read-only" in (await readonly.error("tasks/cancel", {"taskId": task_id}, task_id))["message"]
    house.engine.released.set()


async def test_a_task_that_needs_a_person_asks_for_input_until_it_is_answered(house: House, raw: Raw) -> None:
    task_id = await made(raw, "step ask:challenge tell:Solved")
    waiting = await seen(raw, task_id, "input_required")
    ((key, request),) = waiting["inputRequests"].items()
    assert request["method"] == "elicitation/create"
    assert request["params"]["mode"] == "url"
    assert request["params"]["url"].endswith(f"/questions/{task_id}")
    assert "elicitationId" not in request["params"]
    ack = await raw.result(
        "tasks/update", {"taskId": task_id, "inputResponses": {"other": {"action": "accept"}}}, task_id
    )
    assert ack["resultType"] == "complete"
    assert (await seen(raw, task_id, "input_required"))["inputRequests"].keys() == {key}
    await raw.result("tasks/update", {"taskId": task_id, "inputResponses": {key: {"action": "accept"}}}, task_id)
    assert "inputRequests" not in await seen(raw, task_id, "working")
    del house


async def test_a_question_that_was_only_closed_comes_again_under_another_key(raw: Raw) -> None:
    task_id = await made(raw, "ask:budget tell:Went-on")
    first = await seen(raw, task_id, "input_required")
    (key,) = first["inputRequests"]
    await raw.result("tasks/update", {"taskId": task_id, "inputResponses": {key: {"action": "cancel"}}}, task_id)
    second = await seen(raw, task_id, "input_required")
    (other,) = second["inputRequests"]
    assert other != key
    yes = {other: {"action": "accept", "content": {"go_on": True}}}
    await raw.result("tasks/update", {"taskId": task_id, "inputResponses": yes}, task_id)
    ended = await seen(raw, task_id, "completed")
    assert ended["result"]["structuredContent"]["result"]["output"] == "Went-on"


async def test_who_says_no_cancels(raw: Raw) -> None:
    task_id = await made(raw, "ask:sign_in")
    (key,) = (await seen(raw, task_id, "input_required"))["inputRequests"]
    await raw.result("tasks/update", {"taskId": task_id, "inputResponses": {key: {"action": "decline"}}}, task_id)
    assert (await seen(raw, task_id, "cancelled"))["status"] == "cancelled"


async def test_an_answer_without_form_is_refused(raw: Raw) -> None:
    task_id = await made(raw, "ask:challenge")
    (key,) = (await seen(raw, task_id, "input_required"))["inputRequests"]
    error = await raw.error("tasks/update", {"taskId": task_id, "inputResponses": {key: {"action": "maybe"}}}, task_id)
    assert error["code"] == types.INVALID_PARAMS


async def test_the_handshake_era_never_gets_a_task_for_an_answer(url: str, secret: str) -> None:
    async with connected(url, secret, "legacy", extensions=[advertise(EXTENSION)]) as client:
        answer = await client.call_tool(RUN, {"task": "tell:Plain"})
    assert answer.structured_content["result"]["output"] == "Plain"


@asynccontextmanager
async def listening(
    url: str, secret: str, notifications: dict[str, Any], capabilities: dict[str, Any]
) -> AsyncGenerator[Any]:
    """The messages of a subscriptions/listen stream, as they come."""
    body = {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "subscriptions/listen",
        "params": {"notifications": notifications, "_meta": envelope(capabilities)},
    }
    headers = {
        "Authorization": f"Bearer {secret}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "subscriptions/listen",
    }
    async with (
        http_client() as http,
        http.stream("POST", url, json=body, headers=headers) as response,
    ):

        async def messages() -> AsyncGenerator[dict[str, Any]]:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

        yield messages()


async def test_a_watched_task_tells_of_itself_with_everything(house: House, url: str, secret: str, raw: Raw) -> None:
    task_id = await made(raw, "hold tell:Heard")
    stranger_id = await made(Raw(url, await house.key(), DECLARED), "hold")
    wanted = {"taskIds": [task_id, stranger_id]}
    async with listening(url, secret, wanted, DECLARED) as messages:
        first = await anext(messages)
        assert first["method"] == "notifications/subscriptions/acknowledged"
        assert first["params"]["notifications"] == {"taskIds": [task_id]}
        house.engine.released.set()
        async for message in messages:
            assert message["method"] == "notifications/tasks"
            assert message["params"]["taskId"] == task_id
            assert message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == 7
            if message["params"]["status"] == "completed":
                assert message["params"]["result"]["structuredContent"]["result"]["output"] == "Heard"
                break


async def test_watching_tasks_needs_the_declaration(raw: Raw, url: str, secret: str) -> None:
    task_id = await made(raw, "tell:x")
    error = await Raw(url, secret).error("subscriptions/listen", {"notifications": {"taskIds": [task_id]}})
    assert error["code"] == types.MISSING_REQUIRED_CLIENT_CAPABILITY


async def test_a_client_that_cannot_ask_reads_the_question_in_the_status(url: str, secret: str) -> None:
    silent = Raw(url, secret, {"extensions": {EXTENSION: {}}})
    task_id = await made(silent, "step ask:challenge")
    await silent.result(
        "tools/call", {"name": "task_get", "arguments": {"task_id": task_id, "wait_seconds": 5}}, "task_get"
    )
    waiting = await seen(silent, task_id, "working")
    assert "inputRequests" not in waiting
    assert "Ask the user to open" in waiting["statusMessage"]
