"""A proof can be played on any page of the same login, also for a run that others played."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from playwright.async_api import Page, StorageState, async_playwright

from agent.chromium import Chromium
from agent.lite.proving import play_proof
from agent.lite.watch import Patience
from agent.origins import Origins
from server.practice.site import serve_demo_site
from server.practice.state import DemoSite
from tools.catalog import catalog
from tools.errors import OutcomeUncertain

pytestmark = pytest.mark.anyio

DEMO = catalog().site("demo")
HASTY = Patience(element=3, act=3, glance=0.3, proofs=2, between_proofs=0.1)


@dataclass
class Afterwards:
    """The practice site, and a page that alice is logged in on."""

    site: DemoSite
    page: Page
    origins: Origins

    async def prove(self, tool: str, readings: dict[str, str], **parameters: Any) -> dict[str, Any]:
        found = catalog().tools[f"demo.{tool}"]
        wanted = found.parameters(**parameters)
        return await play_proof(self.page, found, wanted, readings, DEMO, self.origins, patience=HASTY)


@pytest.fixture
async def afterwards(chromium: Chromium) -> AsyncGenerator[Afterwards]:
    site = DemoSite()
    async with serve_demo_site(site) as origin, async_playwright() as driver:
        browser = await driver.chromium.connect_over_cdp(chromium.cdp_url)
        state = cast("StorageState", site.storage_state("alice", origin))
        context = await browser.new_context(storage_state=state)
        yield Afterwards(site, await context.new_page(), Origins({DEMO.home: origin}))
        await context.close()


async def test_what_was_done_is_proved(afterwards: Afterwards) -> None:
    post = afterwards.site.publish("alice", "Done by an agent")
    result = await afterwards.prove("createPost", {"postId": post.id}, text="Done by an agent")
    assert result["postId"] == post.id
    assert result["text"] == "Done by an agent"
    afterwards.site.like("alice", post, liked=True)
    assert (await afterwards.prove("likePost", {}, post_url=f"/posts/{post.id}"))["postId"] == post.id
    afterwards.site.delete("alice", post)
    assert "its page is gone" in (await afterwards.prove("deletePost", {}, post_url=f"/posts/{post.id}"))["output"]


@pytest.mark.parametrize("readings", [{}, {"postId": "101"}, {"postId": "99999"}, {"postId": "../../etc"}])
async def test_what_is_not_proved_is_uncertain(afterwards: Afterwards, readings: dict[str, str]) -> None:
    with pytest.raises(OutcomeUncertain, match="before you try again"):
        await afterwards.prove("createPost", readings, text="Never seen")


async def test_a_challenge_that_nobody_can_solve_leaves_it_uncertain(afterwards: Afterwards) -> None:
    post = afterwards.site.publish("alice", "Behind a gate")
    afterwards.site.faults.challenge = "pages"
    with pytest.raises(OutcomeUncertain) as caught:
        await afterwards.prove("createPost", {"postId": post.id}, text="Behind a gate")
    assert caught.value.details["cause"] == "CHALLENGE_REQUIRED"
