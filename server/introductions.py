"""Asks our own MCP server to introduce itself, in every version of the protocol: server/mcp_facade/introduction.json is made of this."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_MODERN_VERSION
from starlette.requests import HTTPConnection

from server.auth import Caller
from server.house import House
from server.mcp_facade.visit import SCOPE_KEY, Visit
from server.settings import read_settings
from storage.keys import SCOPES

_CLIENT = {"name": "webhand", "version": "1"}
_VISIT = Visit(Caller("key", "owner", frozenset(SCOPES)))
"""Who starts a server of their own has its first key, which may do everything."""
Json = dict[str, Any]
Asked = tuple[str, Json]


def take_down() -> Json:
    """What the server answers: `initialize` and `list` (tools/list) by protocol version, without our own version, and `discover`.

    The list is that of a client whose key, settings and headers narrow nothing, and which shows no apps. Its tools are the same in
    every version, so that they are told once, under `tools`.
    """
    return asyncio.run(_take_down())


async def _take_down() -> Json:
    told: Json = {"initialize": {}, "list": {}}
    with tempfile.TemporaryDirectory() as folder:
        house = House(read_settings(data=Path(folder)), "http://127.0.0.1")
        server = house.build_mcp().server
        for protocol in HANDSHAKE_PROTOCOL_VERSIONS:
            hello: Asked = ("initialize", {"protocolVersion": protocol, "capabilities": {}, "clientInfo": _CLIENT})
            said, told["list"][protocol] = await _ask(server, hello, ("tools/list", {}))
            said["serverInfo"]["version"] = ""
            told["initialize"][protocol] = said
        envelope: Json = {
            "io.modelcontextprotocol/protocolVersion": LATEST_MODERN_VERSION,
            "io.modelcontextprotocol/clientInfo": _CLIENT,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        alone = {"_meta": envelope}
        (told["discover"],) = await _ask(server, ("server/discover", alone))
        (told["list"][LATEST_MODERN_VERSION],) = await _ask(server, ("tools/list", alone))
    lists = [result.pop("tools") for result in told["list"].values()]
    if any(one != lists[0] for one in lists):
        raise RuntimeError("the versions of the protocol do not get the same tools any more")
    return told | {"tools": lists[0]}


async def _ask(server: Any, *requests: Asked) -> list[Json]:
    """The results of one client's requests."""
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](1)
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](1)
    metadata = ServerMessageMetadata(request_context=HTTPConnection({"type": "http", "headers": [], SCOPE_KEY: _VISIT}))
    results: list[Json] = []
    async with anyio.create_task_group() as group, to_server, from_server:
        group.start_soon(server.run, incoming, outgoing, server.create_initialization_options())
        for number, (method, params) in enumerate(requests):
            asked = types.JSONRPCRequest(jsonrpc="2.0", id=number, method=method, params=params)
            await to_server.send(SessionMessage(asked, metadata))
            answer = (await from_server.receive()).message.model_dump(by_alias=True, exclude_unset=True)
            results.append(answer["result"])
            if method == "initialize":
                ready = types.JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized")
                await to_server.send(SessionMessage(ready, metadata))
        group.cancel_scope.cancel()
    return results
