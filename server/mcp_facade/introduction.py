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
    known: Mapping[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    result: Any = known["discover"]
    if request["method"] == "initialize":
        versions: dict[str, Any] = known["initialize"]
        wanted = cast("Json", params).get("protocolVersion")
        result = versions[wanted if isinstance(wanted, str) and wanted in versions else max(versions)]
        result["serverInfo"]["version"] = version("webhand")
    return {"jsonrpc": "2.0", "id": request["id"], "result": result}
