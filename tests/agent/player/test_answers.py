"""What a site says, by its signs and in its answers, is understood while a playbook is played."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from agent.lite.answers import Refused
from agent.lite.player import Player
from agent.lite.signs import Lookout
from agent.lite.watch import Detour
from tests.agent.player.stand import SITE, Stand
from tools.errors import (
    AccountSuspended,
    DuplicateContent,
    PlatformError,
    RateLimited,
    Unreachable,
    WrongPage,
)
from tools.playbook import (
    Answer,
    Click,
    Expect,
    Goto,
    Listen,
    Refusal,
    Wait,
)
from tools.site import Signs, Who

pytestmark = pytest.mark.anyio


# -- signs


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/covered", Detour),
        ("/robot", Detour),
        ("/locked", AccountSuspended),
        ("/status/429", RateLimited),
        ("/status/503", Unreachable),
        ("/download", WrongPage),
    ],
)
async def test_a_page_is_searched_for_signs_when_it_opens(stand: Stand, path: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        await stand.play(Goto(path))
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after == 33


async def test_a_page_that_is_not_there_is_left_to_the_playbook(stand: Stand) -> None:
    await stand.play(Goto("/status/404"), Expect(text="broken"))


async def test_a_challenge_that_comes_while_waiting_is_noticed_soon(stand: Stand) -> None:
    await stand.play(Goto("/form"))
    await stand.page.evaluate("setTimeout(() => document.body.innerHTML = '<p id=captcha>?</p>', 300)")
    began = asyncio.get_running_loop().time()
    with pytest.raises(Detour):
        await stand.play(Wait("#never", seconds=30))
    assert asyncio.get_running_loop().time() - began < 10


async def test_selectors_that_are_no_css_and_cookies_are_signs_too(stand: Stand) -> None:
    cookie = replace(SITE, logged_in=Signs(cookies=("in=1",)), who=Who(cookie="name"))
    await stand.play(Goto("/form"))
    lookout = Lookout(stand.page, cookie, stand.origins)
    assert "logged_in" not in await lookout.look()
    url = stand.page.url
    await stand.page.context.add_cookies(
        [{"name": "in", "value": "1", "url": url}, {"name": "name", "value": "%C3%84da", "url": url}]
    )
    sight = await lookout.look()
    assert "logged_in" in sight
    assert sight.who == "Äda"
    odd = replace(SITE, who=Who(selector="h1 >> text=Form"), logged_in=Signs(selectors=("h1:has-text('Form')",)))
    sight = await Lookout(stand.page, odd, stand.origins).look()
    assert (sight.who, "logged_in" in sight) == ("Form", True)


async def test_who_is_logged_in_is_read_off_the_page(stand: Stand) -> None:
    await stand.play(Goto("/me"))
    assert (await Lookout(stand.page, SITE, stand.origins).look()).who == "Ada"


# -- answers


async def heard(stand: Stand, query: str, **answer: Any) -> Player:
    wanted = replace(Answer("made", seconds=5), **answer)
    return await stand.play(Goto(f"/ask?{query}"), Listen("made", r"/api\?"), Click("#post"), wanted)


async def test_an_answer_gives_its_readings(stand: Stand) -> None:
    player = await heard(stand, "body=made", readings={"id": ("data.other", "data.post.id"), "tag": "data.post.tags.0"})
    assert player.at.readings == {"id": "4711", "tag": "x"}


async def test_an_answer_that_lacks_a_reading_fails_unless_it_is_optional(stand: Stand) -> None:
    with pytest.raises(PlatformError, match="does not say 'id'"):
        await heard(stand, "body=empty", readings={"id": "data.id"})
    assert (await heard(stand, "body=empty", readings={"id": "data.id"}, optional=True)).at.readings == {}


REFUSALS = (
    Refusal("errors.0.code", "DUPLICATE_CONTENT", (187,), message="errors.0.message", unless="data.post.id"),
    Refusal("wait", "RATE_LIMITED", retry_after="wait", message="=Slow down"),
    Refusal("", "RATE_LIMITED", statuses=(420,), retry_after="@Retry-After"),
)


async def test_a_refusal_says_what_the_site_said_but_not_more(stand: Stand) -> None:
    with pytest.raises(Refused) as caught:
        await heard(stand, "body=nested", refusals=REFUSALS)
    assert isinstance(caught.value.failure, DuplicateContent)
    message = caught.value.failure.message
    assert message.startswith("The site answered: Again? <b>yyy")
    assert len(message) < 350
    assert "\u202e" not in message


async def test_a_refusal_beside_what_was_made_is_none(stand: Stand) -> None:
    player = await heard(stand, "body=mixed", refusals=REFUSALS, readings={"id": "data.post.id"})
    assert player.at.readings == {"id": "9"}


@pytest.mark.parametrize(
    ("query", "wait"), [("body=slowly", 60), ("body=empty&status=420", 42), ("body=empty&status=429", 42)]
)
async def test_a_refusal_says_how_long_to_wait(stand: Stand, query: str, wait: int) -> None:
    with pytest.raises(Refused) as caught:
        await heard(stand, query, refusals=REFUSALS)
    assert isinstance(caught.value.failure, RateLimited)
    assert caught.value.failure.retry_after == wait


@pytest.mark.parametrize(("status", "kind"), [(400, Refused), (403, Refused), (500, PlatformError)])
async def test_a_status_that_cannot_mean_yes_is_a_no(stand: Stand, status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await heard(stand, f"body=empty&status={status}")


async def test_a_request_that_fails_is_noticed_at_once(stand: Stand) -> None:
    await stand.page.context.route("**/api?*", lambda route: route.abort())
    began = asyncio.get_running_loop().time()
    with pytest.raises(PlatformError, match="did not answer"):
        await heard(stand, "body=made", seconds=30)
    assert asyncio.get_running_loop().time() - began < 10
