"""`webhand demo`: the main job on the practice site, from an MCP client's call to the result read back."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from agent.installed import find_chromium, install_chromium
from server.auth import Caller
from server.commands.local import err, out
from server.house import PRACTICE, House
from server.logs import set_up_logging
from server.serving import serving
from server.settings import Settings
from storage.keys import SCOPES, KeyStore

_ACCOUNT = "my-demo"
_MEMBER = {"username": "alice", "password": "practice-alice"}  # the practice site shows it on its login page
_CALL_S = 300


async def run_demo(settings: Settings, *, engine: str, stay: bool) -> int:
    """Runs it and returns the exit code."""
    folder = settings.data / "demo"
    used = settings.model_copy(update={"data": folder, "database_url": None, "demo_site": True, "log_level": "warning"})
    set_up_logging(used)
    async with AsyncExitStack() as stack:
        used = used.model_copy(update={"chromium": await _chromium(settings)})
        if engine == "full" and settings.llm_model is None:
            out.print(
                "No model is configured, so the agent's model is [bold]rehearsed[/bold]: a script that knows this one task."
            )
            from server.rehearsed_model import serve_rehearsed_model  # only here is it needed

            base = await stack.enter_async_context(serve_rehearsed_model())
            used = used.model_copy(update={"llm_base_url": base, "llm_model": "rehearsed"})
        house = await stack.enter_async_context(serving(used))
        out.print(f"Webhand serves at {house.public_url}, the practice site at {house.origins[PRACTICE]}", markup=False)
        code = await _main_job(house, engine)
        if stay:
            await _stay(house)
    return code


async def _chromium(settings: Settings) -> Path:
    found = find_chromium(settings.chromium)
    if found is not None:
        return found
    out.print("No Chromium was found: installing one.")
    return await asyncio.to_thread(install_chromium)


async def _main_job(house: House, engine: str) -> int:
    key = await _key(house.key_store)
    caller = await house.verifier.verify(key)
    await _account(house, caller)
    text = f"Hello from Webhand, {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=_CALL_S) as web,
        Client(streamable_http_client(f"{house.public_url}/mcp", http_client=web)) as client,
    ):
        answer = await _call(client, {"accountName": _ACCOUNT, "text": text, "preferredEngine": engine})
    content = told_by(answer)
    if answer.is_error or content.get("status") != "completed":
        err.print(f"The task did not complete: {content.get('error') or answer.content}", markup=False)
        return 1
    await _show(house, caller, content)
    return 0


async def _call(client: Client, arguments: dict[str, Any]) -> CallToolResult:
    out.print(
        f"An MCP client calls demo_createPost({', '.join(f'{name}={value!r}' for name, value in arguments.items())})",
        markup=False,
    )
    columns = (TextColumn("[bold]{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out) as bars:
        bar = bars.add_task("queued", total=100)

        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            if message:
                bars.console.print(f"  {message}", markup=False)
            bars.update(
                bar, completed=progress, total=total or 100, description=(message or "").partition(" — ")[0][:40]
            )

        answer = await client.call_tool(
            "demo_createPost", arguments, progress_callback=progressed, read_timeout_seconds=_CALL_S
        )
        while (told := told_by(answer)).get("status") in {"pending", "processing"}:
            waiting = {"task_id": told["task_id"], "wait_seconds": 45}
            answer = await client.call_tool(
                "task_get", waiting, progress_callback=progressed, read_timeout_seconds=_CALL_S
            )
        bars.update(bar, completed=100, total=100, description="done")
    return answer


def told_by(answer: CallToolResult) -> dict[str, Any]:
    """The structured part of an answer."""
    return answer.structured_content or {}


async def _key(keys: KeyStore) -> str:
    _, secret = await keys.create("demo", owner="default", scopes=list(SCOPES))
    return secret


async def _account(house: House, caller: Caller) -> None:
    rows = await house.accounts.list(caller, platform="demo")
    if any(row.name == _ACCOUNT for row in rows):
        return
    await house.accounts.create(caller, "demo", _ACCOUNT, credentials=_MEMBER)


async def _show(house: House, caller: Caller, content: Mapping[str, Any]) -> None:
    task = await house.tasks.get(caller, str(content["task_id"]))
    result = task.result or {}
    lines = {
        "Read back": f"“{result.get('text', '')}”",
        "Output": result.get("output", ""),
        "Post": result.get("postUrl", ""),
        "Engine": task.engine,
        "Task's page": house.links.task_page(task),
        "Live URL": house.links.live(task),
        "Screenshots": str(house.artifacts.folder / task.id),
    }
    out.rule("Proved and read back")
    for name, value in lines.items():
        out.print(f"[bold]{name}[/bold]: ", end="")
        out.print(value, markup=False)


async def _stay(house: House) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    key = (house.settings.data / "local.key").read_text().strip()
    out.print(f"Still serving at {house.public_url} with the API key {key}. Ctrl+C ends it.", markup=False)
    await stop.wait()
