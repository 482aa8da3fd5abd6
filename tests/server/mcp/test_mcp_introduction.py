"""A client that introduces itself before there is a server hears what the server would say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from server.introductions import take_down
from server.mcp_facade.introduction import answer
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
