"""Publishing under supervision, on a site that was rebuilt: approval, dry run, the user's own selectors, and the platform's check."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import os
import re
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import mcp_types as types
import pytest
from PIL import Image

from tests.journeys.conftest import WEBHAND, Running, end, serve
from tests.replicas.faults import Fault
from tests.replicas.replica import serving
from tests.replicas.xueqiu import Xueqiu
from tests.server.mcp.client import connected, told

OWN = {"xueqiu": {"box": [".medium-editor-element", ".slate-editor[contenteditable=true]"]}}

WAYS = ("command", "REST", "page")
STAND_IN = '{"https://xueqiu.com": "%s"}'


@pytest.fixture(scope="module")
def site() -> Generator[Xueqiu]:
    replica = Xueqiu()
    with serving(replica):
        yield replica


@pytest.fixture(scope="module")
def server(site: Xueqiu, tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """A server whose user has put selectors of their own into the data folder, before it knew an account."""
    folder = tmp_path_factory.mktemp("supervised")
    (folder / "data").mkdir()
    (folder / "data" / "overrides.json").write_text(json.dumps(OWN))
    running = serve(folder, "log", origins=STAND_IN % site.origin)
    for name in ("main", *WAYS):  # an account each, so that none waits for the rest that another must take
        account = {"platform": "xueqiu", "name": name, "storageState": site.login_state()}
        running.call("POST", "/api/accounts", json=account)
    yield running
    end(running)


@pytest.fixture(autouse=True)
def rebuilt(site: Xueqiu) -> None:
    site.reset(Fault.MOVED)


def asked(server: Running, text: str, **more: Any) -> dict[str, Any]:
    body = {"platform": "xueqiu", "tool": "post", "accountName": "main", "parameters": {"text": text}} | more
    return server.call("POST", "/api/tasks", json=body)


def webhand(server: Running, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command, on the data folder of the running server."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBHAND_")}
    environment |= {"WEBHAND_DATA": str(server.folder), **settings}
    return subprocess.run([WEBHAND, *words], env=environment, capture_output=True, text=True, timeout=100, check=False)


@contextmanager
def visiting(server: Running) -> Generator[httpx.Client]:
    """Somebody who is logged in to the dashboard."""
    with httpx.Client(base_url=server.client.base_url, headers={"Origin": origin(server)}) as visitor:
        assert visitor.post("/login", data={"key": (server.folder / "local.key").read_text()}).status_code == 303
        yield visitor


def dry_run(server: Running, text: str, way: str) -> tuple[str, bytes]:
    """Asks for a dry run in one of the ways, and looks at it in the same way: the task's id, and the last picture of its page."""
    if way == "REST":
        task_id = asked(server, text, dryRun=True)["taskId"]
    elif way == "command":
        done = webhand(server, "task", "run", "xueqiu.post", f"text={text}", "--account", "main", "--dry-run", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        task_id = json.loads(done.stdout)["taskId"]
    elif way == "page":
        return dry_run_on_the_page(server, text)
    else:
        return asyncio.run(dry_run_over_mcp(server, text))
    server.until(task_id, "completed", "failed")
    shots = server.client.get(f"/api/v1/task/{task_id}/screenshots").json()["screenshots"]
    return task_id, server.client.get(shots[-1]).content


def dry_run_on_the_page(server: Running, text: str) -> tuple[str, bytes]:
    with visiting(server) as visitor:
        form = {"text": text, "-account": "main", "-dry-run": "on"}
        task_id = visitor.post("/new/xueqiu/post", data=form).headers["location"].rpartition("/")[2]
        server.until(task_id, "completed", "failed")
        pictures = re.findall(r'<img[^>]+src="([^"]+)"', visitor.get(f"/tasks/{task_id}").text)
        return task_id, visitor.get(html.unescape(pictures[-1])).content


async def dry_run_over_mcp(server: Running, text: str) -> tuple[str, bytes]:
    async with connected(f"{origin(server)}/mcp", (server.folder / "local.key").read_text().strip()) as client:
        wanted = {"text": text, "accountName": "main", "dryRun": True}
        task_id = told(await client.call_tool("xueqiu_post", wanted))["task_id"]
        shown = await client.call_tool("task_get", {"task_id": task_id, "screenshot": True})
        (picture,) = (part.data for part in shown.content if isinstance(part, types.ImageContent))
        return task_id, base64.b64decode(picture)


@pytest.mark.parametrize("way", [*WAYS, "MCP"])
def test_a_dry_run_keeps_a_screenshot_of_the_filled_form_and_publishes_nothing(
    way: str, server: Running, site: Xueqiu
) -> None:
    task_id, picture = dry_run(server, f"只是看看 {way}", way)
    task = server.call("GET", f"/api/tasks/{task_id}")
    assert task["state"] == "completed", task
    assert site.published == []
    assert not [request for request in site.requests if request.startswith("POST /statuses")]
    assert Image.open(BytesIO(picture)).size[0] > 200


def decide(server: Running, task_id: str, verb: str, way: str) -> None:
    """Somebody approves or rejects a waiting task: with the command, over REST, or with the button on the task's page."""
    if way == "command":
        done = webhand(server, "task", verb, task_id)
        assert (done.returncode, done.stderr) == (0, "")
    elif way == "REST":
        assert server.call("POST", f"/api/tasks/{task_id}/{verb}")["taskId"] == task_id
    else:
        with visiting(server) as visitor:
            assert verb in visitor.get(f"/tasks/{task_id}").text
            assert visitor.post(f"/tasks/{task_id}/{verb}").status_code == 303


def origin(server: Running) -> str:
    return str(server.client.base_url).rstrip("/")


@pytest.mark.parametrize("way", WAYS)
def test_what_waits_for_approval_is_published_once_it_is_approved_and_not_before(
    way: str, server: Running, site: Xueqiu
) -> None:
    created = asked(server, f"今天的观察 {way}", approval=True, accountName=way)
    waiting = server.call("GET", f"/api/tasks/{created['taskId']}")
    assert waiting["progress"]["reason"] == "approval"
    assert f"今天的观察 {way}" in waiting["progress"]["message"]
    assert site.published == []
    decide(server, waiting["taskId"], "approve", way)
    ended = server.until(waiting["taskId"], "completed", "failed")
    assert ended["state"] == "completed", ended
    assert [post.text for post in site.published] == [f"今天的观察 {way}"]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_rejected_is_cancelled_and_never_published(way: str, server: Running, site: Xueqiu) -> None:
    task_id = asked(server, f"不要发布 {way}", approval=True)["taskId"]
    decide(server, task_id, "reject", way)
    assert server.call("GET", f"/api/tasks/{task_id}")["state"] == "cancelled"
    assert server.call("POST", f"/api/tasks/{task_id}/approve", status=409)["code"] == "CONFLICT"
    assert site.published == []


def test_the_platforms_check_runs_beside_the_server(server: Running, site: Xueqiu) -> None:
    done = webhand(server, "platform", "check", "xueqiu", "--account", "main", WEBHAND_ORIGINS=STAND_IN % site.origin)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "xueqiu.post came to its publishing act. Nothing was published." in done.stdout
    assert "number 2 of 2" in done.stdout
    assert site.published == []


def test_a_file_of_selectors_that_cannot_be_used_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "overrides.json").write_text('{"xueqiu": {"bxo": ".editor"}}')
    environment = {**os.environ, "WEBHAND_DATA": str(tmp_path)}
    done = subprocess.run([WEBHAND, "serve"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "did you mean 'box'?" in done.stderr
