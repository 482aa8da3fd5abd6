"""The lite engine carries out the practice site's tools."""

from __future__ import annotations

import asyncio
import io
import re

import pyotp
import pytest
from PIL import Image
from playwright.async_api import async_playwright

from agent.engine import Login, Options, Viewport
from tests.agent.conftest import Notebook, eventually
from tests.agent.lite.practice import CAROL, Practice

pytestmark = pytest.mark.anyio


async def test_a_post_is_published_proved_and_recorded(practice: Practice, desk: Notebook) -> None:
    outcome = await practice.do("createPost", desk, text="Hello, river.\n\nTwo  lines & <b>signs</b> 雪球 🚣")
    post = practice.site.published[-1]
    assert post.text == "Hello, river.\n\nTwo  lines & <b>signs</b> 雪球 🚣"
    assert outcome.result == {
        "output": f"Published post {post.post} and read it back from its page.",
        "postUrl": f"{practice.origin}/posts/{post.post}",
        "postId": post.post,
        "text": outcome.result["text"],
    }
    assert outcome.identity == "alice"
    assert outcome.login_state
    assert [cookie["name"] for cookie in outcome.login_state["cookies"]] == ["practice_session"]
    assert desk.armed == 1
    assert desk.goals == [
        "Open the editor as the account",
        "Write the post",
        "Publish the post",
        "Read the post back from its page",
    ]
    assert [word for word, _ in desk.words] == ["authenticating", "writing", "publishing", "verifying"]
    assert [percentage for _, percentage in desk.words] == [0, 25, 50, 75]
    for number, step in enumerate(desk.steps):
        assert step.screenshot
        assert step.screenshot.startswith(b"\xff\xd8\xff")
        assert step.url.startswith(f"{practice.origin}/")
        assert "Greenroom" in step.title
        assert step.actions
        assert step.duration_ms > 0
        if number:
            assert step.evaluation_previous_goal == f"Success: {desk.goals[number - 1]}"
    assert desk.windows[0] is not None
    assert re.fullmatch(r"[0-9A-F]{32}", desk.windows[0].context_id or "")
    assert desk.windows[-1] is None


async def test_a_like_is_given_once_and_stays(practice: Practice, desk: Notebook) -> None:
    post = practice.site.publish("mira", "A moss to like")
    for _ in range(2):
        outcome = await practice.do("likePost", desk, post_url=f"/posts/{post.id}")
        assert outcome.result["output"] == f"Liked post {post.id}; its page shows the like."
    assert post.likes == {"alice"}
    assert desk.armed == 1


async def test_a_post_of_ones_own_is_deleted(practice: Practice, desk: Notebook) -> None:
    post = practice.site.publish("alice", "Soon gone")
    outcome = await practice.do("deletePost", desk, post_url=f"{practice.origin}/posts/{post.id}")
    assert outcome.result["postUrl"] == f"{practice.origin}/posts/{post.id}"
    assert post.id not in practice.site.posts


async def test_an_account_with_a_password_logs_itself_in_with_a_one_time_code(
    practice: Practice, desk: Notebook
) -> None:
    login = Login("acc_2", "carol", credentials=CAROL)
    outcome = await practice.do("createPost", desk, login=login, text="Behind a code")
    assert practice.site.published[-1].author == "carol"
    assert outcome.identity == "carol"
    assert outcome.login_state
    assert outcome.login_state["cookies"]
    assert "Log in as the account 'carol'" in desk.goals
    assert "practice-carol" not in desk.everything
    assert "JBSWY3DPEHPK3PXP" not in desk.everything
    again = Login("acc_2", "carol", identity="carol", state=outcome.login_state)
    await practice.do("createPost", Notebook(), login=again, text="Still in")
    assert practice.site.published[-1].text == "Still in"


async def test_a_person_types_the_code_of_an_account_that_has_no_secret(practice: Practice, desk: Notebook) -> None:
    async def person() -> None:
        window = desk.windows[0]
        assert window
        async with async_playwright() as driver:
            browser = await driver.chromium.connect_over_cdp(window.cdp_url)
            page = next(page for context in browser.contexts for page in context.pages if "/login/code" in page.url)
            await page.fill("[data-testid=login-code]", pyotp.TOTP(CAROL["totp_secret"]).now())
            await page.click("[data-testid=login-submit]")

    desk.on_ask = person
    login = Login("acc_2", "carol", credentials={"username": "carol", "password": "practice-carol"})
    await practice.do("createPost", desk, login=login, text="By hand")
    assert desk.asked[0][0] == "two_factor"
    assert practice.site.published[-1].text == "By hand"


async def test_a_dry_run_does_everything_but_the_act(practice: Practice, desk: Notebook) -> None:
    before = len(practice.site.acts)
    outcome = await practice.do("createPost", desk, options=Options(dry_run=True), text="Only looking")
    assert "nothing was published" in outcome.result["output"]
    assert len(practice.site.acts) == before + 1  # the login alone
    assert desk.armed == 0
    assert desk.steps[-1].next_goal == "Publish the post"
    assert desk.steps[-1].screenshot
    assert desk.steps[1].actions[0]["fill"]["text"] == "Only looking"


async def test_the_wished_viewport_locale_and_cookies_are_there(practice: Practice, desk: Notebook) -> None:
    options = Options(viewport=Viewport(800, 600), save_browser_data=True)
    outcome = await practice.do("likePost", desk, options=options, post_url="/posts/101")
    assert outcome.cookies
    assert outcome.cookies[0]["name"] == "practice_session"
    assert Image.open(io.BytesIO(desk.steps[0].screenshot or b"")).size == (800, 600)


async def test_a_pause_holds_the_run_between_two_moves(practice: Practice, desk: Notebook) -> None:
    resumed = asyncio.Event()

    async def pause() -> None:
        if desk.gates == 4:
            await resumed.wait()

    desk.on_gate = pause
    running = asyncio.create_task(practice.do("createPost", desk, text="After a pause"))
    await eventually(lambda: desk.gates == 4)
    assert not running.done()
    assert desk.armed == 0
    resumed.set()
    await running
    assert desk.armed == 1


async def test_many_accounts_at_once_do_not_mix(practice: Practice) -> None:
    desks = [Notebook() for _ in range(4)]
    names = ["alice", "bob", "alice", "bob"]
    posts = [
        practice.do("createPost", desk, login=practice.login(name), text=f"At once {number}")
        for number, (name, desk) in enumerate(zip(names, desks, strict=True))
    ]
    outcomes = await asyncio.gather(*posts)
    assert [outcome.identity for outcome in outcomes] == names
    written = {act.text: act.author for act in practice.site.published}
    assert [written[f"At once {number}"] for number in range(4)] == names
    assert len({desk.windows[0].context_id for desk in desks if desk.windows[0]}) == 4
