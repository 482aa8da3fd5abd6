"""Whatever a client sends: it is answered in the protocol's own shape, with what to do, and nothing of it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest

from server.mcp_facade.lines import LARGEST
from tests.server.mcp.client import MODERN, Raw, http_client
from tests.server.mcp.house import House, serving
from tests.server.mcp.pipes import Talk
from tests.server.mcp.stdio_entry import own_server
from tests.server.mcp.test_mcp_http import ACCEPT, HELLO, bearer, post, transports
from tests.server.mcp.test_mcp_stdio import process

pytestmark = pytest.mark.anyio
PING = '{"jsonrpc": "2.0", "id": 1, "method": "ping"}'
DEEP = "[" * 100_000

NO_MESSAGES: Mapping[str, tuple[bytes, int, str]] = {
    "a batch": (f"[{PING}]".encode(), -32600, "send each message by itself"),
    "a text": (b'"ping"', -32600, "a JSON object"),
    "a number": (b"7", -32600, "a JSON object"),
    "not a number": (b"NaN", -32600, "a JSON object"),
    "nothing": (b" ", -32700, "JSON"),
    "half a message": (PING[:-1].encode(), -32700, "JSON"),
    "a NUL behind it": (PING.encode() + b"\0", -32700, "JSON"),
    "another encoding": (PING.replace("ping", "p\xffing").encode("latin-1"), -32700, "UTF-8"),
    "half a character": (PING.replace("ping", "\\ud800").encode(), -32700, "JSON"),
    "endless brackets": (PING.replace('"ping"', f'"ping", "params": {DEEP}').encode(), -32700, "JSON"),
    "a number without an end": (PING.replace("1", "9" * 5000).encode(), -32700, "JSON"),
    "another version": (PING.replace('"2.0"', '"1.0"').encode(), -32600, "jsonrpc"),
    "no method": (b'{"jsonrpc": "2.0", "id": 1}', -32600, "method"),
    "a broken id": (PING.replace("1", "1.5").encode(), -32600, "id"),
    "no id at all": (PING.replace("1", "null").encode(), -32600, "id"),
    "parameters in a list": (PING.replace('"ping"', '"ping", "params": [1]').encode(), -32600, "params"),
}


def told(error: Mapping[str, object], code: int, words: str) -> None:
    """An error as a client can use it: what is wrong, and nothing of our insides."""
    assert error["code"] == code
    assert words in str(error["message"])
    for inside in ("pydantic", "Traceback", "validation error", "input_value"):
        assert inside not in str(error)


async def send(url: str, body: bytes, headers: Mapping[str, str], method: str = "POST") -> httpx2.Response:
    async with http_client() as http:
        return await http.request(
            method, url, content=body, headers={"Content-Type": "application/json", **ACCEPT, **headers}
        )


@pytest.mark.parametrize("sent", NO_MESSAGES)
@pytest.mark.parametrize("version", ["2025-11-25", MODERN])
async def test_what_is_no_message_is_answered_with_what_one_is(url: str, secret: str, sent: str, version: str) -> None:
    body, code, words = NO_MESSAGES[sent]
    answer = await send(url, body, {**bearer(secret), "MCP-Protocol-Version": version})
    assert answer.status_code == 400
    told(answer.json()["error"], code, words)


async def test_over_a_pipe_it_is_answered_too_and_the_client_goes_on(tmp_path: Path) -> None:
    long = PING.replace('"ping"', f'"ping", "params": {{"long": "{"x" * (1 << 20)}"}}').encode()
    far_too_long = PING.replace("ping", "x" * LARGEST).encode()
    async with own_server(tmp_path), process(tmp_path) as running:
        talk = Talk(running)
        await talk.begin()
        assert running.stdin is not None
        assert running.stdout is not None
        given = {
            **NO_MESSAGES,
            "a long one": (long, -32600, "at most"),
            "an endless one": (far_too_long, -32600, "at most"),
        }
        for sent, (body, code, words) in given.items():
            if not body.strip():
                continue  # an empty line says nothing
            running.stdin.write(body + b"\n")
            answer = json.loads(await running.stdout.readline())
            assert answer["jsonrpc"] == "2.0", sent
            told(answer["error"], code, words)
        assert (await talk.answer(await talk.send("ping")))["result"] == {}
        await talk.end()


async def test_a_request_before_the_handshake_is_told_to_begin_with_it(tmp_path: Path) -> None:
    async with own_server(tmp_path), process(tmp_path) as running:
        talk = Talk(running)
        told((await talk.answer(await talk.send("tools/list")))["error"], -32602, "initialize first")


@pytest.mark.parametrize(
    ("method", "headers", "status", "words"),
    [
        ("POST", {"Content-Type": "text/plain"}, 415, "Content-Type: application/json"),
        ("POST", {"Accept": "application/json"}, 406, "Accept: application/json, text/event-stream"),
        ("POST", {"MCP-Protocol-Version": MODERN, "Accept": "text/html"}, 406, "Accept: application/json"),
        ("POST", {"MCP-Protocol-Version": "2030-01-01"}, 400, MODERN),
        ("POST", {"MCP-Protocol-Version": "newest"}, 400, MODERN),
        ("POST", {}, 400, "send initialize first"),
        ("GET", {}, 400, "send initialize first"),
        ("DELETE", {}, 400, "send initialize first"),
        ("POST", {"Mcp-Session-Id": "0" * 32}, 404, "send initialize"),
        ("GET", {"Mcp-Session-Id": "none such"}, 404, "send initialize"),
        ("DELETE", {"Mcp-Session-Id": "0" * 32}, 404, "send initialize"),
        ("GET", {"MCP-Protocol-Version": MODERN}, 405, "POST"),
        ("PUT", {}, 405, "POST"),
        ("OPTIONS", {}, 405, "POST"),
    ],
)
async def test_a_request_that_cannot_be_served_is_told_how_it_could(
    url: str, secret: str, method: str, headers: dict[str, str], status: int, words: str
) -> None:
    answer = await send(url, PING.encode(), {**bearer(secret), **headers}, method)
    assert answer.status_code == status
    told(answer.json()["error"], -32600, words)


async def test_what_begins_no_session_leaves_none(house: House, secret: str) -> None:
    before = transports()
    async with serving(house) as url:
        for method in ("POST", "GET", "DELETE"):
            assert (await send(url, PING.encode(), bearer(secret), method)).status_code == 400
        assert transports() == before


async def test_an_address_with_a_slash_behind_it_is_the_same(url: str, secret: str) -> None:
    assert (await post(f"{url}/", bearer(secret))).status_code == 200


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("tools/call", {}, "params.name: Field required"),
        ("tools/call", {"name": "task_list", "arguments": [1]}, "params.arguments"),
        ("completion/complete", {"ref": {"type": "ref/none"}, "argument": {"name": "x", "value": ""}}, "params.ref"),
        ("prompts/get", {"name": "publish", "arguments": [1]}, "params.arguments"),
    ],
)
async def test_wrong_parameters_are_named(
    url: str, secret: str, method: str, params: dict[str, object], words: str
) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 2, "method": method, "params": params}).encode()
    begun = await post(url, bearer(secret), HELLO)
    session = {"Mcp-Session-Id": begun.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
    (line,) = [
        line for line in (await send(url, body, {**bearer(secret), **session})).text.splitlines() if "data:" in line
    ]
    told(json.loads(line.removeprefix("data: "))["error"], -32602, words)
    told(await Raw(url, secret).error(method, params, str(params.get("name", ""))), -32602, "params")
