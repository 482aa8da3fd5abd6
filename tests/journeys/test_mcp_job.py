"""What an MCP client's user lives through, in both eras of the protocol: a real server, a real Chromium, the practice site."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Generator, Mapping
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import httpx
import mcp_types as types
import pytest
from mcp.client import Client
from mcp.client.session import ClientRequestContext
from mcp.client.subscriptions import ResourceUpdated

from server.mcp_facade.next import AFTER
from server.mcp_facade.tasks import EXTENSION
from storage.database import Database
from storage.keys import KeyStore
from tests.journeys.conftest import Running, end, serve
from tests.server.mcp.client import MODERN, Raw, connected, text_of, told

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
POST = "demo_createPost"
ERAS = ("legacy", MODERN)
PAGE = "https://app.example"
"""The origin of pages that may call."""
NUMBERS = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    given = {"caps": "false", "mcp_wait": "40", "lite_slots": "4", "cors_origins": f'["{PAGE}"]'}
    running = serve(tmp_path_factory.mktemp("mcp"), "log", **given)
    yield running
    end(running)


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def behaving(server: Running) -> Generator[None]:
    """The practice site behaves at first, and again afterwards."""
    yield
    behave(server)


@pytest.fixture
def secret(server: Running) -> str:
    return (server.folder / "local.key").read_text().strip()


@pytest.fixture
def url(server: Running) -> str:
    return str(server.client.base_url).rstrip("/") + "/mcp"


@pytest.fixture
async def keys(server: Running) -> AsyncGenerator[KeyStore]:
    database = Database(f"sqlite:///{server.folder / 'webhand.db'}")
    await database.open()
    yield KeyStore(database)
    await database.close()


async def key(keys: KeyStore, secret: str, *scopes: str, **settings: Any) -> str:
    """A key of the same owner."""
    row = await keys.find(secret)
    assert row is not None
    _, narrow = await keys.create("narrow", owner=row.owner, scopes=scopes, settings=settings)
    return narrow


def misbehave(server: Running, **faults: Any) -> None:
    httpx.put(f"{server.practice}/api/faults", json=faults).raise_for_status()


def behave(server: Running) -> None:
    httpx.delete(f"{server.practice}/api/faults").raise_for_status()


def account(server: Running) -> str:
    """A new account, so that none waits for the rest that another must take between two acts."""
    name = f"member-{next(NUMBERS)}"
    server.account(name)
    return name


async def ended(client: Client, answer: Any) -> dict[str, Any]:
    """How the task ended: while it goes on, its client asks as `next` tells it to."""
    seen = told(answer)
    while seen["status"] in {"pending", "processing"}:
        assert "task_get" in seen["next"]
        seen = told(await client.call_tool("task_get", {"task_id": seen["task_id"], "wait_seconds": 45}))
    return seen


class Person:
    """Whoever sits at the client: says yes, and does what the page asks for, in a browser of their own."""

    def __init__(self, server: Running) -> None:
        self.asked: list[types.ElicitRequestURLParams] = []
        self.landed: list[str] = []
        self._server = server
        self.doing: list[asyncio.Task[None]] = []

    async def answer(self, context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context
        assert isinstance(params, types.ElicitRequestURLParams)
        self.asked.append(params)
        self.doing.append(asyncio.create_task(self.do(params)))
        return types.ElicitResult(action="accept")

    async def do(self, asked: types.ElicitRequestURLParams) -> None:
        """Opens the page, gives it the code, and does what the page behind it is for."""
        code = re.findall(r"code (\S+)\.$", asked.message)[0]
        origin = {"Origin": str(self._server.client.base_url).rstrip("/")}
        async with httpx.AsyncClient(headers=origin, follow_redirects=True, timeout=60) as browser:
            page = await browser.get(asked.url)
            assert page.status_code == 200
            for wrong in ("", "0000-0000", code[:-1]):
                refused = await browser.post(asked.url, data={"code": wrong})
                assert refused.status_code == 403
                assert "not the code" in refused.text
            opened = await browser.post(asked.url, data={"code": code.lower().replace("-", " ")})
            assert opened.status_code == 200
            self.landed.append(opened.url.path)
            if opened.url.path.startswith("/sign-in/"):
                ended = await browser.post(f"{opened.url}/cancel")
                assert "cancelled" in ended.text
            else:
                await asyncio.to_thread(behave, self._server)
                task_id = asked.url.rpartition("/")[2]
                await asyncio.to_thread(self._server.call, "POST", f"/api/tasks/{task_id}/resume")


async def test_a_client_in_an_allowed_page_can_have_a_session(url: str, secret: str) -> None:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "page", "version": "1"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    headers = {"Origin": PAGE, "Authorization": f"Bearer {secret}", "Accept": "application/json, text/event-stream"}
    async with httpx.AsyncClient(headers=headers) as page:
        answer = await page.post(url, json=body)
    assert answer.headers["access-control-allow-origin"] == PAGE
    shown = answer.headers["access-control-expose-headers"].lower().split(", ")
    assert "mcp-session-id" in shown, "a page reads no other header"
    assert answer.headers["mcp-session-id"]


async def test_a_call_publishes_once_tells_each_step_and_is_read_back(
    server: Running, url: str, secret: str, era: str
) -> None:
    heard: list[str] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        del progress, total
        heard.append(message or "")

    text = f"Published over MCP, {era}"
    async with connected(url, secret, era) as client:
        answer = await client.call_tool(POST, {"accountName": account(server), "text": text}, progress_callback=hear)
        ending = await ended(client, answer)
        assert ending["status"] == "completed", ending
        assert ending["result"]["text"] == text
        assert [block.type for block in answer.content] == ["text"]
        task_id = told(answer)["task_id"]
        pictured = await client.call_tool("task_get", {"task_id": task_id, "screenshot": True})
        assert [block.type for block in pictured.content] == ["text", "image"]
        steps = (await client.read_resource(f"task://{task_id}/steps")).contents[0]
        picture = (await client.read_resource(f"task://{task_id}/screenshot")).contents[0]
        prompt = types.ResourceTemplateReference(uri="task://{id}")
        assert (await client.complete(prompt, {"name": "id", "value": task_id})).completion.values == [task_id]
    assert server.published(text) == 1
    assert any("Publish the post" in message for message in heard), heard
    assert isinstance(steps, types.TextResourceContents)
    assert "Publish the post" in steps.text
    assert isinstance(picture, types.BlobResourceContents)


async def test_a_call_that_is_sent_twice_is_one_task_and_whoever_waits_sees_its_end(
    server: Running, url: str, secret: str, era: str
) -> None:
    misbehave(server, slow=2)
    call = {"accountName": account(server), "text": f"Sent twice, {era}", "idempotency_key": f"twice-{era}"}
    async with connected(url, secret, era, {"X-MCP-Wait": "0"}) as client:
        first, second = await asyncio.gather(client.call_tool(POST, call), client.call_tool(POST, call))
        assert told(first)["task_id"] == told(second)["task_id"]
        assert "note" in {**told(first), **told(second)}
        assert "Do not repeat" in told(first)["next"]
        assert (await ended(client, first))["status"] == "completed"
        again = await client.call_tool(POST, call)
    assert told(again)["status"] == "completed"
    assert server.published(call["text"]) == 1


async def test_watchers_hear_of_changes(server: Running, url: str, secret: str) -> None:
    misbehave(server, slow=1.5)
    heard: list[Any] = []
    updated = asyncio.Event()

    async def hear(message: Any) -> None:
        heard.append(message)
        if isinstance(message, types.ResourceUpdatedNotification):
            updated.set()

    options: dict[str, Any] = {"message_handler": hear}
    call = {"accountName": account(server), "text": "Watched"}
    async with (
        connected(url, secret, "legacy", {"X-MCP-Wait": "0"}, **options) as old,
        connected(url, secret) as new,
    ):
        uri = f"task://{told(await old.call_tool(POST, call))['task_id']}"
        await old.subscribe_resource(uri)  # pyright: ignore[reportDeprecated]  # how it was before 2026
        async with new.listen(resource_subscriptions=[uri]) as stream:
            assert await asyncio.wait_for(anext(aiter(stream)), 60) == ResourceUpdated(uri=uri)
        await asyncio.wait_for(updated.wait(), 60)


async def test_the_tasks_extension_carries_a_call_from_its_beginning_to_its_end(
    server: Running, url: str, secret: str
) -> None:
    misbehave(server, slow=1)
    raw = Raw(url, secret, {"extensions": {EXTENSION: {}}})
    call = {"name": POST, "arguments": {"accountName": account(server), "text": "As a task"}}
    made = await raw.result("tools/call", call, POST)
    assert (made["resultType"], made["status"]) == ("task", "working")
    named = {"taskId": made["taskId"]}
    seen = made
    while seen["status"] == "working":
        await asyncio.sleep(made["pollIntervalMs"] / 1000)  # as the answer asks
        seen = await raw.result("tasks/get", named, made["taskId"])
    assert seen["status"] == "completed"
    assert seen["result"]["structuredContent"]["result"]["text"] == "As a task"
    assert (await raw.result("tasks/cancel", named, made["taskId"]))["resultType"] == "complete"
    assert (await raw.error("tasks/get", named, "another"))["code"] == -32020
    assert (await raw.error("tasks/get", {"taskId": "task_none"}, "task_none"))["code"] == -32602
    assert (await Raw(url, secret).error("tasks/get", named, made["taskId"]))["code"] == -32021


async def test_a_challenge_is_put_to_the_user_whose_code_leads_to_the_live_view(
    server: Running, url: str, secret: str, era: str
) -> None:
    misbehave(server, challenge="acts")
    person = Person(server)
    call = {"accountName": account(server), "text": f"I am a person, {era}"}
    async with connected(url, secret, era, elicitation_callback=person.answer) as client:
        answer = await client.call_tool(POST, call)
        ending = await ended(client, answer)
    await asyncio.gather(*person.doing)
    assert ending["status"] == "completed", ending
    assert len(person.asked) == 1
    assert urlsplit(person.asked[0].url).path == f"/questions/{told(answer)['task_id']}"
    assert person.landed[0].startswith("/live/")
    assert server.published(call["text"]) == 1


async def test_who_cannot_be_asked_is_told_in_words_and_the_link_is_enough(
    server: Running, url: str, secret: str, era: str
) -> None:
    misbehave(server, challenge="acts")
    async with connected(url, secret, era) as client:
        answer = await client.call_tool(POST, {"accountName": account(server), "text": f"In words, {era}"})
        assert answer.is_error
        assert told(answer)["status"] == "paused"
        link = next(word for word in text_of(answer).split() if "/live/" in word)
        assert (await asyncio.to_thread(httpx.get, link)).status_code == 200
        ended = told(await client.call_tool("task_cancel", {"task_id": told(answer)["task_id"]}))
    assert ended["status"] == "cancelled"


async def test_an_account_that_is_not_signed_in_is_signed_in_first(
    server: Running, url: str, secret: str, era: str
) -> None:
    person, name = Person(server), f"nobody-{era}"
    server.call("POST", "/api/accounts", json={"platform": "demo", "name": name})
    async with connected(url, secret, era, elicitation_callback=person.answer) as client:
        answer = await client.call_tool(POST, {"accountName": name, "text": "Never"})
    await asyncio.gather(*person.doing)
    assert answer.is_error
    assert "You cancelled it" in told(answer)["next"]
    assert person.landed[0].startswith("/sign-in/")
    assert person.landed[0].removeprefix("/sign-in/") not in person.asked[0].url
    async with connected(url, secret, era) as client:
        words = await client.call_tool(POST, {"accountName": name, "text": "Never"})
    assert "/sign-in/" in text_of(words)


async def test_what_needs_approval_waits_for_somebody_with_a_key(
    server: Running, url: str, secret: str, keys: KeyStore, era: str
) -> None:
    supervised = await key(keys, secret, "read", "write", approval=True)
    call = {"accountName": account(server), "text": f"May I, {era}"}

    async def approve(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context
        assert isinstance(params, types.ElicitRequestURLParams)
        assert call["text"] in params.message
        task_id = urlsplit(params.url).path.removeprefix("/tasks/")
        async with httpx.AsyncClient(headers={"Origin": url.removesuffix("/mcp")}) as browser:
            assert (await browser.get(params.url)).headers["location"].startswith("/login")
            assert (await browser.post(url.replace("/mcp", f"/questions/{task_id}"))).status_code == 403
        assert server.published(call["text"]) == 0
        await asyncio.to_thread(server.call, "POST", f"/api/tasks/{task_id}/approve")
        return types.ElicitResult(action="accept")

    async with connected(url, supervised, era, elicitation_callback=approve) as client:
        ending = await ended(client, await client.call_tool(POST, call))
    assert ending["status"] == "completed", ending
    assert server.published(call["text"]) == 1


FAULTS: Mapping[str, Mapping[str, Any]] = {
    "RATE_LIMITED": {"rate_limited": 77},
    "ACCOUNT_SUSPENDED": {"locked": True},
    "PAGE_CHANGED": {"moved": True},
    "OUTCOME_UNCERTAIN": {"cut": "after"},
}


@pytest.mark.parametrize("code", FAULTS)
async def test_what_a_site_does_to_a_task_is_told_with_what_mends_it(
    server: Running, url: str, secret: str, code: str
) -> None:
    misbehave(server, **FAULTS[code])
    async with connected(url, secret) as client:
        answer = await client.call_tool(POST, {"accountName": account(server), "text": f"Fails with {code}"})
    assert answer.is_error
    assert told(answer)["error"]["code"] == code, answer
    for text in (text_of(answer), told(answer)["next"]):
        assert ("77 seconds" if code == "RATE_LIMITED" else AFTER[code]) in text


async def test_each_key_header_and_path_shows_no_more_than_it_should(url: str, secret: str, keys: KeyStore) -> None:
    async def names(secret: str, path: str = "", **headers: str) -> set[str]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with connected(url + path, secret, headers=given) as client:
            return {tool.name for tool in (await client.list_tools()).tools}

    looking = {"account_list", "task_get", "task_list"}
    everything = await names(secret)
    assert everything > looking | {POST, "browser_run_task", "twitter_createTweet", "task_cancel"}
    assert await names(secret, "/readonly") == looking
    assert await names(secret, X_MCP_Readonly="true") == looking
    assert await names(await key(keys, secret, "read")) == looking
    only_demo = {name for name in everything if name.startswith(("demo_", "task_", "account_"))}
    assert await names(secret, X_MCP_Toolsets="demo") == only_demo
    narrow = await key(keys, secret, "read", "write", platforms=["demo"], wait_seconds=0)
    assert await names(narrow) == await names(narrow, X_MCP_Toolsets="demo,twitter") == only_demo
    async with connected(url, narrow) as client:
        refused = await client.call_tool(POST, {"accountName": "nobody", "text": "Hello"})
        assert told(refused)["error"]["code"] == "ACCOUNT_NOT_FOUND"
        with pytest.raises(Exception, match="limited to demo"):
            await client.call_tool("browser_run_task", {"task": "Look around"})
