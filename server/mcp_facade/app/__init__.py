"""The live view as an MCP App: one page without frames, sockets or outside hosts, which a client shows beside a task."""

from __future__ import annotations

from functools import cache
from pathlib import Path

APP_URI = "ui://webhand/live.html"
APP_TYPE = "text/html;profile=mcp-app"
EXTENSION = "io.modelcontextprotocol/ui"


@cache
def app_html() -> str:
    """The page."""
    return (Path(__file__).parent / "live.html").read_text(encoding="utf-8")
