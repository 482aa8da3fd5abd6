"""Asks our own MCP server to introduce itself, in every version of the protocol: server/mcp_facade/introduction.json is made of this."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp.shared.message import SessionMessage
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_MODERN_VERSION

from server.house import House
from server.settings import read_settings

_CLIENT = {"name": "webhand", "version": "1"}


def take_down() -> dict[str, Any]:
    """The results of `initialize` by protocol version, without our own version, and that of `server/discover`."""
    return asyncio.run(_take_down())


async def _take_down() -> dict[str, Any]:
    told: dict[str, Any] = {"initialize": {}}
    with tempfile.TemporaryDirectory() as folder:
        house = House(read_settings(data=Path(folder)), "http://127.0.0.1")
        server = house.build_mcp().server
        for protocol in HANDSHAKE_PROTOCOL_VERSIONS:
            params: dict[str, Any] = {"protocolVersion": protocol, "capabilities": {}, "clientInfo": _CLIENT}
            result = await _ask(server, "initialize", params)
            result["serverInfo"]["version"] = ""
            told["initialize"][protocol] = result
        envelope = {
            "io.modelcontextprotocol/protocolVersion": LATEST_MODERN_VERSION,
            "io.modelcontextprotocol/clientInfo": _CLIENT,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        told["discover"] = await _ask(server, "server/discover", {"_meta": envelope})
    return told


async def _ask(server: Any, method: str, params: dict[str, Any]) -> dict[str, Any]:
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](1)
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](1)
    async with anyio.create_task_group() as group, to_server, from_server:
        group.start_soon(server.run, incoming, outgoing, server.create_initialization_options())
        asked = types.JSONRPCRequest(jsonrpc="2.0", id=1, method=method, params=params)
        await to_server.send(SessionMessage(asked))
        answer = (await from_server.receive()).message.model_dump(by_alias=True, exclude_unset=True)
        group.cancel_scope.cancel()
        return answer["result"]
    raise RuntimeError("unreachable")
