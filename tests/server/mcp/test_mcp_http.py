"""Over HTTP: who is let in, under which names, and that sessions do not pile up."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp.server.streamable_http import StreamableHTTPServerTransport

from tests.server.mcp.client import connected, http_client, told
from tests.server.mcp.house import House, serving

pytestmark = pytest.mark.anyio
ACCEPT = {"Accept": "application/json, text/event-stream"}
HELLO: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


async def post(url: str, headers: dict[str, str], body: Any = HELLO) -> httpx2.Response:
    """One request by hand."""
    async with http_client() as http:
        return await http.post(url, json=body, headers={**ACCEPT, **headers})


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.parametrize("headers", [{}, bearer("sk_live_wrong"), {"Authorization": "Basic dTpw"}])
@pytest.mark.parametrize("path", ["", "/readonly"])
async def test_without_a_valid_key_a_person_is_told_what_to_do(url: str, headers: dict[str, str], path: str) -> None:
    answer = await post(url + path, headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert "resource_metadata" not in answer.headers["www-authenticate"]
    assert "webhand key create" in answer.json()["error_description"]
    assert "sk_live_wrong" not in answer.text


async def test_a_revoked_key_is_turned_away(house: House, url: str) -> None:
    secret = await house.key()
    row = await house.keys.find(secret)
    assert row is not None
    await house.keys.revoke(row.id)
    assert (await post(url, bearer(secret))).status_code == 401


async def test_another_name_or_page_is_turned_away(house: House, secret: str) -> None:
    async with serving(house, hosts=["Agents.example"], origins=["https://app.example"]) as url:

        async def status(**headers: str) -> int:
            return (await post(url, {**bearer(secret), **headers})).status_code

        assert await status(Host="evil.example") == 421
        assert await status(Host="agents.example:8443") == 200
        assert await status(Origin="https://evil.example") == 403
        assert await status(Origin="null") == 403
        assert await status(Origin="https://app.example") == 200
        assert await status(Origin="http://localhost:3000") == 200


async def test_any_page_may_call_where_that_is_wanted(house: House, secret: str) -> None:
    async with serving(house, origins=["*"]) as url:
        assert (await post(url, {**bearer(secret), "Origin": "https://any.example"})).status_code == 200


async def test_a_session_belongs_to_its_key(house: House, url: str, secret: str) -> None:
    begun = await post(url, bearer(secret))
    session = {"Mcp-Session-Id": begun.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    assert (await post(url, {**bearer(secret), **session}, ping)).status_code == 200
    assert (await post(url, {**bearer(await house.key()), **session}, ping)).status_code == 404


async def test_headers_that_make_no_sense_are_answered_in_words(url: str, secret: str) -> None:
    for nonsense in ("long", "nan"):
        wait = await post(url, {**bearer(secret), "X-MCP-Wait": nonsense})
        assert wait.status_code == 400
        assert "X-MCP-Wait" in wait.json()["error"]["message"]
    toolsets = await post(url, {**bearer(secret), "X-MCP-Toolsets": "nowhere"})
    assert toolsets.status_code == 400, "404 would mean that a session is gone"
    assert "demo" in toolsets.json()["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "teaches"),
    [
        ({"Host": "evil.example"}, "WEBHAND_ALLOWED_HOSTS"),
        ({"Origin": "https://evil.example"}, "WEBHAND_CORS_ORIGINS"),
        ({"X-MCP-Toolsets": "nowhere"}, "'nowhere' is not known"),
    ],
)
async def test_who_is_turned_away_is_told_why_in_the_protocols_words(
    url: str, secret: str, headers: dict[str, str], teaches: str
) -> None:
    answer = await post(url, {**bearer(secret), **headers})
    told = types.JSONRPCError.model_validate(answer.json())  # clients show its message, and of any other body nothing
    assert teaches in told.error.message


async def test_a_body_that_is_too_large_is_refused(house: House, secret: str) -> None:
    async with serving(house, max_body=2048) as url:
        answer = await post(url, bearer(secret), {**HELLO, "padding": "x" * 4096})
    assert answer.status_code == 413


async def test_sessions_expire(house: House, secret: str) -> None:
    async with serving(house, session_idle=0.3) as url:
        begun = await post(url, bearer(secret))
        session = {"Mcp-Session-Id": begun.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
        ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
        async with asyncio.timeout(20):
            while (await post(url, {**bearer(secret), **session}, ping)).status_code != 404:  # noqa: ASYNC110  # as below
                await asyncio.sleep(0.4)


async def test_sessions_leave_nothing_behind(house: House, secret: str) -> None:
    before = transports()
    async with serving(house, session_idle=0.5) as url, http_client() as http:
        for _ in range(300):
            begun = await http.post(url, json=HELLO, headers={**ACCEPT, **bearer(secret)})
            assert begun.status_code == 200
        async with asyncio.timeout(30):
            while transports() > before:  # noqa: ASYNC110  # sessions expire on a clock of the library's own
                await asyncio.sleep(0.2)


def transports() -> int:
    """Sessions that still lie in memory."""
    gc.collect()
    return sum(isinstance(one, StreamableHTTPServerTransport) and not one.is_terminated for one in gc.get_objects())


async def test_many_clients_call_at_once(house: House, url: str, secret: str, era: str) -> None:
    async def one(number: int) -> str:
        async with connected(url, secret, era) as client:
            answer = told(await client.call_tool("browser_run_task", {"task": f"step tell:{number}"}))
        return str(answer["result"]["output"])

    assert await asyncio.gather(*(one(number) for number in range(12))) == [str(number) for number in range(12)]
    del house
