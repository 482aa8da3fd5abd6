"""The main job as a new user sees it, and what a crash in the middle of it leaves."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.journeys.conftest import WEBHAND, Running, end, serve

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., Running]


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """A server with an account of the practice site."""
    running = serve(tmp_path_factory.mktemp("one"), "log")
    running.account()
    yield running
    end(running)


def test_a_post_is_published_once_proved_and_read_back(one_server: Running) -> None:
    server = one_server
    created = server.create("Hello World!")
    assert (created["state"], created["platform"], created["tool"]) == ("pending", "demo", "createPost")
    task = server.until(created["taskId"], "completed", "failed")
    assert task["state"] == "completed", task
    assert task["result"]["success"] is True
    assert task["result"]["text"] == "Hello World!"
    assert server.published("Hello World!") == 1
    cloud = server.client.get(f"/api/v1/task/{created['taskId']}").json()
    assert cloud["status"] == "finished"
    assert [step["step"] for step in cloud["steps"]] == list(range(1, len(cloud["steps"]) + 1))
    assert all(step["url"].startswith("http") and step["next_goal"] for step in cloud["steps"])


def test_a_crash_in_the_middle_fails_the_task_and_repeats_nothing_and_pending_tasks_run(start: Start) -> None:
    settings = {"lite_slots": "1", "lease": "600"}
    server = start(**settings)
    server.account()
    httpx.put(f"{server.practice}/api/faults", json={"slow": 8}).raise_for_status()
    held = server.create("Never published twice")
    server.until(held["taskId"], "processing")
    waiting = server.create("Published after the crash")
    browsers = [child.pid for child in psutil.Process(server.process.pid).children(recursive=True)]
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    psutil.wait_procs([psutil.Process(pid) for pid in browsers if psutil.pid_exists(pid)], timeout=10)
    assert [pid for pid in browsers if psutil.pid_exists(pid)] == []
    again = start(**settings)
    lost = again.until(held["taskId"], "failed", "completed")
    assert lost["error"]["code"] in {"INTERRUPTED", "OUTCOME_UNCERTAIN"}
    done = again.until(waiting["taskId"], "completed", "failed")
    assert done["state"] == "completed", done
    assert again.published("Published after the crash") == 1
    assert again.published("Never published twice") == 0


def test_what_is_kept_is_readable_by_its_owner_alone_and_no_secret_is_logged(one_server: Running) -> None:
    server = one_server
    server.until(server.create("A secret must not show")["taskId"], "completed", "failed")
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
    for path in server.folder.rglob("*"):
        if "run" not in path.relative_to(server.folder).parts:
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    key = (server.folder / "local.key").read_text().strip()
    log = server.log.read_text().replace(f"Your first API key: {key}", "")
    assert key not in log
    assert "practice-alice" not in log
    database = b"".join(path.read_bytes() for path in server.folder.glob("webhand.db*"))
    assert b"practice-alice" not in database
    assert key.encode() not in database


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/api/tasks", b"{", 400, "INVALID_PARAMETERS"),
        ("POST", "/api/tasks", b"[]", 400, "INVALID_PARAMETERS"),
        ("POST", "/api/tasks", b'{"platform": 7, "tool": "createPost"}', 400, "INVALID_PARAMETERS"),
        ("POST", "/api/tasks", b'{"platform": "nowhere", "tool": "post"}', 404, "PLATFORM_NOT_FOUND"),
        ("POST", "/api/tasks", b'{"platform": "demo", "tool": "fly"}', 400, "INVALID_PARAMETERS"),
        ("POST", "/api/tasks", b" " * 1_100_000, 413, "PAYLOAD_TOO_LARGE"),
        ("GET", "/api/tasks/none", b"", 404, "TASK_NOT_FOUND"),
        ("GET", "/api/nothing", b"", 404, "NOT_FOUND"),
        ("PATCH", "/api/tasks", b"", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/api/tasks?limit=none", b"", 400, "INVALID_PARAMETERS"),
    ],
)
def test_bad_input_gets_the_contracts_envelope(
    one_server: Running, method: str, path: str, body: bytes, status: int, code: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = one_server.client.request(method, path, content=body, headers=headers)
    assert answer.status_code == status
    envelope = answer.json()
    assert envelope["success"] is False
    assert envelope["error"]["code"] == code
    assert isinstance(envelope["error"]["details"], dict)
    assert envelope["error"]["message"]


def test_without_a_key_every_dialect_says_so(one_server: Running) -> None:
    bare = httpx.Client(base_url=one_server.client.base_url)
    browserman = bare.get("/api/tasks")
    assert (browserman.status_code, browserman.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    cloud = bare.get("/api/v1/tasks")
    assert cloud.status_code == 401
    assert set(cloud.json()) == {"detail"}
    me = bare.get("/api/v1/me")
    assert (me.status_code, me.json()) == (401, False)


def test_the_example_runs_as_it_stands(one_server: Running) -> None:
    one_server.account("example")
    key = (one_server.folder / "local.key").read_text().strip()
    environment = {**os.environ, "WEBHAND_URL": str(one_server.client.base_url), "WEBHAND_KEY": key}
    command = [sys.executable, str(ROOT / "examples" / "create_task.py"), "example", "From the example"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("completed: ")


def test_the_demo_runs_the_main_job_and_ends_by_itself(tmp_path: Path) -> None:
    environment = {**os.environ, "WEBHAND_DATA": str(tmp_path)}
    done = subprocess.run([WEBHAND, "demo"], env=environment, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Proved and read back" in done.stdout
    assert re.search(r"Read back: “Hello from Webhand, .+”", done.stdout)
    shots = re.search(r"Screenshots: (.+)", done.stdout)
    assert shots is not None
    assert [path for path in Path(shots[1]).iterdir() if path.suffix == ".jpg"]


@pytest.mark.parametrize(("name", "value"), [("WEBHAND_LEASE", "never"), ("SSL_CERT_FILE", "/nowhere")])
def test_a_wrong_setting_is_one_sentence_and_exit_code_2(tmp_path: Path, name: str, value: str) -> None:
    environment = {**os.environ, "WEBHAND_DATA": str(tmp_path), name: value}
    done = subprocess.run([WEBHAND, "serve"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(name)
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_server_whose_engines_cannot_open_ends_with_the_reason(tmp_path: Path) -> None:
    settings = {"WEBHAND_DATA": str(tmp_path), "WEBHAND_PORT": "0", "WEBHAND_AD_HOSTS": "/nowhere"}
    ended = subprocess.run(
        [WEBHAND, "serve"], env=os.environ | settings, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert "WEBHAND_AD_HOSTS: /nowhere cannot be read" in ended.stderr
    assert "Traceback" not in ended.stderr
