"""What becomes of a lite task when the site will not have it, or does not answer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.engine import Assignment, Login, Options
from agent.lite.engine import LiteEngine
from agent.origins import Origins
from tests.agent.conftest import Notebook
from tests.agent.lite.practice import DEMO, Practice, fault, refused
from tools.catalog import catalog
from tools.errors import (
    AccountSuspended,
    AuthenticationFailed,
    BlockedByWall,
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
