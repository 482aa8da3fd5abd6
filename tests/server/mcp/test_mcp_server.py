"""`webhand mcp` as it is installed: the real server behind it, reached from cold, in both eras."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from tests.server.mcp.client import told

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
ROOT = Path(__file__).parents[3]
WEBHAND = str(Path(sys.executable).with_name("webhand"))


def environment(folder: Path, **more: str) -> dict[str, str]:
    """That of a client which keeps everything in a folder of the test's."""
    return {**os.environ, "WEBHAND_DATA": str(folder), "WEBHAND_LOG_LEVEL": "error", **more}


@pytest.mark.parametrize("arguments", [["mcp"], []])
async def test_the_installed_command_serves_a_client(tmp_path: Path, era: str, arguments: list[str]) -> None:
    launched = StdioServerParameters(command=WEBHAND, args=arguments, env=environment(tmp_path), cwd=tmp_path)
    async with Client(launched, mode=era) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        accounts = told(await client.call_tool("account_list", {}))
        missing = await client.call_tool("demo_createPost", {"accountName": "me", "text": "Hello"})
    assert {"browser_run_task", "demo_createPost", "task_get"} <= names
    assert accounts["accounts"] == []
    assert told(missing)["error"]["code"] == "ACCOUNT_NOT_FOUND"


def test_the_bundles_entry_point_ignores_what_was_left_empty(tmp_path: Path) -> None:
    entry = ROOT / "bundle" / "src" / "webhand_mcp.py"
    left = environment(tmp_path, WEBHAND_LLM_MODEL="", WEBHAND_MCP_WAIT="${user_config.wait}")
    answer = subprocess.run(
        [sys.executable, str(entry), "--print-config", "cursor"],
        env=left,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert "mcpServers" in answer.stdout
