"""What to put into the configuration of an MCP client, so that it starts or reaches Webhand. docs/clients.md shows the same."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NAME = "webhand"


@dataclass(frozen=True, slots=True)
class Launch:
    """How a client starts Webhand on stdin and stdout."""

    command: Sequence[str] = ("uvx", "webhand", "mcp")
    env: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def server(self) -> dict[str, Any]:
        """In the words that nearly all clients share."""
        env = {"env": dict(self.env)} if self.env else {}
        return {"command": self.command[0], "args": list(self.command[1:]), **env}


@dataclass(frozen=True, slots=True)
class Client:
    """One client. `where`: the file that takes the text, or the shell."""

    where: str
    text: Callable[[Launch], str]


def _json(key: str, **more: str) -> Callable[[Launch], str]:
    """The form with all servers under one key."""
    return lambda launch: json.dumps({key: {NAME: {**more, **launch.server}}}, indent=2)


def _toml(launch: Launch) -> str:
    lines = [
        f"[mcp_servers.{NAME}]",
        f"command = {json.dumps(launch.command[0])}",
        f"args = {json.dumps(list(launch.command[1:]))}",
        "startup_timeout_sec = 60",
        "tool_timeout_sec = 120",
    ]
    if launch.env:
        lines += [f"[mcp_servers.{NAME}.env]", *(f"{name} = {json.dumps(value)}" for name, value in launch.env.items())]
    return "\n".join(lines)


def _shell(launch: Launch) -> str:
    env = [f"--env {name}={shlex.quote(value)}" for name, value in launch.env.items()]
    return " ".join(["claude mcp add", NAME, *env, "--", shlex.join(launch.command)])


CLIENTS: Mapping[str, Client] = {
    "claude-code": Client("a shell", _shell),
    "claude-desktop": Client("claude_desktop_config.json", _json("mcpServers")),
    "codex": Client("~/.codex/config.toml", _toml),
    "cursor": Client("~/.cursor/mcp.json", _json("mcpServers")),
    "gemini-cli": Client("~/.gemini/settings.json", _json("mcpServers")),
    "vscode": Client(".vscode/mcp.json", _json("servers", type="stdio")),
    "windsurf": Client("~/.codeium/windsurf/mcp_config.json", _json("mcpServers")),
    "zed": Client("~/.config/zed/settings.json", _json("context_servers", source="custom")),
}


def config_for(client: str, launch: Launch) -> str:
    """The text for a client's configuration. Raises KeyError for one that is not known."""
    return CLIENTS[client].text(launch)
