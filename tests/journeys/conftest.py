"""`webhand` as a new user runs it: a process with a data folder of its own, reached over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

WEBHAND = str(Path(sys.executable).with_name("webhand"))
MEMBER = {"username": "alice", "password": "practice-alice"}


@dataclass
class Running:
    """A `webhand serve` that answers."""

    process: subprocess.Popen[str]
    folder: Path
    client: httpx.Client
    log: Path

    @property
    def practice(self) -> str:
        """The practice site's base URL: what really happened is counted there."""
        return str(json.loads((self.folder / "server.json").read_text())["practice"])

    def call(self, method: str, path: str, status: int = 200, **given: Any) -> Any:
        answer = self.client.request(method, path, **given)
        assert answer.status_code == status, answer.text
        return answer.json()["data"] if answer.json().get("success") else answer.json()["error"]

    def account(self, name: str = "my-demo") -> None:
        self.call("POST", "/api/accounts", json={"platform": "demo", "name": name, "credentials": MEMBER})

    def create(self, text: str, name: str = "my-demo", **given: Any) -> dict[str, Any]:
        body = {"platform": "demo", "tool": "createPost", "accountName": name, "parameters": {"text": text}} | given
        return self.call("POST", "/api/tasks", json=body)

    def until(self, task_id: str, *states: str) -> dict[str, Any]:
        """The task once it is in one of the states; the test's own time-out ends a wait for what never comes."""
        while True:
            task = self.call("GET", f"/api/tasks/{task_id}", params={"wait": 1})
            if task["state"] in states:
                return task
            assert task["state"] in {"pending", "processing"}, task

    def published(self, text: str) -> int:
        posts = httpx.get(f"{self.practice}/api/published").json()
        return int(posts["counts"].get(text, 0))


def serve(folder: Path, log_name: str, **settings: str) -> Running:
    """Starts `webhand serve` on folder/data and waits until it answers."""
    data = folder / "data"
    note = data / "server.json"
    note.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBHAND_")}
    environment |= {"WEBHAND_DATA": str(data), "WEBHAND_PORT": "0", "WEBHAND_LEASE": "15", "WEBHAND_DRAIN": "1"}
    environment |= {f"WEBHAND_{name.upper()}": value for name, value in settings.items()}
    log = folder / log_name
    with log.open("w") as file:
        process = subprocess.Popen([WEBHAND, "serve"], env=environment, stdout=file, stderr=file, text=True)
    while not note.exists():
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)
    key = (data / "local.key").read_text().strip()
    url = json.loads(note.read_text())["url"]
    client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60)
    return Running(process, data, client, log)


def end(running: Running) -> None:
    """Ends the server, however it is."""
    running.client.close()
    running.process.kill()
    running.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Generator[Callable[..., Running]]:
    """Starts servers on one data folder, one after the other; what still runs at the end is ended."""
    started: list[Running] = []

    def begin(**settings: str) -> Running:
        started.append(serve(tmp_path, f"log-{len(started)}", **settings))
        return started[-1]

    yield begin
    for running in started:
        end(running)
