"""`webhand mcp` as it is installed: the real server behind it, with real browsers, reached from cold, in both eras."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import httpx2
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from server.rehearsal import DEMO_SCRIPTS
from tests.scripted_model import scripted_model
from tests.server.mcp.client import told
from tests.server.mcp.pipes import Talk, process

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
ROOT = Path(__file__).parents[3]
WEBHAND = str(Path(sys.executable).with_name("webhand"))
READERS = {"account_list", "task_get", "task_list"}


def environment(folder: Path, **more: str) -> dict[str, str]:
    """That of a client which keeps everything in a folder of the test's."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("WEBHAND_")}
    return own | {"WEBHAND_DATA": str(folder), "WEBHAND_LOG_LEVEL": "error"} | more


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
async def first(folder: Path) -> AsyncGenerator[Talk]:
    """The client that came first: the server, its engines and its browsers live in the process that it started."""
    with scripted_model(DEMO_SCRIPTS) as (_, base_url):
        settings = environment(folder, WEBHAND_LLM_BASE_URL=base_url, WEBHAND_LLM_MODEL="rehearsed", WEBHAND_DRAIN="1")
        async with process([WEBHAND, "mcp"], folder, settings, stderr=None) as running:
            talk = Talk(running)
            await talk.begin()
            yield talk
            assert await talk.end() == b"", "after its last answer nothing may follow on stdout"


async def practice_account(folder: Path) -> None:
    """An account of the practice site."""
    url = json.loads((folder / "server.json").read_text())["url"]
    key = (folder / "local.key").read_text().strip()
    member = {"username": "alice", "password": "practice-alice"}
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as http:
        made = await http.post(f"{url}/api/accounts", json={"platform": "demo", "name": "me", "credentials": member})
    assert made.status_code == 200, made.text


async def test_nothing_but_the_protocol_is_on_stdout_while_both_engines_drive_browsers(
    first: Talk, folder: Path
) -> None:
    await first.call("task_list", {})  # now the server answers
    await practice_account(folder)
    for engine in ("lite", "full"):
        asked = {"accountName": "me", "text": f"Hello from {engine}", "preferredEngine": engine}
        done = await first.call("demo_createPost", asked)  # each line until the answer is read as a message
        if done["status"] == "processing":
            done = await first.call("task_get", {"task_id": done["task_id"], "wait_seconds": 50})
        assert done["status"] == "completed", done
        assert done["result"]["text"] == f"Hello from {engine}"
        shown = await first.result("task_get", {"task_id": done["task_id"], "screenshot": True})
        assert [block["type"] for block in shown["content"]] == ["text", "image"]


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("arguments", [["mcp"], []])
async def test_the_installed_command_serves_a_client(folder: Path, era: str, arguments: list[str]) -> None:
    launched = StdioServerParameters(command=WEBHAND, args=arguments, env=environment(folder), cwd=folder)
    async with Client(launched, mode=era) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        missing = await client.call_tool("demo_createPost", {"accountName": "nobody", "text": "Hello"})
    assert {"browser_run_task", "demo_createPost", "task_get"} <= names
    assert told(missing)["error"]["code"] == "ACCOUNT_NOT_FOUND"


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        (["mcp", "--read-only", "--platforms", "demo"], {}),
        (["mcp"], {"WEBHAND_MCP_READ_ONLY": "true", "WEBHAND_MCP_PLATFORMS": '["demo"]'}),
    ],
)
async def test_a_client_narrows_what_it_sees_of_a_server_that_runs_already(
    folder: Path, arguments: list[str], settings: Mapping[str, str]
) -> None:
    launched = StdioServerParameters(command=WEBHAND, args=arguments, env=environment(folder, **settings), cwd=folder)
    async with Client(launched, mode="legacy") as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == READERS


async def test_where_no_browser_can_be_started_a_call_says_what_to_do(tmp_path: Path) -> None:
    settings = environment(tmp_path, WEBHAND_CHROMIUM=str(tmp_path / "nothing"))
    async with process([WEBHAND], tmp_path, settings, stderr=subprocess.DEVNULL) as running:
        talk = Talk(running)
        await talk.begin()
        early = await talk.result("browser_run_task", {"task": "Look around"})  # perhaps before the engines are known
        late = await talk.result("browser_run_task", {"task": "Look around again"})
        tasks = await talk.call("task_list", {"status": "open"})
        await talk.end()
    for answer in (early, late):
        assert answer["isError"]
        assert "WEBHAND_CHROMIUM" in answer["content"][0]["text"]
        assert "webhand doctor" in answer["content"][0]["text"]
    assert late["structuredContent"]["status"] == "refused"
    waiting = {early["structuredContent"].get("task_id")} - {None}
    assert {task["task_id"] for task in tasks["tasks"]} == waiting


async def test_where_no_server_can_be_started_the_first_call_says_why(tmp_path: Path) -> None:
    (tmp_path / "webhand.db").write_bytes(b"no database " * 1000)
    async with process([WEBHAND, "mcp"], tmp_path, environment(tmp_path)) as running:
        talk = Talk(running)
        await talk.begin()
        answer = await talk.answer(await talk.send("tools/call", {"name": "task_list", "arguments": {}}))
        _, said = await asyncio.wait_for(running.communicate(), 30)
    sentence = f"The database sqlite:///{tmp_path}/webhand.db cannot be opened: file is not a database"
    assert answer["error"]["message"] == f"Webhand could not start. {sentence}"
    assert said.decode().splitlines()[-1] == sentence
    assert running.returncode == 2


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
