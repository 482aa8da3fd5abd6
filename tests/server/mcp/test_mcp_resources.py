"""Resources, their updates in both eras, prompts and completion."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import Any

import mcp_types as types
import pytest
from mcp.client import Client
from mcp.shared.subscriptions import ResourceUpdated

from storage.tables import Task
from tests.server.mcp.client import MODERN, Raw, connected, told
from tests.server.mcp.house import House, picture

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")]
RUN = "browser_run_task"


async def text_at(client: Client, uri: str) -> Any:
    """The JSON document at an address."""
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, types.TextResourceContents)
    return json.loads(content.text)


async def test_what_can_be_read_is_listed(url: str, secret: str, era: str) -> None:
    async with connected(url, secret, era) as client:
        fixed = {resource.uri for resource in (await client.list_resources()).resources}
        found = (await client.list_resource_templates()).resource_templates
    assert fixed == {"platforms://all", "ui://webhand/live.html"}
    assert {template.uri_template for template in found} == {
        "task://{id}",
        "task://{id}/steps",
        "task://{id}/screenshot",
    }
    typed = {template.name: template.mime_type for template in found}
    assert typed == {"task": "application/json", "steps": "application/json", "screenshot": None}, "JPEG or PNG"


async def test_a_task_its_steps_and_its_picture_can_be_read(url: str, secret: str, era: str) -> None:
    async with connected(url, secret, era) as client:
        task_id = told(await client.call_tool(RUN, {"task": "step step tell:Done"}))["task_id"]
        task = await text_at(client, f"task://{task_id}")
        steps = await text_at(client, f"task://{task_id}/steps")
        (shot,) = (await client.read_resource(f"task://{task_id}/screenshot")).contents
    assert task["result"]["output"] == "Done"
    assert [(step["number"], step["goal"]) for step in steps] == [(1, "Goal 1"), (2, "Goal 2")]
    assert isinstance(shot, types.BlobResourceContents)
    assert base64.b64decode(shot.blob) == picture(2)


async def test_a_long_result_can_be_read_whole(url: str, secret: str) -> None:
    async with connected(url, secret) as client:
        task_id = told(await client.call_tool(RUN, {"task": "long"}))["task_id"]
        task = await text_at(client, f"task://{task_id}")
    assert len(task["result"]["output"]) == 200_000


async def test_the_platforms_say_what_can_be_done_there(url: str, secret: str, era: str) -> None:
    async with connected(url, secret, era, {"X-MCP-Toolsets": "twitter"}) as client:
        (platform,) = await text_at(client, "platforms://all")
    assert platform["id"] == "twitter"
    assert "twitter_createTweet" in {tool["name"] for tool in platform["tools"]}


async def test_a_request_that_nothing_can_keep_is_refused_in_words(url: str, secret: str) -> None:
    publish = {"name": "publish", "arguments": {"platform": "demo", "account_name": "me", "text": "\ud800"}}
    refused = await Raw(url, secret).error("prompts/get", publish, "publish")
    assert refused["code"] == types.PARSE_ERROR
    assert refused["message"].startswith("This cannot be read as JSON (")


@pytest.mark.parametrize("uri", ["task://task_none", "task://x/other", "platforms://some", "file:///etc/passwd"])
async def test_what_is_not_there_is_not_found(url: str, secret: str, era: str, uri: str) -> None:
    async with connected(url, secret, era) as client:
        with pytest.raises(Exception, match="Resource not found") as refused:
            await client.read_resource(uri)
    assert getattr(refused.value, "code", None) == (types.INVALID_PARAMS if era == MODERN else -32002)


async def test_another_owners_task_cannot_be_read(house: House, url: str, secret: str) -> None:
    async with connected(url, secret) as client:
        task_id = told(await client.call_tool(RUN, {"task": "step"}))["task_id"]
    async with connected(url, await house.key()) as other:
        with pytest.raises(Exception, match="Resource not found"):
            await other.read_resource(f"task://{task_id}/screenshot")


async def test_a_session_that_subscribes_hears_of_changes_at_most_once_a_second(
    house: House, url: str, secret: str
) -> None:
    heard: list[float] = []
    ended = asyncio.Event()

    async def hear(message: Any) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            heard.append(time.monotonic())
            if told(await client.call_tool("task_get", {"task_id": task_id}))["status"] == "completed":
                ended.set()

    options: dict[str, Any] = {"message_handler": hear}
    async with connected(url, secret, "legacy", {"X-MCP-Wait": "0"}, **options) as client:
        task_id = told(await client.call_tool(RUN, {"task": "hold " + "step " * 20}))["task_id"]
        await client.subscribe_resource(f"task://{task_id}")  # pyright: ignore[reportDeprecated]  # how it was before 2026
        house.engine.released.set()
        await asyncio.wait_for(ended.wait(), 30)
    gaps = [later - earlier for earlier, later in pairwise(heard)]
    assert all(gap > 0.8 for gap in gaps), gaps
    assert len(heard) < 15


async def test_a_session_that_unsubscribes_hears_no_more(house: House, url: str, secret: str) -> None:
    heard: list[Any] = []

    async def hear(message: Any) -> None:
        heard.append(message)

    options: dict[str, Any] = {"message_handler": hear}
    async with connected(url, secret, "legacy", {"X-MCP-Wait": "0"}, **options) as client:
        task_id = told(await client.call_tool(RUN, {"task": "hold step"}))["task_id"]
        uri = f"task://{task_id}"
        await client.subscribe_resource(uri)  # pyright: ignore[reportDeprecated]  # as above
        await client.unsubscribe_resource(uri)  # pyright: ignore[reportDeprecated]  # as above
        house.engine.released.set()
        await client.call_tool("task_get", {"task_id": task_id, "wait_seconds": 10})
    assert not any(isinstance(message, types.ResourceUpdatedNotification) for message in heard)


async def test_a_subscription_that_breaks_ends_nobody_elses_session(
    house: House, url: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(task_id: str, seconds: float | None = None) -> AsyncGenerator[Task]:
        reached.set()
        raise OSError("the database went away")
        yield

    reached = asyncio.Event()
    async with connected(url, secret, "legacy", {"X-MCP-Wait": "0"}) as client:
        task_id = told(await client.call_tool(RUN, {"task": "hold step"}))["task_id"]
        with monkeypatch.context() as patched:
            patched.setattr(house.tasks, "follow", broken)
            await client.subscribe_resource(f"task://{task_id}")  # pyright: ignore[reportDeprecated]  # as above
            await reached.wait()
        house.engine.released.set()
        ended = await client.call_tool("task_get", {"task_id": task_id, "wait_seconds": 10})
    assert told(ended)["status"] == "completed"
    async with connected(url, secret, "legacy") as another:
        assert (await another.list_tools()).tools


async def test_nobody_subscribes_to_what_is_not_there(url: str, secret: str) -> None:
    async with connected(url, secret, "legacy") as client:
        with pytest.raises(Exception, match="not found"):
            await client.subscribe_resource("task://task_none")  # pyright: ignore[reportDeprecated]  # as above


async def test_since_2026_a_stream_tells_of_what_was_asked_for(house: House, url: str, secret: str) -> None:
    async with connected(url, secret, headers={"X-MCP-Wait": "0"}) as client:
        task_id = told(await client.call_tool(RUN, {"task": "hold step"}))["task_id"]
        other = told(await client.call_tool(RUN, {"task": "hold step step"}))["task_id"]
        async with client.listen(resource_subscriptions=[f"task://{task_id}"]) as stream:
            house.engine.released.set()
            event = await asyncio.wait_for(anext(aiter(stream)), 20)
    assert event == ResourceUpdated(uri=f"task://{task_id}")
    assert other != task_id


async def test_prompts_are_filled_in(url: str, secret: str, era: str) -> None:
    given = {"platform": "twitter", "account_name": "me", "text": "Costs $5 and {braces}"}
    async with connected(url, secret, era) as client:
        names = {prompt.name for prompt in (await client.list_prompts()).prompts}
        filled = await client.get_prompt("publish", given)
        with pytest.raises(Exception, match="needs: account_name, text"):
            await client.get_prompt("publish", {"platform": "twitter"})
        with pytest.raises(Exception, match="publish, browse"):
            await client.get_prompt("nothing", {})
    assert names == {"publish", "browse", "look_into_task"}
    (message,) = filled.messages
    assert isinstance(message.content, types.TextContent)
    assert "Costs $5 and {braces}" in message.content.text


async def test_arguments_are_completed(house: House, url: str, secret: str, era: str) -> None:
    await house.account(secret, "mine")
    await house.account(secret, "many", platform="twitter")
    prompt = types.PromptReference(name="publish")
    template = types.ResourceTemplateReference(uri="task://{id}")
    async with connected(url, secret, era) as client:
        task_id = told(await client.call_tool(RUN, {"task": "step"}))["task_id"]
        platforms = await client.complete(prompt, {"name": "platform", "value": "T"})
        names = await client.complete(prompt, {"name": "account_name", "value": "m"})
        narrowed = await client.complete(
            prompt, {"name": "account_name", "value": "m"}, context_arguments={"platform": "twitter"}
        )
        tasks = await client.complete(template, {"name": "id", "value": task_id[:8]})
        nothing = await client.complete(prompt, {"name": "text", "value": "x"})
    assert platforms.completion.values == ["tonghuashun", "twitter"]
    assert names.completion.values == ["many", "mine"]
    assert narrowed.completion.values == ["many"]
    assert tasks.completion.values == [task_id]
    assert nothing.completion.values == []
