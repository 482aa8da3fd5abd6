"""The protocol library's own client, and what its answers hold."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx2
import mcp_types as types
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

MODERN = "2026-07-28"


PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Tests speak plain HTTP: a client that reads the machine's certificates each time costs more than most tests."""


def http_client(headers: Mapping[str, str] | None = None) -> httpx2.AsyncClient:
    """An HTTP client of the tests'."""
    return httpx2.AsyncClient(headers=headers, timeout=60, verify=PLAIN)


@asynccontextmanager
async def connected(
    url: str, secret: str, era: str = MODERN, headers: Mapping[str, str] | None = None, **options: Any
) -> AsyncGenerator[Client]:
    """A client over HTTP. `era`: legacy, or the version of self-contained requests."""
    given = {"Authorization": f"Bearer {secret}", **(headers or {})}
    async with (
        http_client(headers=given) as http,
        Client(streamable_http_client(url, http_client=http), mode=era, **options) as client,
    ):
        yield client


def told(answer: Any) -> dict[str, Any]:
    """The structured content of a tool's result."""
    assert isinstance(answer, types.CallToolResult), answer
    return cast("dict[str, Any]", answer.structured_content)


def text_of(answer: Any) -> str:
    """The text of a tool's result."""
    assert isinstance(answer, types.CallToolResult), answer
    assert isinstance(answer.content[0], types.TextContent)
    return answer.content[0].text


def envelope(capabilities: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What every self-contained request carries."""
    return {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": dict(capabilities or {}),
    }


class Raw:
    """Self-contained requests by hand: what a library would not send, and what it would hide."""

    def __init__(self, url: str, secret: str, capabilities: Mapping[str, Any] | None = None) -> None:
        self._url = url
        self._headers = {
            "Authorization": f"Bearer {secret}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "MCP-Protocol-Version": MODERN,
        }
        self._capabilities = capabilities

    async def post(self, method: str, params: Mapping[str, Any], name: str | None = None) -> httpx2.Response:
        """One request; `name` goes into the Mcp-Name header."""
        headers = {**self._headers, "Mcp-Method": method, **({"Mcp-Name": name} if name is not None else {})}
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": method,
            "params": {**params, "_meta": envelope(self._capabilities)},
        }
        async with http_client() as http:
            # As text of our own: the client's encoder has scruples that not every client has (NaN, half a character).
            return await http.post(self._url, content=json.dumps(body), headers=headers)

    async def result(self, method: str, params: Mapping[str, Any], name: str | None = None) -> dict[str, Any]:
        """The result of one request."""
        answer = (await self.post(method, params, name)).json()
        assert "result" in answer, answer
        return answer["result"]

    async def error(self, method: str, params: Mapping[str, Any], name: str | None = None) -> dict[str, Any]:
        """The error of one request."""
        answer = (await self.post(method, params, name)).json()
        assert "error" in answer, answer
        return answer["error"]
