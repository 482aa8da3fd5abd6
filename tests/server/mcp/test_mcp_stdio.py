"""`webhand mcp`: clients that speak over stdin and stdout, real processes, one server behind all of them."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from tests.server.mcp import pipes
from tests.server.mcp.client import MODERN, told
from tests.server.mcp.pipes import Talk
from tests.server.mcp.stdio_entry import KEY, SOCKET, own_server

pytestmark = pytest.mark.anyio
RUN = "browser_run_task"
ROOT = Path(__file__).parents[3]
ENTRY = ["-m", "tests.server.mcp.stdio_entry"]


def front(folder: Path, *headers: str) -> StdioServerParameters:
    """A client's configuration."""
    return StdioServerParameters(command=sys.executable, args=[*ENTRY, str(folder), *headers], cwd=ROOT)


def process(folder: Path) -> AbstractAsyncContextManager[Process]:
    """A front whose pipes the test holds."""
    return pipes.process([sys.executable, *ENTRY, str(folder)], ROOT)


NEVER_READY = """
import asyncio, sys
from contextlib import asynccontextmanager
from pathlib import Path
from server.mcp_facade.stdio import serve_stdio

@asynccontextmanager
async def own():
    await asyncio.Event().wait()
    yield

asyncio.run(serve_stdio(Path(sys.argv[1]) / "webhand.sock", lambda: "", own))
"""


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Path]:
    """A folder with a server that answers: each front in it is a client of its own."""
    folder = tmp_path_factory.mktemp("shared")
    async with own_server(folder):
        yield folder


async def test_a_client_gets_a_server_of_its_own_where_none_answers_and_the_next_shares_it(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_behind:  # what nobody serves any more is no obstacle
        left_behind.bind(str(tmp_path / SOCKET))
    async with Client(front(tmp_path), mode="legacy") as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        answer = told(await client.call_tool(RUN, {"task": "step tell:Shared"}))
        pictured = await client.call_tool("task_get", {"task_id": answer["task_id"], "screenshot": True})
        async with Client(front(tmp_path), mode=MODERN) as other:
            seen = told(await other.call_tool("task_get", {"task_id": answer["task_id"]}))
    assert "browser_run_task" in names
    assert pictured.content[1].type == "image"
    assert answer["result"]["output"] == seen["result"]["output"] == "Shared"


async def test_a_client_sees_the_tools_before_there_is_a_server(tmp_path: Path) -> None:
    async with pipes.process([sys.executable, "-c", NEVER_READY, str(tmp_path)], ROOT) as running:
        talk = Talk(running)
        assert (await talk.begin())["result"]["serverInfo"]["name"] == "webhand"
        listed = await talk.answer(await talk.send("tools/list"))
        assert RUN in {tool["name"] for tool in listed["result"]["tools"]}


async def test_progress_and_questions_come_through(shared: Path, era: str) -> None:
    heard: list[str] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message or "")

    async def agree(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="accept")

    async with Client(front(shared), mode=era, elicitation_callback=agree) as client:
        answer = await client.call_tool(RUN, {"task": "step ask:budget tell:Agreed"}, progress_callback=hear)
    assert told(answer)["result"]["output"] == "Agreed"
    assert "Goal 1 (https://site.test/1)" in heard


async def test_clients_that_start_together_do_not_clash(tmp_path: Path) -> None:
    made: list[str] = []

    async def one(number: int) -> None:
        async with Client(front(tmp_path), mode=MODERN) as client:
            answer = told(await client.call_tool(RUN, {"task": f"tell:{number}"}))
            made.append(answer["result"]["output"])
            await everybody.wait()

    everybody = asyncio.Event()
    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(one, number)
        async with asyncio.timeout(90):
            while len(made) < 3:  # noqa: ASYNC110  # what is waited for happens in other processes
                await asyncio.sleep(0.1)
        everybody.set()
    assert sorted(made) == ["0", "1", "2"]


async def test_a_front_narrows_what_its_client_sees(shared: Path) -> None:
    async with Client(front(shared, "X-MCP-Readonly=1"), mode=MODERN) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
    assert names == {"account_list", "task_get", "task_list"}


async def test_nothing_but_the_protocol_is_on_stdout(tmp_path: Path) -> None:
    async with process(tmp_path) as running:
        talk = Talk(running)
        assert (await talk.begin())["result"]["serverInfo"]["name"] == "webhand"
        for text in ("print step print", "break", "fail:AGENT_FAILED", "long"):
            await talk.call(RUN, {"task": text})  # `answer` reads every line as JSON
        assert await talk.end() == b""
        assert running.stderr is not None
        assert b"a library talks" in await running.stderr.read()


async def test_when_the_server_dies_its_clients_go_on_with_the_next(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(process(tmp_path))
        owner = Talk(first)
        await owner.begin()
        await owner.call("task_list", {})  # now the server is the first one's own
        guest = Talk(await stack.enter_async_context(process(tmp_path)))
        await guest.begin()
        done = await guest.call(RUN, {"task": "tell:Before"})
        pending = await guest.send("tools/call", {"name": RUN, "arguments": {"task": "step hold"}})
        await guest.call("task_list", {"status": "open"})
        first.send_signal(signal.SIGKILL)
        lost = await guest.answer(pending)
        assert "task_list" in lost["error"]["message"]
        after = await guest.call("task_get", {"task_id": done["task_id"]})
    assert after["result"]["output"] == "Before"


async def test_a_key_that_does_not_hold_is_said_on_stderr(tmp_path: Path) -> None:
    async with own_server(tmp_path):
        (tmp_path / KEY).write_text("sk_live_wrong")
        async with process(tmp_path) as running:
            _, told_why = await asyncio.wait_for(running.communicate(), 30)
    assert running.returncode == 1
    assert b"webhand key create" in told_why
    assert b"sk_live_wrong" not in told_why
