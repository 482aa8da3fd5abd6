"""The practice site's tools on the full engine, with the rehearsed model that `webhand demo` uses."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from agent.engine import Assignment, Login, Options, Outcome
from agent.full.supervisor import FullEngine
from agent.origins import Origins
from server.practice.site import serve_demo_site
from server.rehearsed_model import serve_rehearsed_model
from tests.agent.full.stage import RecordingDesk, Stage
from tools.catalog import catalog

pytestmark = pytest.mark.anyio


@dataclass
class Practice:
    engine: FullEngine
    stage: Stage

    async def do(
        self, action: str, login: Login, desk: RecordingDesk | None = None, *, dry_run: bool = False, **parameters: str
    ) -> Outcome:
        tool = catalog().tools[f"demo.{action}"]
        number = next(self.stage.numbers)
        folder = self.stage.folder / f"demo-{number}"
        folder.mkdir()
        assignment = Assignment(
            task_id=f"demo_{number}",
            tool=tool,
            site=catalog().sites["demo"],
            parameters=tool.parameters(**parameters),
            options=Options(max_steps=12, highlight_elements=False, dry_run=dry_run),
            folder=folder,
            login=login,
        )
        return await self.engine.carry_out(assignment, desk or RecordingDesk())


@pytest.fixture
async def practice(stage: Stage) -> AsyncGenerator[Practice]:
    async with serve_demo_site() as origin, serve_rehearsed_model() as base_url:
        engine = stage.another(
            base_url=base_url,
            model="rehearsed",
            private_network=False,
            origins=Origins({catalog().sites["demo"].home: origin}),
        )
        yield Practice(engine, stage)
        await engine.close()


@pytest.mark.timeout(200)  # five runs on two busy cores
async def test_posts_are_written_liked_and_deleted_and_each_is_read_back(practice: Practice) -> None:
    alice = Login("acc_1", "alice", credentials={"username": "alice", "password": "practice-alice"})
    desk = RecordingDesk()
    posted = await practice.do("createPost", alice, desk, text="Hello from the full engine")
    assert posted.result["text"] == "Hello from the full engine"
    assert "practice-alice" not in str(desk.steps)
    assert desk.armed
    logged_in = Login("acc_1", "alice", state=posted.login_state)
    nothing = RecordingDesk()
    ready = await practice.do("createPost", logged_in, nothing, dry_run=True, text="Not this one")
    assert ready.result["output"] == "Everything is filled in and ready to be sent."
    assert nothing.armed == []
    path = f"/posts/{posted.result['postId']}"
    liked = await practice.do("likePost", logged_in, post_url=path)
    assert liked.result["postId"] == posted.result["postId"]
    deleted = await practice.do("deletePost", logged_in, post_url=path)
    assert deleted.result["postUrl"].endswith(path)


async def test_a_one_time_code_is_made_from_the_accounts_secret(practice: Practice) -> None:
    carol = Login(
        "acc_2",
        "carol",
        credentials={"username": "carol", "password": "practice-carol", "totp_secret": "JBSWY3DPEHPK3PXP"},
    )
    liked = await practice.do("likePost", carol, post_url="/posts/101")
    assert liked.result["postId"] == "101"
