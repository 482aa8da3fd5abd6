"""The practice site's tools and the tool for any website: what they take, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from tools.browser.run_task import RunTask
from tools.browser.run_task import tool as run_task
from tools.catalog import catalog
from tools.demo.create_post import CreatePost
from tools.demo.create_post import tool as create_post
from tools.demo.like_post import LikePost
from tools.playbook import Goto, Stage, publishing_moves


@pytest.mark.parametrize(
    "address",
    [
        "/posts/7",
        " /posts/7/ ",
        "https://practice.webhand.example/posts/7",
        "http://127.0.0.1:8123/posts/7?from=feed#top",
        "http://[::1]:8123/posts/7",
    ],
)
def test_a_posts_address_is_taken_as_url_or_path(address: str) -> None:
    asked = LikePost.model_validate({"postUrl": address})
    assert asked.post_url == "/posts/7"
    assert asked == LikePost(post_url=address)


@pytest.mark.parametrize(
    "address", ["", "7", "/posts/", "/posts/x", "/posts/7/like", "posts/7", "ftp://a/posts/7", "//evil/posts/7"]
)
def test_what_is_no_posts_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="postUrl"):
        LikePost.model_validate({"postUrl": address})


WRONG: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (CreatePost, {}),
    (CreatePost, {"text": ""}),
    (CreatePost, {"text": " \n\t"}),
    (CreatePost, {"text": "a" * 501}),
    (CreatePost, {"text": "hello", "txet": "hello"}),
    (RunTask, {"task": " "}),
    (RunTask, {"task": "look", "startUrl": "file:///etc/passwd"}),
    (RunTask, {"task": "look", "startUrl": "javascript:alert(1)"}),
]


@pytest.mark.parametrize(("model", "parameters"), WRONG)
def test_wrong_parameters_are_refused(model: type[BaseModel], parameters: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(parameters)


def test_500_characters_count_as_people_count_them() -> None:
    assert CreatePost(text="🦆" * 500)


def test_the_post_is_opened_by_its_path() -> None:
    for name in ("demo.likePost", "demo.deletePost"):
        tool = catalog().tools[name]
        asked = tool.parameters.model_validate({"postUrl": "http://127.0.0.1:8123/posts/7"})
        assert tool.playbook is not None
        assert Goto("/posts/7") in tool.playbook(asked)[0].moves


def test_a_post_is_proved_on_the_page_of_the_id_that_was_answered() -> None:
    assert create_post.proof is not None
    first = create_post.proof(create_post.example).stages[0].moves[0]
    assert isinstance(first, Goto)
    assert getattr(first.url, "before", None) == "/posts/"


def test_the_progress_words_of_a_post_begin_with_authenticating() -> None:
    assert create_post.playbook is not None
    assert [stage.word for stage in create_post.playbook(create_post.example)] == [
        "authenticating",
        "writing",
        "publishing",
    ]


def test_any_website_is_a_platform_without_accounts_or_a_playbook() -> None:
    site = catalog().site("browser")
    assert site.hosts == ("*",)
    assert [tool.name for tool in catalog().of("browser")] == ["browser.runTask"]
    assert run_task.account is False
    assert run_task.playbook is None
    assert run_task.writes


def test_a_task_in_plain_words_is_told_as_it_was_given() -> None:
    assert run_task.goal(RunTask(task="Count the ducks.")) == "Count the ducks."
    assert run_task.goal(RunTask(task="Count the ducks.", start_url="https://pond.example/")).startswith(
        "Begin on https://pond.example/"
    )


def test_publishing_moves_are_found_in_every_stage() -> None:
    assert create_post.playbook is not None
    playbook = create_post.playbook(create_post.example)
    assert publishing_moves(playbook) == [playbook[2].moves[1]]
    assert publishing_moves((Stage("Look", (Goto("/"),)),)) == []
