"""What the server says of itself to a client that introduces itself.

It never changes while a version runs, so `make docs` takes it down from the server, into introduction.json, and `webhand mcp` can answer
a client before the server behind it has started. `make check` finds it stale, as it does the other documents made from the code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

PATH = Path(__file__).with_name("introduction.json")
Json = dict[str, Any]


def answer(request: Mapping[str, Any]) -> Json | None:
    """The response to `initialize` (a client of the handshake era) or `server/discover` (since 2026-07-28); None for anything else.

    A handshake for a version that we do not speak is answered with the newest that we do (MCP 2025-11-25, lifecycle).
    """
    params: Any = request.get("params")
    if (
        request.get("method") not in {"initialize", "server/discover"}
        or not isinstance(params, dict)
        or "id" not in request
    ):
        return None
    known = _known()
    result: Any = known["discover"]
    if request["method"] == "initialize":
        result = known["initialize"][_version(known["initialize"], cast("Json", params))]
        result["serverInfo"]["version"] = version("webhand")
    return {"jsonrpc": "2.0", "id": request["id"], "result": result}


def listed(request: Mapping[str, Any], introduction: Mapping[str, Any] | None) -> Json | None:
    """The response to `tools/list` where nothing narrows it; None for anything else, and for a client that shows apps.

    `introduction`: the client's `initialize`; since 2026-07-28 each request says for itself what that said.
    """
    if request.get("method") != "tools/list" or "id" not in request:
        return None
    known = _known()
    if introduction is None:
        envelope = _object(_object(request, "params"), "_meta")
        spoken = envelope.get("io.modelcontextprotocol/protocolVersion")
        capabilities = _object(envelope, "io.modelcontextprotocol/clientCapabilities")
    else:
        said = _object(introduction, "params")
        spoken, capabilities = _version(known["initialize"], said), _object(said, "capabilities")
    if not isinstance(spoken, str) or spoken not in known["list"] or "extensions" in capabilities:
        return None
    return {"jsonrpc": "2.0", "id": request["id"], "result": {**known["list"][spoken], "tools": known["tools"]}}


def _object(holder: Mapping[str, Any], name: str) -> Json:
    """The member of that name, as far as it is an object."""
    found: Any = holder.get(name)
    return cast("Json", found) if isinstance(found, dict) else {}


def _version(versions: Json, params: Json) -> str:
    """The version in which a handshake ends."""
    wanted = params.get("protocolVersion")
    return wanted if isinstance(wanted, str) and wanted in versions else max(versions)


def _known() -> Json:
    return cast("Json", json.loads(PATH.read_text(encoding="utf-8")))
