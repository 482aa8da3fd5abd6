"""The parameters, results and playbooks of the tools of X."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tools.catalog import catalog
from tools.playbook import Answer, Click, Listen, Stage, publishing_moves
from tools.tool import AnyTool
from tools.twitter.address import parse
from tools.twitter.create_tweet import CreateTweet
from tools.twitter.create_tweet import tool as create
from tools.twitter.like_tweet import Like, LikeTweet
from tools.twitter.like_tweet import tool as like
from tools.twitter.published import Published
from tools.twitter.reply_tweet import ReplyTweet
from tools.twitter.reply_tweet import tool as reply

ALL: list[AnyTool] = [tool for tool in catalog().tools.values() if tool.platform == "twitter"]


def moves(stages: tuple[Stage, ...]) -> list[object]:
    return [move for stage in stages for move in stage.moves]


def test_x_has_the_five_documented_tools() -> None:
    assert {tool.action for tool in ALL} == {"createTweet", "likeTweet", "reTweet", "replyTweet", "quoteTweet"}


@pytest.mark.parametrize("name", ["twitter", "x", "X", "x.com", "twitter.com", " Twitter "])
def test_x_is_known_by_every_name(name: str) -> None:
    assert catalog().site(name).id == "twitter"


@pytest.mark.parametrize(
    ("url", "user", "number"),
    [
        ("https://x.com/jack/status/20", "jack", "20"),
        ("http://twitter.com/jack/status/20", "jack", "20"),
        ("https://www.twitter.com/Jack_9/status/20?s=20&t=abc", "Jack_9", "20"),
        ("https://mobile.twitter.com/jack/status/20/", "jack", "20"),
        ("https://x.com/i/status/1234567890123456789", None, "1234567890123456789"),
        ("https://x.com/i/web/status/20#m", None, "20"),
        ("x.com/jack/status/20/photo/1", "jack", "20"),
        ("  https://x.com/jack/status/20  ", "jack", "20"),
    ],
)
def test_a_post_is_found_by_every_form_of_its_address(url: str, user: str | None, number: str) -> None:
    found = parse(url)
    assert (found.user, found.id) == (user, number)
    assert found.url == f"https://x.com/{user or 'i'}/status/{number}"
    assert parse(found.url) == found


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://x.com/jack",
        "https://x.com/jack/status/",
        "https://x.com/jack/status/abc",
        "https://evil.com/x.com/jack/status/20",
        "https://x.com.evil.com/jack/status/20",
        "https://notx.com/jack/status/20",
        "https://x.com/jack/status/20\nhttps://x.com/a/status/1",
        'https://x.com/"]/status/20',
        "20",
    ],
)
def test_what_is_no_address_of_a_post_is_refused_with_the_accepted_shape(url: str) -> None:
    with pytest.raises(ValidationError, match=r"https://x\.com/USER/status/NUMBER"):
        LikeTweet.model_validate({"tweetUrl": url})


def test_a_text_that_is_too_long_is_refused_before_it_is_queued_with_count_and_limit() -> None:
    with pytest.raises(ValidationError, match="counts 300 of at most 280"):
        CreateTweet.model_validate({"text": "a" * 300})


def test_a_long_url_counts_23_so_a_longer_text_may_fit() -> None:
    assert CreateTweet.model_validate({"text": "see https://example.com/" + "a" * 400})


@pytest.mark.parametrize("tool", ALL, ids=lambda tool: tool.action)
def test_each_tool_publishes_once_and_listens_before_it_clicks(tool: AnyTool) -> None:
    assert tool.playbook
    played = moves(tool.playbook(tool.example))
    publishing = [at for at, move in enumerate(played) if isinstance(move, Click) and move.publishes]
    listening = [at for at, move in enumerate(played) if isinstance(move, Listen)]
    answering = [at for at, move in enumerate(played) if isinstance(move, Answer)]
    assert len(publishing) == len(publishing_moves(tool.playbook(tool.example))) == 1
    assert listening[0] < publishing[0] < answering[0]


@pytest.mark.parametrize("given", ["tweetUrl", "tweet_url"])
def test_parameters_are_read_by_both_spellings_and_written_in_camel_case(given: str) -> None:
    read = ReplyTweet.model_validate({given: "https://x.com/jack/status/20", "text": "Hi", "aiGenerated": True})
    assert read.model_dump(by_alias=True) == {
        "tweetUrl": "https://x.com/jack/status/20",
        "text": "Hi",
        "aiGenerated": True,
    }


def test_parameters_that_were_checked_once_pass_again() -> None:
    for tool in ALL:
        assert tool.parameters.model_validate(tool.example.model_dump(by_alias=True)) == tool.example


def test_the_ai_mark_is_set_before_anything_is_written() -> None:
    assert create.playbook
    assert reply.playbook
    plain, marked = (create.playbook(CreateTweet(text="Hi", ai_generated=mark)) for mark in (False, True))
    assert len(moves(marked)) == len(moves(plain)) + 2


def test_a_published_post_is_worded_with_its_author() -> None:
    seen = Published.model_validate({"tweetId": "77", "author": "alice", "shown": "Hi"})
    assert seen.model_dump(by_alias=True) == {
        "output": "Posted https://x.com/alice/status/77",
        "tweetUrl": "https://x.com/alice/status/77",
        "tweetId": "77",
        "review": False,
    }


def test_a_post_that_x_does_not_show_says_so() -> None:
    hidden = Published.model_validate({"tweetId": "77"})
    assert hidden.review
    assert "does not show it" in hidden.output
    assert hidden.tweet_url == "https://x.com/i/status/77"


def test_a_result_without_a_number_is_no_result() -> None:
    with pytest.raises(ValidationError):
        Published.model_validate({"shown": "Hi"})


def test_a_like_that_was_there_before_is_a_success_that_says_so() -> None:
    before = Like.model_validate({"tweetUrl": "https://x.com/jack/status/20", "tweetId": "20", "was": "unlike"})
    assert before.already
    assert before.output.startswith("Liked before, so nothing was changed")
    assert like.effect == "engage"


def test_an_agents_own_answer_is_taken_as_it_is() -> None:
    answer = {"output": "done", "tweetUrl": "https://x.com/a/status/1", "tweetId": "1", "review": False}
    assert Published.model_validate(answer).model_dump(by_alias=True) == answer
