"""All eight tools on the replicas of their platforms, played by the lite engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from typing import Any, cast

import pytest

from agent.engine import Options
from tests.agent.platforms.stage import Ran, Stage
from tests.replicas.faults import Fault
from tests.replicas.replica import Post, Replica
from tests.replicas.twitter import Twitter
from tools.catalog import catalog
from tools.overrides import applied, parse

pytestmark = pytest.mark.anyio

JACK = "https://x.com/jack/status/20"
HELLO: dict[str, dict[str, Any]] = {
    "twitter.createTweet": {"text": "Hello\nin two lines, with https://example.com/a and 😀"},
    "twitter.replyTweet": {"text": "Congratulations, that is where it began", "tweetUrl": JACK},
    "twitter.quoteTweet": {"text": "Where it all began", "tweetUrl": JACK},
    "xueqiu.post": {"text": "第一行 $贵州茅台(SH600519)$\n第二行继续看好"},
    "eastmoney.postWithCode": {"text": "长期看好\n第二行", "stockCode": "HK00700"},
    "tonghuashun.post": {"text": "正文第一行\n正文第二行"},
}

FIRST = ("twitter.createTweet", "xueqiu.post", "eastmoney.postWithCode", "tonghuashun.post")
"""One of each platform."""


def twitter(stage: Stage) -> Twitter:
    return cast("Twitter", stage.replicas["twitter"])


def platform(stage: Stage, name: str) -> Replica:
    return stage.replicas[name.partition(".")[0]]


async def each(stage: Stage, names: Iterable[str], **more: Any) -> dict[str, Ran]:
    """Plays the tools: the platforms side by side, those of one platform one after the other."""
    ran: dict[str, Ran] = {}

    async def in_turn(several: Iterable[str]) -> None:
        for name in several:
            ran[name] = await stage.play(name, HELLO[name] | more.get("parameters", {}), options=more.get("options"))

    chains = (in_turn(list(chain)) for _, chain in groupby(names, key=lambda name: name.partition(".")[0]))
    await asyncio.gather(*chains)
    return ran


def published(stage: Stage) -> dict[tuple[str, str], Post]:
    """What was really published, by platform and number."""
    return {(name, post.id): post for name, replica in stage.replicas.items() for post in replica.published}


async def test_publishes_exactly_the_text_once_in_steps_and_answers_with_address_and_number(stage: Stage) -> None:
    ran = await each(stage, HELLO)
    assert {name: one.failure for name, one in ran.items() if one.failure} == {}
    posts = published(stage)
    assert len(posts) == len(HELLO)
    for name, one in ran.items():
        number = one.result["postId" if "postId" in one.result else "tweetId"]
        post = posts[name.partition(".")[0], number]
        assert post.text == HELLO[name]["text"], name
        assert post.author == platform(stage, name).member
        address = one.result["postUrl" if "postUrl" in one.result else "tweetUrl"]
        assert address.startswith(catalog().sites[name.partition(".")[0]].home)
        assert number in address
        assert address in one.result["output"]
        assert len(one.desk.steps) >= 3
        for step in one.desk.steps:
            assert step.next_goal
            assert step.url.startswith("http")
            assert step.screenshot
    numbers = (ran[f"twitter.{name}"].result["tweetId"] for name in ("replyTweet", "quoteTweet"))
    answer, quote = (posts["twitter", number] for number in numbers)
    assert (answer.more["answers"], quote.more["quotes"]) == ("20", "20")


SIGNS = "立即登录 请登录 页面不存在 正在审核 已被封禁 your account is suspended and limited"


async def test_words_of_a_site_that_stand_in_a_post_are_no_signs(stage: Stage) -> None:
    ran = await each(stage, FIRST, parameters={"text": SIGNS})
    assert {name: one.state for name, one in ran.items()} == dict.fromkeys(FIRST, "completed")
    assert not any(one.result["review"] for one in ran.values())
    assert [post.text for post in published(stage).values()] == [SIGNS] * len(FIRST)
    twitter(stage).others["20"].text = SIGNS
    assert (await stage.play("twitter.likeTweet", {"tweetUrl": JACK})).state == "completed"


async def test_sets_the_sites_own_mark_for_ai_when_asked(stage: Stage) -> None:
    marked = [name for name in HELLO if name not in ("tonghuashun.post", "twitter.replyTweet")]
    await each(stage, marked, parameters={"aiGenerated": True})
    assert [post.more["ai"] for post in published(stage).values()] == [True] * len(marked)


async def test_a_dry_run_fills_everything_in_and_publishes_nothing(stage: Stage) -> None:
    ran = await each(stage, FIRST, options=Options(dry_run=True))
    assert published(stage) == {}
    for name, one in ran.items():
        assert one.state == "completed", one.failure
        assert one.desk.armed == 0
        filled = one.desk.steps[-1]
        assert filled.screenshot, name
        assert filled.results == ({"stopped": "Dry run: this is where the act would go out."},)


async def test_likes_a_post_and_sees_the_like_there(stage: Stage) -> None:
    ran = await stage.play("twitter.likeTweet", {"tweetUrl": JACK})
    assert twitter(stage).liked == {("alice", "20")}
    assert ran.result == {"output": f"Liked {JACK}", "tweetUrl": JACK, "tweetId": "20", "already": False}


async def test_reposts_a_post_and_sees_the_repost_there(stage: Stage) -> None:
    ran = await stage.play("twitter.reTweet", {"tweetUrl": JACK})
    assert twitter(stage).reposted == {("alice", "20")}
    assert ran.result["already"] is False


@pytest.mark.parametrize("name", ["twitter.likeTweet", "twitter.reTweet"])
async def test_what_was_done_before_is_a_success_that_says_so_and_clicks_nothing(name: str, stage: Stage) -> None:
    twitter(stage).liked.add(("alice", "20"))
    twitter(stage).reposted.add(("alice", "20"))
    ran = await stage.play(name, {"tweetUrl": JACK})
    assert ran.result["already"] is True
    assert "before" in ran.result["output"]
    assert ran.desk.armed == 0
    assert not any("graphql" in request for request in twitter(stage).requests)


@pytest.mark.parametrize("name", ["twitter.likeTweet", "twitter.reTweet", "twitter.replyTweet", "twitter.quoteTweet"])
async def test_a_post_that_is_not_there_is_not_found(name: str, stage: Stage) -> None:
    given = {**HELLO.get(name, {}), "tweetUrl": "https://x.com/jack/status/404"}
    ran = await stage.play(name, given)
    assert ran.state == "NOT_FOUND"
    assert "https://x.com/jack/status/404" in str(ran.failure)
    assert twitter(stage).published == []


@pytest.mark.parametrize(
    ("name", "fault", "code"),
    [
        ("twitter.likeTweet", Fault.SILENT_DROP, "OUTCOME_UNCERTAIN"),
        ("twitter.likeTweet", Fault.RATE_LIMIT, "RATE_LIMITED"),
        ("twitter.likeTweet", Fault.ERRORS, "PLATFORM_ERROR"),
        ("twitter.likeTweet", Fault.LOGGED_OUT, "AUTHENTICATION_FAILED"),
        ("twitter.reTweet", Fault.SILENT_DROP, "OUTCOME_UNCERTAIN"),
        ("twitter.reTweet", Fault.WRONG_ACCOUNT, "AUTHENTICATION_FAILED"),
        ("twitter.replyTweet", Fault.MOVED, "PAGE_CHANGED"),
        ("twitter.quoteTweet", Fault.DUPLICATE, "DUPLICATE_CONTENT"),
    ],
)
async def test_the_other_tools_of_x_meet_faults_alike(name: str, fault: Fault, code: str, stage: Stage) -> None:
    twitter(stage).reset(fault)
    ran = await stage.play(
        name, HELLO.get(name, {"tweetUrl": JACK}), in_vain=code in ("OUTCOME_UNCERTAIN", "PAGE_CHANGED")
    )
    assert ran.state == code, ran.failure
    assert twitter(stage).published == []


@pytest.mark.parametrize("name", ["twitter.likeTweet", "twitter.reTweet"])
async def test_a_like_or_repost_whose_answer_was_cut_off_is_proved_by_the_post_itself(name: str, stage: Stage) -> None:
    twitter(stage).reset(Fault.CUT)
    ran = await stage.play(name, {"tweetUrl": JACK})
    assert ran.state == "completed", ran.failure
    assert ran.result["already"] is False


async def test_the_same_text_twice_is_refused_by_x_and_published_once(stage: Stage) -> None:
    await stage.play("twitter.createTweet", HELLO["twitter.createTweet"])
    again = await stage.play("twitter.createTweet", HELLO["twitter.createTweet"])
    assert again.state == "DUPLICATE_CONTENT"
    assert "duplicate" in str(again.failure)
    assert len(twitter(stage).published) == 1


async def test_a_site_that_was_rebuilt_works_again_with_the_users_own_selectors(stage: Stage) -> None:
    twitter(stage).reset(Fault.MOVED)
    own = {"twitter": {"box": "[data-testid=next-tweetTextarea_0]", "send": ["[data-testid=next-tweetButton]"]}}
    changed = applied(stage.catalog, parse(own, stage.catalog))
    healed = replace(stage, catalog=changed)
    ran = await healed.play("twitter.createTweet", {"text": "Back again"})
    assert ran.state == "completed", ran.failure
    assert [post.text for post in twitter(stage).published] == ["Back again"]


async def test_without_creator_rights_the_error_says_what_to_do(stage: Stage) -> None:
    stage.replicas["tonghuashun"].reset(Fault.NO_RIGHTS)
    ran = await stage.play("tonghuashun.post", HELLO["tonghuashun.post"])
    assert "creator rights" in str(ran.failure)
