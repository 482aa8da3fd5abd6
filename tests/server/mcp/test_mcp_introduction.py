"""A client that introduces itself before there is a server hears what the server would say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from server.introductions import take_down
from server.mcp_facade.introduction import answer, listed
from server.surroundings import own_version


@pytest.fixture(scope="module")
def taken_down() -> Mapping[str, Any]:
    return take_down()


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_a_handshake_is_answered_as_the_server_answers_it(taken_down: Mapping[str, Any], version: str) -> None:
    told = answer({"jsonrpc": "2.0", "id": 7, "method": "initialize", "params": {"protocolVersion": version}})
    assert told is not None
    said = taken_down["initialize"][version]
    assert told["id"] == 7
    assert told["result"] == said | {"serverInfo": said["serverInfo"] | {"version": own_version()}}


def test_a_version_that_nobody_knows_is_answered_with_the_newest_of_its_era() -> None:
    told = answer({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2031-01-01"}})
    assert told is not None
    assert told["result"]["protocolVersion"] == "2025-11-25"


def test_a_look_around_is_answered_as_the_server_answers_it(taken_down: Mapping[str, Any]) -> None:
    told = answer({"jsonrpc": "2.0", "id": "a", "method": "server/discover", "params": {}})
    assert told == {"jsonrpc": "2.0", "id": "a", "result": taken_down["discover"]}


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"method": "initialize"},
        {"method": "initialize", "id": 1, "params": []},
        {"method": "tools/list", "id": 1, "params": {}},
        {"method": "initialize", "params": {}},
    ],
)
def test_everything_else_waits_for_the_server(message: Mapping[str, Any]) -> None:
    assert answer(message) is None


INIT: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "initialize"}
LIST: dict[str, Any] = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
MODERN = "2026-07-28"


def envelope(**capabilities: object) -> dict[str, Any]:
    return {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        }
    }


def test_the_tools_are_listed_as_the_server_lists_them(taken_down: Mapping[str, Any]) -> None:
    old = listed(LIST, INIT | {"params": {"protocolVersion": "2025-06-18", "capabilities": {}}})
    assert old == {"jsonrpc": "2.0", "id": 2, "result": {"tools": taken_down["tools"]}}
    new = listed(LIST | {"params": envelope()}, None)
    assert new is not None
    assert new["result"] == taken_down["list"][MODERN] | {"tools": taken_down["tools"]}
    assert "browser_run_task" in {tool["name"] for tool in taken_down["tools"]}


OTHERS: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    ({**LIST, "method": "tools/call"}, None),
    (LIST, None),
    ({**LIST, "params": [1]}, None),
    ({**LIST, "params": {"_meta": 7}}, None),
    ({**LIST, "params": envelope(extensions={"io.modelcontextprotocol/ui": {}})}, None),
    (LIST, {**INIT, "params": {"protocolVersion": "2025-11-25", "capabilities": {"extensions": {}}}}),
    ({"jsonrpc": "2.0", "method": "tools/list"}, INIT),
]


@pytest.mark.parametrize(("asked", "introduction"), OTHERS)
def test_who_may_see_other_tools_waits_for_the_server(
    asked: Mapping[str, Any], introduction: Mapping[str, Any] | None
) -> None:
    assert listed(asked, introduction) is None
