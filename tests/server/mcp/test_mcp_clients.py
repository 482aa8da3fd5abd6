"""What clients are told to put into their configurations, in the documents and by the command."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from server.commands.mcp import mcp
from server.mcp_clients import CLIENTS, Launch, config_for

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("client", CLIENTS)
def test_the_document_shows_each_clients_block(client: str) -> None:
    page = (ROOT / "docs" / "clients.md").read_text()
    assert f"\n{config_for(client, Launch())}\n```" in page
    assert f"`{client}`" in page


def test_the_blocks_are_what_their_files_can_hold() -> None:
    launch = Launch(("/opt/web hand", "mcp"), {"WEBHAND_LLM_MODEL": 'a "model"'})
    for client in set(CLIENTS) - {"claude-code", "codex"}:
        (servers,) = json.loads(config_for(client, launch)).values()
        assert servers["webhand"]["command"] == "/opt/web hand"
        assert servers["webhand"]["env"] == launch.env
    codex = tomllib.loads(config_for("codex", launch))["mcp_servers"]["webhand"]
    assert codex["args"] == ["mcp"]
    assert codex["env"] == launch.env
    shell = config_for("claude-code", launch)
    assert shell == """claude mcp add webhand --env WEBHAND_LLM_MODEL='a "model"' -- '/opt/web hand' mcp"""


@pytest.mark.parametrize(
    ("folder", "command"), [("bin", "{folder}/webhand"), ("uv/archive-v0/f00/bin", "uvx")], ids=["installed", "uvx"]
)
def test_the_block_names_a_program_that_will_be_there_tomorrow(tmp_path: Path, folder: str, command: str) -> None:
    program = tmp_path / folder / "webhand"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    app = typer.Typer()
    app.command()(mcp)
    printed = CliRunner().invoke(app, ["--print-config", "cursor"], env={"PATH": str(program.parent)})
    assert json.loads(printed.stdout)["mcpServers"]["webhand"]["command"] == command.format(folder=program.parent)


def test_the_block_names_what_printed_it_where_no_path_leads_to_it(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(mcp)
    printed = CliRunner().invoke(app, ["--print-config", "cursor"], env={"PATH": str(tmp_path)})
    own = str(Path(sys.executable).with_name("webhand"))
    assert json.loads(printed.stdout)["mcpServers"]["webhand"]["command"] == own


def test_the_command_prints_a_block_and_names_the_clients_it_knows() -> None:
    app = typer.Typer()
    app.command()(mcp)
    printed = CliRunner().invoke(app, ["--print-config", "cursor"])
    assert printed.exit_code == 0
    assert json.loads(printed.stdout)["mcpServers"]["webhand"]["args"][-1] == "mcp"
    unknown = CliRunner().invoke(app, ["--print-config", "nothing"])
    assert unknown.exit_code == 2
    assert "claude-desktop" in unknown.stderr
