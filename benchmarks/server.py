"""The server against bare alternatives that do the same, side by side in one run.

- lite demo.createPost, from POST to completed, over a hand-written Playwright script of the same steps on the same Chromium: warm and cold.
- Acknowledging a create, over a bare Starlette handler with one SQLModel insert on the same kind of SQLite file.
- From the create's acknowledgement to the task's start; `webhand mcp` and `webhand serve` from cold to their first answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from playwright.async_api import Browser, async_playwright
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlmodel import Field, SQLModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.chromium import Chromium
from agent.installed import find_chromium
from server.house import PRACTICE, House
from server.logs import set_up_logging
from server.practice.site import Server
from server.serving import serving
from server.settings import Settings, read_settings

ROUNDS = 12
CREATES = 300
WEBHAND = str(Path(sys.executable).with_name("webhand"))
MEMBER = {"username": "alice", "password": "practice-alice"}


def p50(values: list[float]) -> float:
    return statistics.median(values)


def p99(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, round(len(values) * 0.99))]


def settings_in(folder: Path) -> Settings:
    return read_settings(
        data=folder, port=0, duplicate_hours=0, caps=False, log_level="error", hourly_limit=10**6, daily_limit=10**6
    )


@asynccontextmanager
async def a_server() -> AsyncGenerator[tuple[House, httpx.AsyncClient]]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with serving(settings_in(Path(folder))) as house:
            key = (Path(folder) / "local.key").read_text().strip()
            async with httpx.AsyncClient(
                base_url=house.public_url, headers={"Authorization": f"Bearer {key}"}, timeout=60
            ) as client:
                body = {"platform": "demo", "name": "bench", "credentials": MEMBER}
                (await client.post("/api/accounts", json=body)).raise_for_status()
                yield house, client


async def post_by_task(client: httpx.AsyncClient, text: str) -> float:
    """Seconds from POST to completed."""
    begun = time.perf_counter()
    body = {"platform": "demo", "tool": "createPost", "accountName": "bench", "parameters": {"text": text}}
    task = (await client.post("/api/tasks", json=body)).json()["data"]
    while task["state"] not in {"completed", "failed", "timeout"}:
        task = (await client.get(f"/api/tasks/{task['taskId']}", params={"wait": 30})).json()["data"]
    if task["state"] != "completed":
        raise RuntimeError(json.dumps(task))
    return time.perf_counter() - begun


async def post_by_hand(browser: Browser, home: str, text: str, state: Any) -> float:
    """Seconds for the same steps written by hand, with the same pictures: open, write, publish, read back."""
    begun = time.perf_counter()
    context = await browser.new_context(storage_state=state, viewport={"width": 1280, "height": 960})
    page = await context.new_page()
    await page.goto(f"{home}/compose")
    await page.screenshot(type="jpeg", quality=60)
    editor = page.locator("[data-testid=editor]")
    await editor.click()
    await page.keyboard.insert_text(text)
    await page.screenshot(type="jpeg", quality=60)
    async with page.expect_response(lambda answer: answer.url.endswith("/api/posts")) as answered:
        await page.locator("[data-testid=publish]").click()
    post = await (await answered.value).json()
    await page.screenshot(type="jpeg", quality=60)
    await page.goto(f"{home}/posts/{post['id']}")
    if text not in await page.locator("[data-testid=post-text]").first.inner_text():
        raise RuntimeError("the post is not there")
    await page.screenshot(type="jpeg", quality=60)
    await context.close()
    return time.perf_counter() - begun


async def logged_in(browser: Browser, home: str) -> Any:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{home}/login")
    await page.locator("[data-testid=login-username]").fill(MEMBER["username"])
    await page.locator("[data-testid=login-password]").fill(MEMBER["password"])
    await page.locator("[data-testid=login-submit]").click()
    await page.wait_for_url(lambda url: "/login" not in url)
    state = await context.storage_state()
    await context.close()
    return state


async def lite() -> list[str]:
    """Ours and by hand, in turns, on one server."""
    chromium = find_chromium(None)
    if chromium is None:
        raise RuntimeError("no Chromium")
    async with a_server() as (house, client), async_playwright() as playwright:
        home = house.origins[PRACTICE]
        cold_ours = await post_by_task(client, "cold")
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            browser_process = await Chromium.launch(chromium, Path(folder))
            browser = await playwright.chromium.connect_over_cdp(browser_process.cdp_url)
            state = await logged_in(browser, home)
            await post_by_hand(browser, home, "cold by hand", state)
            cold_hand = time.perf_counter() - begun
            ours: list[float] = []
            hand: list[float] = []
            for number in range(ROUNDS):
                ours.append(await post_by_task(client, f"ours {number}"))
                hand.append(await post_by_hand(browser, home, f"hand {number}", state))
            await browser_process.close()
    return [
        row("lite demo.createPost, warm", p50(ours), p50(hand), "script by hand", "s"),
        row("lite demo.createPost, cold (Chromium and login too)", cold_ours, cold_hand, "script by hand", "s"),
    ]


class Row(SQLModel, table=True):
    id: str = Field(primary_key=True)
    text: str


@asynccontextmanager
async def bare_server(folder: Path) -> AsyncGenerator[str]:
    """A Starlette handler that parses JSON and inserts one row."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder / 'bare.db'}", connect_args={"timeout": 60})
    async with engine.begin() as connection:
        await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        await connection.run_sync(SQLModel.metadata.tables["row"].create)

    async def create(request: Request) -> Response:
        body = await request.json()
        async with AsyncSession(engine) as session, session.begin():
            session.add(Row(id=os.urandom(16).hex(), text=body["parameters"]["text"]))
        return JSONResponse({"success": True})

    config = uvicorn.Config(Starlette(routes=[Route("/create", create, methods=["POST"])]), port=0, log_config=None)
    server = Server(config)
    running = asyncio.create_task(server.serve())
    await server.ready.wait()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await running
    await engine.dispose()


async def timed(calls: int, call: Callable[[int], Awaitable[Any]]) -> list[float]:
    found: list[float] = []
    for number in range(calls):
        begun = time.perf_counter()
        await call(number)
        found.append(time.perf_counter() - begun)
    return found


async def creates() -> list[str]:
    """Creates that no engine takes (there are no full slots), beside the bare insert."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        used = settings_in(folder / "data").model_copy(update={"full_slots": 0})
        async with serving(used) as house, bare_server(folder) as bare:
            key = (used.data / "local.key").read_text().strip()
            headers = {"Authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(headers=headers, timeout=60) as client:

                async def ours(number: int) -> None:
                    body = {"platform": "browser", "tool": "runTask", "parameters": {"task": f"Do {number}"}}
                    (await client.post(f"{house.public_url}/api/tasks", json=body)).raise_for_status()

                async def theirs(number: int) -> None:
                    (
                        await client.post(f"{bare}/create", json={"parameters": {"text": f"Do {number}"}})
                    ).raise_for_status()

                await timed(20, ours)
                await timed(20, theirs)
                mine, bare_times = await timed(CREATES, ours), await timed(CREATES, theirs)
    return [
        row(
            "create acknowledged, p50",
            p50(mine) * 1000,
            p50(bare_times) * 1000,
            "bare Starlette + SQLModel insert",
            "ms",
        ),
        row(
            "create acknowledged, p99",
            p99(mine) * 1000,
            p99(bare_times) * 1000,
            "bare Starlette + SQLModel insert",
            "ms",
        ),
    ]


async def starts() -> list[str]:
    """How long a task waits for its start on an idle server, as its own row says."""
    waits: list[float] = []
    async with a_server() as (house, client):
        for number in range(ROUNDS):
            await post_by_task(client, f"start {number}")
        caller = await house.verifier.verify(client.headers["authorization"].partition(" ")[2])
        from storage.filters import TaskFilter

        rows, _ = await house.tasks.list(caller, TaskFilter(), limit=ROUNDS)
        waits = [(task.started_at - task.created_at).total_seconds() * 1000 for task in rows if task.started_at]
    return [f"| create to start, p50 | {p50(waits):.1f} ms | | goal 20 ms | |"]


def cold(command: list[str], answered: Callable[[subprocess.Popen[str], Path], None]) -> float:
    """Seconds from starting a command to its first answer."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        environment = {**os.environ, "WEBHAND_DATA": folder, "WEBHAND_PORT": "0", "WEBHAND_LOG_LEVEL": "error"}
        begun = time.perf_counter()
        with subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            try:
                answered(process, Path(folder))
                took = time.perf_counter() - begun
            finally:
                process.terminate()  # else leaving Popen would wait for a server that nobody ends
                process.communicate()
    return took


def serve_answers(process: subprocess.Popen[str], folder: Path) -> None:
    note = folder / "server.json"
    while not note.exists():
        if process.poll() is not None:
            raise RuntimeError("webhand serve ended")
        time.sleep(0.005)
    httpx.get(json.loads(note.read_text())["url"] + "/healthz").raise_for_status()


def worker_ready(process: subprocess.Popen[str], folder: Path) -> None:
    serve_answers(process, folder)
    url = json.loads((folder / "server.json").read_text())["url"]
    while httpx.get(f"{url}/readyz").status_code != 200:
        time.sleep(0.005)


def mcp_answers(process: subprocess.Popen[str], _folder: Path) -> None:
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}) + "\n")
    process.stdin.flush()
    json.loads(process.stdout.readline())


async def colds() -> list[str]:
    """Start-up, and Python's own start with the web framework imported as the yardstick."""
    bare = p50([cold_import() for _ in range(3)])
    serve = p50([cold([WEBHAND, "serve"], serve_answers) for _ in range(3)])
    works = p50([cold([WEBHAND, "serve"], worker_ready) for _ in range(3)])
    mcp = p50([cold([WEBHAND, "mcp"], mcp_answers) for _ in range(3)])
    yardstick = "python -c 'import starlette, uvicorn, sqlmodel, mcp'"
    return [
        row("webhand serve answers (goal 2 s)", serve, bare, yardstick, "s"),
        row("webhand serve, its worker too", works, bare, yardstick, "s"),
        row("webhand mcp, first answer (goal 1 s)", mcp, bare, yardstick, "s"),
    ]


def cold_import() -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import starlette, uvicorn, sqlmodel, mcp"], check=True)
    return time.perf_counter() - begun


def row(what: str, ours: float, theirs: float, alternative: str, unit: str) -> str:
    return f"| {what} | {ours:.3g} {unit} | {theirs:.3g} {unit} | {alternative} | {ours / theirs:.2f} |"


HEAD = "| What | Webhand | Alternative | which is | Ratio |\n| --- | --- | --- | --- | --- |"


async def table() -> str:
    set_up_logging(settings_in(Path(tempfile.gettempdir())))
    rows = [*await lite(), *await creates(), *await starts(), *await colds()]
    return "\n".join([HEAD, *rows])


if __name__ == "__main__":
    print(asyncio.run(table()))
