"""A task that needs a person: everybody is told, the person helps in the live view with a browser of their own, the task completes."""

from __future__ import annotations

import itertools
import json
import queue
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from agent.installed import find_chromium
from server.practice.state import MEMBERS
from tests.journeys.conftest import MEMBER, Running, end, serve
from tests.person import FLAGS
from tests.server.mcp.client import MODERN, envelope

DECLARED: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/tasks": {}}, "elicitation": {"url": {}, "form": {}}}
PATIENCE_MS = 60_000
CAROL = MEMBERS["carol"]
attempts = itertools.count()
"""A test that is tried again finds no account and no post of the first try's."""


@dataclass
class Receiver:
    """A web server of the user's, which notes what it is told."""

    url: str = ""
    told: queue.Queue[tuple[str, dict[str, Any]]] = field(default_factory=queue.Queue[tuple[str, dict[str, Any]]])

    def about(self, task_id: str, count: int) -> dict[str, list[dict[str, Any]]]:
        """So many calls about a task as soon as they have come, by the path that was called."""
        found: dict[str, list[dict[str, Any]]] = {}
        while sum(map(len, found.values())) < count:
            path, body = self.told.get(timeout=60)
            if task_id in json.dumps(body):
                found.setdefault(path, []).append(body)
        return found


@contextmanager
def receiving() -> Generator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.told.put((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield receiver
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def receiver() -> Generator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def server(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """A server, and two webhooks: one for each dialect."""
    running = serve(tmp_path_factory.mktemp("needed"), "log", caps="false")
    events = ["task.started", "task.paused", "task.completed"]
    running.call("POST", "/api/webhooks", json={"url": f"{receiver.url}/tasks", "events": events})
    running.call("POST", "/api/webhooks", json={"url": f"{receiver.url}/cloud", "dialect": "cloud"})
    yield running
    end(running)


@pytest.fixture(autouse=True)
def behaving(server: Running) -> None:
    httpx.delete(f"{server.practice}/api/faults").raise_for_status()


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """The person's own browser."""
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=find_chromium(None), args=FLAGS)


@pytest.fixture
def page(browser: Browser) -> Generator[Page]:
    page = browser.new_page()
    yield page
    page.context.close()


def waiting(server: Running, task_id: str) -> dict[str, Any]:
    """The task once it waits for a person."""
    while True:
        task = server.call("GET", f"/api/tasks/{task_id}", params={"wait": 1})
        if task.get("progress", {}).get("step") == "waiting_for_human":
            return task
        assert task["state"] in {"pending", "processing"}, task.get("error", task)


def take_control(page: Page, live: str) -> None:
    """Opens the live view and takes control in it."""
    page.goto(live)
    page.get_by_role("button", name="Take control").click(timeout=PATIENCE_MS)
    expect(page.locator("body[data-tone=mine]")).to_be_attached(timeout=PATIENCE_MS)
    expect(page.locator("#veil")).to_be_hidden(timeout=PATIENCE_MS)
    page.locator("#screen canvas").click(position={"x": 5, "y": 5})


def type_in(page: Page, *words: str) -> None:
    """Into one field of the task's page after the other; the last one sends the form."""
    for word in words:
        page.keyboard.press("Tab")
        page.keyboard.type(word)
    page.keyboard.press("Enter")


def press_the_button(page: Page) -> None:
    type_in(page, "")


def log_in(page: Page) -> None:
    type_in(page, MEMBER["username"], MEMBER["password"])


def type_the_code(page: Page) -> None:
    assert CAROL.totp
    type_in(page, pyotp.TOTP(CAROL.totp).now())


def challenged(server: Running, _browser: Browser) -> dict[str, Any]:
    httpx.put(f"{server.practice}/api/faults", json={"challenge": "acts", "scope": "alice"}).raise_for_status()
    return {"credentials": MEMBER}


def logged_out(server: Running, browser: Browser) -> dict[str, Any]:
    """A login that was good once."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{server.practice}/login")
    page.get_by_test_id("login-username").fill(MEMBER["username"])
    page.get_by_test_id("login-password").fill(MEMBER["password"])
    page.get_by_test_id("login-submit").click()
    page.wait_for_url(f"{server.practice}/")
    state = context.storage_state()
    page.request.post(f"{server.practice}/logout", headers={"Origin": server.practice})
    context.close()
    return {"storageState": state}


def without_its_secret(_server: Running, _browser: Browser) -> dict[str, Any]:
    return {"credentials": {"username": CAROL.name, "password": CAROL.password}}


@pytest.mark.parametrize(
    ("reason", "account", "help_it", "button"),
    [
        ("challenge", challenged, press_the_button, "Continue"),
        ("sign_in", logged_out, log_in, "I am signed in"),
        ("two_factor", without_its_secret, type_the_code, "Continue"),
    ],
)
def test_a_person_helps_in_the_live_view_and_the_task_completes(
    server: Running,
    receiver: Receiver,
    browser: Browser,
    page: Page,
    reason: str,
    account: Callable[[Running, Browser], dict[str, Any]],
    help_it: Callable[[Page], None],
    button: str,
) -> None:
    told = account(server, browser)
    name = f"{reason}-{next(attempts)}"
    server.call("POST", "/api/accounts", json={"platform": "demo", "name": name, **told})
    created = server.create(f"Helped: {name}", name)
    task_id = created["taskId"]

    task = waiting(server, task_id)
    assert (task["state"], task["progress"]["reason"]) == ("processing", reason)
    assert task["progress"]["message"]
    assert server.client.get(f"/api/v1/task/{task_id}/status").json() == "paused"
    asked = asked_over_mcp(server, task_id)
    assert asked["status"] == "input_required"
    (request,) = asked["inputRequests"].values()
    assert (request["params"]["mode"], task["progress"]["message"] in request["params"]["message"]) == ("url", True)

    take_control(page, task["liveUrl"])
    help_it(page)
    page.get_by_role("button", name=button, exact=True).click()
    ended = server.until(task_id, "completed", "failed", "timeout")
    assert ended["state"] == "completed", ended
    assert server.published(f"Helped: {name}") == 1
    expect(page.locator("#status")).to_contain_text("Finished", timeout=PATIENCE_MS)

    calls = receiver.about(task_id, 4 + 5)
    assert sorted(call["event"] for call in calls["/tasks"]) == [
        "task.completed",
        "task.paused",
        "task.started",
        "task.started",
    ]
    paused = next(call for call in calls["/tasks"] if call["event"] == "task.paused")
    assert paused["data"]["progress"] == task["progress"]
    words = sorted(call["payload"]["status"] for call in calls["/cloud"])
    assert words == ["finished", "initializing", "paused", "started", "started"]
    steps = server.client.get(f"{task['liveUrl']}/state").json()["steps"]
    assert [step["kind"] for step in steps].count("person") >= 1
    typed = {MEMBER["password"], CAROL.password}
    assert not any(word in json.dumps(steps) for word in typed)


def asked_over_mcp(server: Running, task_id: str) -> dict[str, Any]:
    """What MCP's tasks extension says of the task."""
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "tasks/get",
        "Mcp-Name": task_id,
    }
    params = {"taskId": task_id, "_meta": envelope(DECLARED)}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": params}
    return server.client.post("/mcp", json=body, headers=headers).json()["result"]


def test_an_approval_is_asked_for_and_told_of(server: Running, receiver: Receiver, page: Page) -> None:
    server.account("approving")
    created = server.create("Approved by a person", "approving", approval=True)
    task_id = created["taskId"]
    task = waiting(server, task_id)
    assert task["progress"]["reason"] == "approval"
    assert asked_over_mcp(server, task_id)["status"] == "input_required"
    page.goto(task["liveUrl"])
    expect(page.locator("#needed")).to_contain_text("Approval is needed")
    expect(page.locator("#veil")).to_contain_text("before this is approved")
    expect(page.locator("#address")).to_have_text("Create post · Practice site")
    expect(page.get_by_role("button", name="Continue")).to_be_hidden()
    server.call("POST", f"/api/tasks/{task_id}/approve")
    assert server.until(task_id, "completed", "failed")["state"] == "completed"
    calls = receiver.about(task_id, 3 + 4)
    assert sorted(call["event"] for call in calls["/tasks"]) == ["task.completed", "task.paused", "task.started"]
