"""The database goes away under a running server: callers are told so, and when it is back nothing has to be started again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.disk import a_small_disk
from tests.chaos.postgres import own_server
from tests.journeys.conftest import Running, end, serve

TASK = {"platform": "demo", "tool": "createPost", "accountName": "my-demo", "parameters": {"text": "It is back."}}
ACCEPTED = "application/json, text/event-stream"
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
POST = {"name": "demo_createPost", "arguments": {"accountName": "my-demo", "text": "It is back."}}


def ready(running: Running) -> None:
    """Waits until the worker is there; the test's own time-out ends a wait for what never comes."""
    while running.client.get("/readyz").status_code != 200:
        time.sleep(0.05)


def spoken(
    running: Running, method: str, params: Mapping[str, Any], session: Mapping[str, str] | None = None
) -> httpx.Response:
    """The answer to a message of MCP's."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return running.client.post("/mcp", json=message, headers={"Accept": ACCEPTED, **(session or {})})


def test_callers_are_told_that_the_database_is_away_and_when_to_come_back(start: Callable[..., Running]) -> None:
    with own_server() as server:
        running = start(database_url=server.url)
        running.account()
        ready(running)
        session = {"Mcp-Session-Id": spoken(running, "initialize", HELLO).headers["mcp-session-id"]}
        server.stop()
        for method, path, body in (
            ("GET", "/api/tasks", None),
            ("POST", "/api/tasks", TASK),
            ("GET", "/api/v1/tasks", None),
            ("POST", "/api/v1/run-task", {"task": "Read the page."}),
            ("GET", "/metrics", None),
            ("GET", "/share/anything", None),
        ):
            answer = running.client.request(method, path, json=body)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2"), (path, answer.text)
            assert "database cannot be used right now" in answer.text
        error = running.call("POST", "/api/tasks", 503, json=TASK)
        assert (error["code"], error["retryAfter"]) == ("DATABASE_UNAVAILABLE", 2)
        assert "database cannot be used right now" in spoken(running, "tools/call", POST, session).text
        server.start()
        ready(running)
        created = running.call("POST", "/api/tasks", json=TASK)
        assert running.until(created["taskId"], "completed", "failed")["state"] == "completed"
        assert running.published("It is back.") == 1
    assert "Traceback" not in running.log.read_text()


def test_callers_are_told_of_a_full_disk_and_served_once_there_is_room(tmp_path: Path) -> None:
    with a_small_disk(tmp_path, "20m") as disk:
        running = serve(disk, "log")
        try:
            running.account()
            ready(running)
            with suppress(OSError), (disk / "full").open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
            error = running.call("POST", "/api/tasks", 503, json=TASK)
            assert error["code"] == "DATABASE_UNAVAILABLE"
            assert running.client.get("/api/tasks").status_code == 200
            (disk / "full").unlink()
            created = running.call("POST", "/api/tasks", json=TASK)
            assert running.until(created["taskId"], "completed", "failed")["state"] == "completed"
        finally:
            end(running)


def test_a_worker_whose_database_goes_away_while_it_starts_says_so_and_ends(start: Callable[..., Running]) -> None:
    with own_server() as server:
        running = start(database_url=server.url)
        running.process.send_signal(signal.SIGSTOP)  # it answers, but its engines are not there yet
        server.stop()
        running.process.send_signal(signal.SIGCONT)
        assert running.process.wait(60) == 2
        said = running.log.read_text().splitlines()[-1]
        assert said.startswith(
            ("The database went away while the worker started: ", "The queue's tables cannot be opened: ")
        )
        server.start()
