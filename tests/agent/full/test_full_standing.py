"""What a platform's own signs say of the agent's page: who is logged in, and what ends the run or brings a person."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from urllib.parse import quote

import pytest

from agent.engine import Login, Outcome
from tests.agent.conftest import eventually
from tests.agent.full.board import SITE, WriteNote, write_note
from tests.agent.full.stage import RecordingDesk, Stage
from tests.scripted_model import Act, Scene, acts, done
from tools.errors import AccountSuspended, AgentFailed, AuthenticationFailed, ChallengeRequired, Failure, RateLimited

pytestmark = pytest.mark.anyio


def member(identity: str | None = None) -> Login:
    """A login that the site knows as `stored`."""
    cookie = {"name": "who", "value": "stored", "domain": "127.0.0.1", "path": "/"}
    return Login("acc_1", "mine", identity=identity, state={"cookies": [cookie], "origins": []})


async def seen(stage: Stage, path: str, login: Login | None = None) -> Failure:
    """What becomes of a run whose agent comes to a page: nobody answers what a person is asked."""
    with pytest.raises(Failure) as failed:
        await stage.play(
            acts("navigate", url=f"{stage.url}{path}"),
            done("I gave up.", success=False),
            tool=write_note,
            parameters=WriteNote(text="x"),
            login=login,
        )
    return failed.value


BRIEFLY = "<p id=stranger>Log in</p><script>setTimeout(() => stranger.remove(), 1500)</script>"


def raw(html: str) -> str:
    return f"/raw?html={quote(html)}"


@pytest.mark.timeout(200)  # seven runs on two busy cores
async def test_what_a_page_says_of_the_account_ends_the_run_with_its_code(stage: Stage) -> None:
    limited = raw("<div role=alert>Dear member, <b>your account is LIMITED</b></div><p role=alert>limited</p>")
    pages: dict[str, tuple[str, Login | None, type[Failure]]] = {
        "locked, by its address": ("/locked", None, AccountSuspended),
        "locked, in words": (limited, None, AccountSuspended),
        "words that nobody sees": (raw("<p role=alert hidden>limited</p><p>Hello</p>"), None, AgentFailed),
        "too fast": (raw("<p>Slow down</p>") + "&status=429", None, RateLimited),
        "a check that nobody answers": (raw("<p id=captcha>Are you a robot?</p>"), None, ChallengeRequired),
        "logged out": (raw("<p id=stranger>Log in</p>"), member(), AuthenticationFailed),
        "logged out for a moment": (raw(BRIEFLY), member(), AgentFailed),
        "somebody else": ("/me", member("another"), AuthenticationFailed),
    }
    failures = await asyncio.gather(*(seen(stage, path, login) for path, login, _ in pages.values()))
    ended = dict(zip(pages, failures, strict=True))
    assert {name: type(failure) for name, failure in ended.items()} == {name: page[2] for name, page in pages.items()}
    assert ended["too fast"].retry_after == 900
    assert "shows stored logged in, but the account 'mine' is another" in ended["somebody else"].message


async def test_a_person_is_asked_until_the_check_is_gone(stage: Stage, desk: RecordingDesk) -> None:
    stage.journal.mood = "checks"
    asked: list[str] = []

    async def answer(reason: str) -> None:
        asked.append(reason)
        if len(asked) == 2:
            stage.journal.mood = ""
            await eventually(lambda: "/welcomed" in stage.journal.visits)

    desk.answer = answer
    with pytest.raises(AgentFailed):
        await stage.play(
            acts("navigate", url=f"{stage.url}/check"),
            done("No.", success=False),
            tool=write_note,
            parameters=WriteNote(text="x"),
            desk=desk,
        )
    assert asked == ["challenge", "challenge"]


async def test_who_is_logged_in_is_read_from_the_page(stage: Stage) -> None:
    def write(scene: Scene) -> list[Act]:
        return [acts("input", index=scene.index("textarea"), text="Mine"), acts("click", index=scene.index("button"))]

    outcome = await stage.play(
        acts("navigate", url=f"{stage.url}/me"),
        acts("navigate", url=f"{stage.url}/write"),
        write,
        done("Published", data={"output": "Published", "noteId": str(len(stage.journal.notes) + 1)}),
        tool=write_note,
        parameters=WriteNote(text="Mine"),
        login=member("Stored"),
    )
    assert outcome.identity == "stored"


async def test_a_platforms_language_and_time_zone_hold_in_every_tab(stage: Stage) -> None:
    said: list[str] = []

    def look(scene: Scene) -> Act:
        if "world" not in scene.text:
            return acts("wait", seconds=1)  # a new tab is blank for a moment
        said.append(scene.text)
        return acts("click", index=scene.index("a")) if len(said) == 1 else done("Seen.", success=False)

    async def play(site: object) -> Outcome:
        return await stage.play(
            acts("navigate", url=f"{stage.url}/world"),
            *[look] * 5,
            tool=write_note,
            parameters=WriteNote(text="x"),
            site=site,
        )

    with pytest.raises(AgentFailed):
        await play(replace(SITE, locale="de-DE", timezone="Asia/Shanghai"))
    assert len(said) == 2
    for text in said:
        assert "world Asia/Shanghai de-DE 1.234,5" in text
        assert "de-DE,de" in text
