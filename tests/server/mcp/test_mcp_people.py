"""What a paused task asks of a person reaches them: through clients that can ask, in both eras, and in words where they cannot."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import mcp_types as types
import pytest
from mcp.client.session import ClientRequestContext

from server.auth import Caller
from server.signing import TOKEN
from storage.filters import TaskFilter
from storage.states import TaskState
from tests.server.mcp.client import Raw, connected, text_of, told
from tests.server.mcp.house import House

pytestmark = pytest.mark.anyio
RUN = "browser_run_task"
PAUSED = TaskFilter(states=frozenset({TaskState.PAUSED}))


class Person:
    """Whoever sits at the client. `go_on`: they do at once what the task waits for."""

    def __init__(self, house: House, secret: str, action: Any, *, go_on: bool = False) -> None:
        self.seen: list[Any] = []
        self._house = house
        self._secret = secret
        self._action = action
        self._go_on = go_on

    async def answer(self, context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context
        self.seen.append(params)
        if self._go_on:
            await self.press_continue()
        return types.ElicitResult(action=self._action)

    async def press_continue(self) -> None:
        """What the button in the live view does."""
        row = await self._house.keys.find(self._secret)
        assert row is not None
        caller = Caller(row.id, row.owner, frozenset({"admin"}))
        (task,), _ = await self._house.tasks.list(caller, PAUSED, limit=1)
        await (
            self._house.tasks.approve(caller, task.id)
            if task.pause_reason == "approval"
            else self._house.tasks.resume(caller, task.id)
        )


@pytest.mark.parametrize("reason", ["challenge", "sign_in", "two_factor"])
async def test_a_client_that_can_ask_sends_its_user_to_a_page_that_asks_for_a_code(
    house: House, url: str, secret: str, era: str, reason: str
) -> None:
    person = Person(house, secret, "accept", go_on=True)
    async with connected(url, secret, era, elicitation_callback=person.answer) as client:
        answer = await client.call_tool(RUN, {"task": f"step ask:{reason} tell:Solved"})
    assert told(answer)["result"]["output"] == "Solved"
    (asked,) = person.seen
    assert asked.mode == "url"
    assert "Please look at this." in asked.message
    assert urlsplit(str(asked.url)).path == f"/questions/{told(answer)['task_id']}"
    assert re.search(r"the code [0-9A-Z]{4}-[0-9A-Z]{4}\.$", asked.message)


async def test_the_page_of_a_question_opens_nothing_by_itself(house: House, url: str, secret: str, era: str) -> None:
    person = Person(house, secret, "accept", go_on=True)
    async with connected(url, secret, era, elicitation_callback=person.answer) as client:
        await client.call_tool(RUN, {"task": "ask:challenge"})
    assert TOKEN.search(person.seen[0].url) is None
    assert "?" not in person.seen[0].url


async def test_a_client_that_cannot_ask_gets_the_question_in_words(url: str, secret: str, era: str) -> None:
    async with connected(url, secret, era) as client:
        answer = await client.call_tool(RUN, {"task": "step ask:challenge tell:Solved"})
        assert answer.is_error
        assert told(answer)["status"] == "paused"
        assert told(answer)["progress"]["paused_for"] == "challenge"
        for text in (text_of(answer), told(answer)["next"]):
            assert "Please look at this." in text
            assert "Ask the user to open http" in text
            assert "/live/" in text
            assert "task_get" in text
        await client.call_tool("task_resume", {"task_id": told(answer)["task_id"]})
        ended = await client.call_tool("task_get", {"task_id": told(answer)["task_id"], "wait_seconds": 30})
    assert told(ended)["result"]["output"] == "Solved"


async def test_a_task_that_waits_for_approval_is_asked_about_with_what_it_would_publish(
    house: House, url: str, era: str
) -> None:
    secret = await house.key(approval=True)
    await house.account(secret, "me")
    person = Person(house, secret, "accept", go_on=True)
    async with connected(url, secret, era, elicitation_callback=person.answer) as client:
        answer = await client.call_tool("demo_createPost", {"accountName": "me", "text": "tell:Published"})
    assert told(answer)["status"] == "completed"
    assert "tell:Published" in person.seen[0].message
    async with connected(url, secret, era) as client:
        words = await client.call_tool("demo_createPost", {"accountName": "me", "text": "tell:Other"})
    assert words.is_error
    assert f"/tasks/{told(words)['task_id']}" in text_of(words)


async def test_no_tool_approves(house: House, url: str) -> None:
    secret = await house.key("read", "write", "admin", approval=True)
    await house.account(secret, "me")
    async with connected(url, secret) as client:
        waiting = told(await client.call_tool("demo_createPost", {"accountName": "me", "text": "tell:Published"}))
        refused = await client.call_tool("task_resume", {"task_id": waiting["task_id"]})
    assert told(refused)["error"]["code"] == "CONFLICT"


async def test_what_a_yes_settles_is_asked_as_a_form(house: House, url: str, secret: str, era: str) -> None:
    person = Person(house, secret, "accept")
    async with connected(url, secret, era, elicitation_callback=person.answer) as client:
        answer = await client.call_tool(RUN, {"task": "ask:budget tell:Went-on"})
    assert person.seen[0].mode == "form"
    assert told(answer)["result"]["output"] == "Went-on"


async def test_nobody_is_asked_about_a_pause_that_somebody_wanted(
    house: House, url: str, secret: str, era: str
) -> None:
    person = Person(house, secret, "decline")
    async with connected(url, secret, era, {"X-MCP-Wait": "0"}, elicitation_callback=person.answer) as client:
        made = told(await client.call_tool(RUN, {"task": "hold step tell:Done"}))
        await client.call_tool("task_get", {"task_id": made["task_id"], "wait_seconds": 0.2})
        await client.call_tool("task_pause", {"task_id": made["task_id"]})
        house.engine.released.set()
        waiting = {"task_id": made["task_id"], "wait_seconds": 2}
        paused = told(await client.call_tool("task_get", waiting))
    assert paused["status"] == "paused"
    assert "task_resume" in paused["next"]
    assert person.seen == []


@pytest.mark.parametrize("reason", ["budget", "challenge"])
async def test_who_says_no_ends_the_task(house: House, url: str, secret: str, era: str, reason: str) -> None:
    person = Person(house, secret, "decline")
    async with connected(url, secret, era, elicitation_callback=person.answer) as client:
        answer = await client.call_tool(RUN, {"task": f"ask:{reason}"})
    assert told(answer)["status"] == "cancelled"
    assert answer.is_error
    assert len(person.seen) == 1


async def test_who_says_yes_is_not_asked_again(house: House, url: str, secret: str, era: str) -> None:
    person = Person(house, secret, "accept")
    async with connected(url, secret, era, {"X-MCP-Wait": "1"}, elicitation_callback=person.answer) as client:
        answer = await client.call_tool(RUN, {"task": "ask:challenge tell:Solved"})
        assert told(answer)["status"] == "paused"
        assert not answer.is_error, "the person is at it: nothing is wrong"
        waiting = {"task_id": told(answer)["task_id"], "wait_seconds": 1}
        still = told(await client.call_tool("task_get", waiting))
        assert still["status"] == "paused"
        assert len(person.seen) == 1
        await person.press_continue()
        ended = told(await client.call_tool("task_get", {**waiting, "wait_seconds": 30}))
    assert ended["result"]["output"] == "Solved"


async def test_a_question_that_comes_after_the_call_is_asked_by_whoever_looks_next(
    house: House, url: str, secret: str, era: str
) -> None:
    person = Person(house, secret, "accept", go_on=True)
    async with connected(url, secret, era, {"X-MCP-Wait": "0"}, elicitation_callback=person.answer) as client:
        made = told(await client.call_tool(RUN, {"task": "hold ask:challenge tell:Solved"}))
        house.engine.released.set()
        ended = told(await client.call_tool("task_get", {"task_id": made["task_id"], "wait_seconds": 30}))
    assert ended["result"]["output"] == "Solved"
    assert len(person.seen) == 1


async def test_the_handshake_era_hears_when_the_question_is_settled(house: House, url: str, secret: str) -> None:
    heard: list[Any] = []

    async def hear(message: Any) -> None:
        heard.append(message)

    person = Person(house, secret, "accept", go_on=True)
    options: dict[str, Any] = {"elicitation_callback": person.answer, "message_handler": hear}
    async with connected(url, secret, "legacy", **options) as client:
        await client.call_tool(RUN, {"task": "ask:challenge"})
    settled = [message for message in heard if isinstance(message, types.ElicitCompleteNotification)]
    assert [message.params.elicitation_id for message in settled] == [person.seen[0].elicitation_id]


async def test_the_state_of_a_round_belongs_to_its_key_and_its_arguments(house: House, url: str, secret: str) -> None:
    capabilities: dict[str, Any] = {"elicitation": {"url": {}, "form": {}}}
    call = {"name": RUN, "arguments": {"task": "ask:challenge"}}
    raw = Raw(url, secret, capabilities)
    round_one = await raw.result("tools/call", call, RUN)
    assert round_one["resultType"] == "input_required"
    (key,) = round_one["inputRequests"]
    answers = {"inputResponses": {key: {"action": "accept"}}}
    state = round_one["requestState"]
    other_arguments = {**call, "arguments": {"task": "ask:sign_in"}, "requestState": state, **answers}
    assert (await raw.error("tools/call", other_arguments, RUN))["code"] == types.INVALID_PARAMS
    tampered = {**call, "requestState": state[:-2] + ("AA" if state[-2:] != "AA" else "BB"), **answers}
    assert (await raw.error("tools/call", tampered, RUN))["code"] == types.INVALID_PARAMS
    stranger = Raw(url, await house.key(), capabilities)
    assert (await stranger.error("tools/call", {**call, "requestState": state, **answers}, RUN))["code"] == (
        types.INVALID_PARAMS
    )


async def test_a_client_that_declares_forms_only_is_not_sent_to_pages(house: House, url: str, secret: str) -> None:
    raw = Raw(url, secret, {"elicitation": {}})
    answer = await raw.result("tools/call", {"name": RUN, "arguments": {"task": "ask:challenge"}}, RUN)
    assert answer["isError"] is True
    form = await raw.result("tools/call", {"name": RUN, "arguments": {"task": "ask:budget"}}, RUN)
    assert form["resultType"] == "input_required"


async def test_who_may_only_look_is_asked_nothing_and_gets_links_for_watching(house: House, url: str, era: str) -> None:
    writes = await house.key(owner="both-kinds")
    async with connected(url, writes) as client:
        paused = told(await client.call_tool(RUN, {"task": f"ask:challenge tell:{era}"}))
    person = Person(house, writes, "accept")
    looking = await house.key("read", owner="both-kinds")
    named = {"task_id": paused["task_id"], "wait_seconds": 0.2}
    for path, secret in (("", looking), ("/readonly", writes)):
        async with connected(url + path, secret, era, elicitation_callback=person.answer) as client:
            seen = told(await client.call_tool("task_get", named))
        (link,) = {word for word in f"{seen['next']} {seen['live_url']}".split() if "/live/" in word}
        signed = house.signer.verify("live", link.rpartition("/")[2])
        assert signed is not None
        assert signed.rights == frozenset()
    assert person.seen == []
