"""The lite engine carries out the practice site's tools, whatever the site does."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pyotp
import pytest
from PIL import Image
from playwright.async_api import async_playwright

from agent.engine import Assignment, Login, Options, Outcome, Viewport
from agent.lite.engine import LiteEngine
from agent.lite.watch import Patience
from agent.origins import Origins
from agent.ownership import RECORD
from agent.prompts import PromptAnswer, Prompts
from agent.screencast import Screen
from server.practice.faults import Faults
from server.practice.site import serve_demo_site
from server.practice.state import DemoSite
from tests.agent.conftest import Notebook, entries, eventually, family, living
from tools.catalog import catalog
from tools.errors import (
    AccountSuspended,
    AuthenticationFailed,
    BlockedByWall,
    BrowserFailed,
    ChallengeRequired,
    DuplicateContent,
    Failure,
    Interrupted,
    NotFound,
    OutcomeUncertain,
    PageChanged,
    RateLimited,
    Unreachable,
)

pytestmark = pytest.mark.anyio

DEMO = catalog().site("demo")
HASTY = Patience(navigation=30, element=6, glance=0.3, identity=3, login=15, proofs=2, between_proofs=0.1)
CAROL = {"username": "carol", "password": "practice-carol", "totp_secret": "JBSWY3DPEHPK3PXP"}


class Practice:
    """The practice site and a lite engine on it."""

    def __init__(self, site: DemoSite, origin: str, engine: LiteEngine, run: Path, folder: Path) -> None:
        self.site = site
        self.origin = origin
        self.engine = engine
        self.run = run
        self.folder = folder

    def login(self, name: str = "alice", credentials: Mapping[str, str] | None = None) -> Login:
        """A login that the site has opened already."""
        state = self.site.storage_state(name, self.origin)
        return Login("acc_1", name, identity=name, state=state, credentials=credentials)

    def chromium(self) -> list[psutil.Process]:
        """The engine's Chromium with all its processes."""
        (record,) = self.run.glob(f"chromium-*/{RECORD}")
        return family(json.loads(record.read_text())["pid"])

    def driver(self) -> psutil.Process:
        """The engine's own process of Playwright."""
        (driver,) = [
            child
            for child in psutil.Process().children()
            if "run-driver" in child.cmdline() and child.environ()["TMPDIR"].startswith(str(self.run))
        ]
        return driver

    async def do(
        self,
        tool: str,
        desk: Notebook,
        *,
        login: Login | None = None,
        options: Options | None = None,
        **parameters: Any,
    ) -> Outcome:
        found = catalog().tools[f"demo.{tool}"]
        assignment = Assignment(
            task_id="task_1",
            tool=found,
            site=DEMO,
            parameters=found.parameters(**parameters),
            options=options or Options(),
            folder=self.folder,
            login=login or self.login(),
        )
        return await self.engine.carry_out(assignment, desk)


@pytest.fixture(scope="module")
async def running(
    chromium_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[tuple[DemoSite, str, LiteEngine, Path]]:
    site = DemoSite()
    async with serve_demo_site(site) as origin:
        run = tmp_path_factory.mktemp("run")
        engine = LiteEngine(chromium_path, run, Origins({DEMO.home: origin}), patience=HASTY)
        yield site, origin, engine, run
        await engine.close()
        assert entries(run) == []


@pytest.fixture
def practice(running: tuple[DemoSite, str, LiteEngine, Path], tmp_path: Path) -> Practice:
    site, origin, engine, run = running
    site.faults.behave()
    return Practice(site, origin, engine, run, tmp_path)


@pytest.fixture
def desk() -> Notebook:
    return Notebook()


def fault(practice: Practice, **faults: Any) -> None:
    practice.site.faults = Faults(**faults)


# -- what works


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


# -- what goes wrong before anything is published


async def refused(practice: Practice, desk: Notebook, kind: type[Failure], **more: Any) -> Failure:
    """What a post fails with; nothing is published and the last step shows where it stood."""
    before = practice.site.counts.total()
    with pytest.raises(kind) as caught:
        await practice.do("createPost", desk, text="Never to be seen", **more)
    assert type(caught.value) is kind
    assert practice.site.counts.total() == before
    assert desk.steps[-1].screenshot
    assert desk.steps[-1].results
    return caught.value


async def test_a_login_that_no_longer_holds_is_a_persons_to_renew_and_said_when_nobody_comes(
    practice: Practice, desk: Notebook
) -> None:
    login = practice.login()
    practice.site.log_everybody_out()
    with pytest.raises(AuthenticationFailed, match="Reconnect the account 'alice'"):
        await practice.do("createPost", desk, text="Never to be seen", login=login)
    ((reason, message),) = desk.asked
    assert reason == "sign_in"
    assert "is not logged in. Sign in in the live view" in message
    assert practice.site.counts["Never to be seen"] == 0
    assert desk.kept == []


async def test_a_person_who_continues_without_signing_in_is_asked_so_often_and_no_more(
    practice: Practice, desk: Notebook
) -> None:
    login = practice.login()
    practice.site.log_everybody_out()

    async def do_nothing() -> None:
        return

    desk.on_ask = do_nothing
    with pytest.raises(AuthenticationFailed, match="Reconnect the account 'alice'"):
        await practice.do("createPost", desk, text="Never to be seen either", login=login)
    assert [reason for reason, _ in desk.asked] == ["sign_in"] * 3
    assert practice.site.counts["Never to be seen either"] == 0


async def test_a_wrong_password_is_said_without_the_password(practice: Practice, desk: Notebook) -> None:
    login = Login("acc_1", "alice", credentials={"username": "alice", "password": "wr0ng-secret"})
    failure = await refused(practice, desk, AuthenticationFailed, login=login)
    assert "did not let the account 'alice' in" in failure.message
    assert "wr0ng-secret" not in desk.everything + failure.message
    assert failure.__cause__ is None


async def test_another_member_in_the_accounts_place_is_noticed(practice: Practice, desk: Notebook) -> None:
    fault(practice, wrong_account="bob")
    failure = await refused(practice, desk, AuthenticationFailed)
    assert "bob" in failure.message
    assert desk.kept == []


async def test_a_locked_account_is_said(practice: Practice, desk: Notebook) -> None:
    fault(practice, locked=True)
    await refused(practice, desk, AccountSuspended)


async def test_a_site_that_has_changed_names_the_stage_and_what_was_looked_for(
    practice: Practice, desk: Notebook
) -> None:
    fault(practice, moved=True)
    failure = await refused(practice, desk, PageChanged)
    assert desk.armed == 0
    assert failure.message == f"Write the post: {practice.origin}/compose has no [data-testid=editor]"
    assert failure.details["selectors"] == ["[data-testid=editor]"]


async def test_a_post_that_is_not_there_is_not_found(practice: Practice, desk: Notebook) -> None:
    with pytest.raises(NotFound):
        await practice.do("likePost", desk, post_url="/posts/99999")
    assert desk.armed == 0
    assert desk.kept
    assert desk.kept[0]["cookies"][0]["name"] == "practice_session"


async def test_a_site_that_is_down_is_unreachable(practice: Practice, desk: Notebook, chromium_path: Path) -> None:
    engine = LiteEngine(chromium_path, practice.folder / "run", Origins({DEMO.home: "http://127.0.0.1:9"}))
    tool = catalog().tools["demo.createPost"]
    try:
        with pytest.raises(Unreachable, match=r"could not be opened|answered with status 502"):
            await engine.carry_out(
                Assignment("t", tool, DEMO, tool.example, Options(), practice.folder, practice.login()), desk
            )
    finally:
        await engine.close()


async def test_a_narrower_wall_is_respected(practice: Practice, desk: Notebook) -> None:
    options = Options(allowed_domains=("example.com",))
    with pytest.raises(BlockedByWall, match=r"127\.0\.0\.1 is outside"):
        await practice.do("createPost", desk, options=options, text="Out of bounds")
    assert desk.steps[-1].results


async def test_when_the_lease_is_lost_nothing_is_published(practice: Practice, desk: Notebook) -> None:
    async def lost() -> None:
        raise Interrupted

    desk.on_arm = lost
    await refused(practice, desk, Interrupted)


# -- challenges


async def test_a_person_solves_a_challenge_and_the_run_goes_on(practice: Practice, desk: Notebook) -> None:
    fault(practice, challenge="pages")
    login = practice.login()

    async def person() -> None:
        for session in practice.site.sessions.values():
            session.solved = True

    desk.on_ask = person
    await practice.do("createPost", desk, login=login, text="I am a person")
    assert practice.site.published[-1].text == "I am a person"
    assert [reason for reason, _ in desk.asked] == ["challenge"]
    assert [step.kind for step in desk.steps].count("person") == 1
    shown = next(step for step in desk.steps if step.kind == "person")
    assert shown.url.partition("?")[0] == f"{practice.origin}/challenge"
    assert shown.screenshot


async def test_a_dialog_waits_for_the_person_for_whom_the_run_stands_still(practice: Practice, desk: Notebook) -> None:
    fault(practice, challenge="pages")
    answers: list[bool] = []

    async def person() -> None:
        window = desk.windows[-1]
        assert window
        screen = Screen(window)
        async with screen.watched():
            await screen.next(-1)
            assert screen.tab
            prompts = Prompts(screen, lambda: None)
            await prompts.begin()
            question = {"expression": "confirm('Is it you?')", "returnByValue": True}
            asking = await screen.cdp.post("Runtime.evaluate", question, screen.tab.session)
            await eventually(lambda: bool(prompts.pending))
            await prompts.answer(prompts.pending[0].id, PromptAnswer(accept=True))
            answers.append((await asking)["result"]["value"])
            await prompts.end()
        await screen.close()
        for session in practice.site.sessions.values():
            session.solved = True

    desk.on_ask = person
    await practice.do("createPost", desk, login=practice.login(), text="It is me")
    assert answers == [True], "nobody else answered"


async def test_a_challenge_at_the_act_itself_is_solved_and_the_act_repeated_once(
    practice: Practice, desk: Notebook
) -> None:
    fault(practice, challenge="acts")

    async def person() -> None:
        for session in practice.site.sessions.values():
            session.solved = True

    desk.on_ask = person
    await practice.do("createPost", desk, text="Asked at the door")
    assert practice.site.counts["Asked at the door"] == 1
    assert desk.armed == 2


async def test_a_challenge_that_nobody_solves_ends_the_task(practice: Practice, desk: Notebook) -> None:
    fault(practice, challenge="pages")
    before = practice.site.counts.total()
    with pytest.raises(ChallengeRequired):
        await practice.do("createPost", desk, text="Nobody there")
    assert practice.site.counts.total() == before
    assert desk.steps[-1].kind == "person"


async def test_a_challenge_that_comes_back_again_and_again_ends_the_task(practice: Practice, desk: Notebook) -> None:
    fault(practice, challenge="pages")

    async def idle() -> None:
        return

    desk.on_ask = idle
    with pytest.raises(ChallengeRequired, match="came back 3 times"):
        await practice.do("createPost", desk, text="Nobody solves it")
    assert len(desk.asked) == 3


# -- refusals: the act went out and the site said no


@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        ({"rate_limited": 77}, RateLimited),
        ({"duplicates_refused": True}, DuplicateContent),
    ],
)
async def test_a_clear_no_is_a_failure_of_its_own(
    practice: Practice, desk: Notebook, faults: Mapping[str, Any], kind: type[Failure]
) -> None:
    text = f"Refused {kind.__name__}"
    practice.site.publish("alice", text)
    fault(practice, **faults)
    with pytest.raises(kind) as caught:
        await practice.do("createPost", desk, text=text)
    assert practice.site.counts[text] == 1
    assert caught.value.message.startswith("The site answered: You ")
    assert caught.value.retry_after == faults.get("rate_limited")
    assert desk.steps[-1].screenshot
    assert desk.steps[-1].next_goal == "Publish the post"


async def test_a_session_that_ends_at_the_act_is_renewed_where_there_is_a_password(
    practice: Practice, desk: Notebook
) -> None:
    login = practice.login(credentials={"username": "alice", "password": "practice-alice"})
    fault(practice, logged_out=True, times=1)
    await practice.do("createPost", desk, login=login, text="Twice asked, once posted")
    assert practice.site.counts["Twice asked, once posted"] == 1
    fault(practice, logged_out=True, times=1)
    with pytest.raises(AuthenticationFailed):
        await practice.do("createPost", desk, text="Not again")


# -- the act went out and nobody knows


@pytest.mark.parametrize(
    ("faults", "published"),
    [({"silent": True}, 0), ({"hidden": True}, 1), ({"cut": "before"}, 0), ({"cut": "after"}, 1)],
)
async def test_without_proof_the_outcome_is_uncertain_and_nothing_is_tried_twice(
    practice: Practice, desk: Notebook, faults: Mapping[str, Any], published: int
) -> None:
    text = f"Who knows {faults}"
    fault(practice, **faults)
    with pytest.raises(OutcomeUncertain, match=r"look at http://\S+ before you try again") as caught:
        await practice.do("createPost", desk, text=text)
    assert practice.site.counts[text] == published
    assert desk.armed == 1
    assert caught.value.details["cause"]
    assert desk.steps[-1].screenshot


async def test_a_lost_answer_is_no_matter_where_the_proof_needs_none(practice: Practice, desk: Notebook) -> None:
    post = practice.site.publish("mira", "Likes survive a cut")
    fault(practice, cut="after", times=1)
    outcome = await practice.do("likePost", desk, post_url=f"/posts/{post.id}")
    assert outcome.result["postId"] == post.id
    assert post.likes == {"alice"}


async def test_a_slow_site_is_waited_for(practice: Practice, desk: Notebook) -> None:
    fault(practice, slow=0.6, slow_answer=0.6)
    await practice.do("createPost", desk, text="Slow and steady")
    assert practice.site.counts["Slow and steady"] == 1


# -- ends


async def test_cancelling_ends_the_run_at_once_and_keeps_the_login(practice: Practice, desk: Notebook) -> None:
    fault(practice, slow_answer=30)
    running = asyncio.create_task(practice.do("createPost", desk, text="Cancelled in flight"))
    await eventually(lambda: practice.site.counts["Cancelled in flight"] == 1)
    began = asyncio.get_running_loop().time()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asyncio.get_running_loop().time() - began < 1
    assert desk.windows[-1] is None
    assert desk.kept[0]["cookies"][0]["name"] == "practice_session"
    fault(practice)
    await practice.do("likePost", Notebook(), post_url="/posts/102")


@pytest.mark.parametrize("victim", ["chromium", "driver"])
@pytest.mark.parametrize("gate", [1, 3])
async def test_when_the_browser_dies_the_task_fails_and_the_next_one_gets_a_new_one(
    practice: Practice, desk: Notebook, victim: str, gate: int
) -> None:
    async def kill() -> None:
        if desk.gates == gate:
            (practice.chromium()[0] if victim == "chromium" else practice.driver()).kill()

    desk.on_gate = kill
    with pytest.raises(BrowserFailed):
        await practice.do("createPost", desk, text="Into a dying browser")
    assert practice.site.counts["Into a dying browser"] == 0
    await practice.do("likePost", Notebook(), post_url="/posts/103")


async def test_when_chromium_dies_after_the_act_the_outcome_is_uncertain(practice: Practice, desk: Notebook) -> None:
    fault(practice, slow_answer=30)
    running = asyncio.create_task(practice.do("createPost", desk, text="Died in flight"))
    await eventually(lambda: practice.site.counts["Died in flight"] == 1)
    practice.chromium()[0].kill()
    with pytest.raises(OutcomeUncertain) as caught:
        await running
    assert caught.value.details["cause"] == "BROWSER_FAILED"


@pytest.mark.parametrize("victim", ["chromium", "driver"])
async def test_what_the_site_has_taken_is_read_back_in_a_new_browser_where_the_old_one_died(
    practice: Practice, desk: Notebook, victim: str
) -> None:
    async def kill() -> None:
        if practice.site.counts[f"Read back elsewhere, {victim}"] and desk.words[-1][0] == "verifying":
            desk.on_gate = None
            (practice.chromium()[0] if victim == "chromium" else practice.driver()).kill()

    desk.on_gate = kill
    done = await practice.do("createPost", desk, text=f"Read back elsewhere, {victim}")
    assert desk.on_gate is None
    assert done.result["text"] == f"Read back elsewhere, {victim}"
    assert practice.site.counts[f"Read back elsewhere, {victim}"] == 1
    assert desk.steps[-1].screenshot


async def test_a_frozen_chromium_is_killed_when_the_run_is_cancelled(practice: Practice, desk: Notebook) -> None:
    fault(practice, slow_answer=30)
    running = asyncio.create_task(practice.do("createPost", desk, text="Frozen in flight"))
    await eventually(lambda: practice.site.counts["Frozen in flight"] == 1)
    frozen = practice.chromium()
    for process in frozen:
        process.suspend()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await eventually(lambda: not living(frozen))
