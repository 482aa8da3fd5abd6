"""A task on the full engine as a caller sees it: its steps while it runs, its recording, and its secrets nowhere."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import httpx
import pytest

from server.rehearsal import Scene, Turn
from tests.journeys.conftest import Running
from tests.scripted_model import acts, done, scripted_model

SECRET = "practice-alice"  # the practice site's own
THINKING = 1.0


@pytest.mark.timeout(200)  # a server, two browsers and an encoder on two busy cores
def test_a_full_task_shows_its_steps_at_once_is_recorded_and_keeps_its_secrets(start: Callable[..., Running]) -> None:
    asked: list[float] = []

    def log_in(scene: Scene) -> Turn:
        asked.append(time.monotonic())
        if scene.round == 0:
            (door,) = re.findall(r"http://\S+/login", scene.task)
            return Turn([acts("navigate", url=door)], next_goal="Open the login", delay=THINKING)
        if "/login" not in scene.url:
            return Turn([done(f"Logged in, and my password is {SECRET}")], next_goal="Report")
        name, word = scene.index("input", name="username"), scene.index("input", type="password")
        if scene.round == 1:
            return Turn([acts("input", index=name, text="alice")], next_goal="Name", delay=THINKING)
        typed = acts("input", index=word, text="<secret>word</secret>")
        press = acts("click", index=scene.index("button", text="Log in"))
        return Turn([typed, press], next_goal="Password", delay=THINKING)

    with scripted_model({"clerk": log_in}) as (model, base_url):
        server = start(llm_base_url=base_url, llm_model="clerk", warm_pairs="1", private_network="true")
        site = server.practice
        wish = {"task": f"Log in at {site}/login", "secrets": {"word": SECRET}, "save_browser_data": True}
        task_id = server.client.post("/api/v1/run-task", json=wish).json()["id"]
        seen: list[float] = []
        shown: set[int] = set()
        while True:
            task = server.client.get(f"/api/v1/task/{task_id}").json()
            seen += [time.monotonic()] * (len(task["steps"]) - len(seen))
            if task["status"] in {"finished", "failed", "stopped"}:
                break
            shown.add(server.call("GET", f"/api/tasks/{task_id}").get("progress", {}).get("percentage", 0))
        assert task["status"] == "finished", task
        assert task["output"] == "Logged in, and my password is <secret>word</secret>"
        assert [step["step"] for step in task["steps"]] == [1, 2, 3, 4]
        assert len(shown) > 2
        # A step is told before the model is asked for the next one, so this is more than what lies between telling and seeing.
        behind = [there - then for there, then in zip(seen, asked[1:], strict=False)]
        assert min(behind) < 0.2, behind
        assert max(behind) < THINKING, behind
        assert task["browser_data"]["cookies"]
        media = server.client.get(f"/api/v1/task/{task_id}/media").json()["recordings"]
        video = httpx.get(media[0])
        assert (video.status_code, video.content[4:8]) == (200, b"ftyp")
        everything = {path: path.read_bytes() for path in server.folder.rglob("*") if path.is_file()}
        assert any(path.suffix == ".mp4" or b"ftyp" in content[:12] for path, content in everything.items())
        hold = [
            str(path)
            for path, content in everything.items()
            if SECRET.encode() in content and "practice" not in path.name
        ]
        assert hold == []
        assert SECRET not in server.log.read_text()
        assert SECRET.encode() not in b"".join(model.requests)
