"""What an agent may type and do, and when an act counts as publishing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyotp
import pytest

from agent.full.guard import Guard, Place, RefusedAct
from agent.full.wire import Arming, Grant

GRANT = Grant(name="word", value="open-sesame", hosts=("*.bank.example", "127.0.0.1:8080"), field="password")


def guard(**arming: Any) -> Guard:
    return Guard([GRANT], Arming(**arming) if arming else None)


def place(origin: str, field: str = "password") -> Place:
    return Place(origin, origin, field)


@pytest.mark.parametrize(
    "origin",
    ["https://bank.example", "http://www.bank.example:8443", "http://127.0.0.1:8080", "https://bank.example:443"],
)
def test_a_secret_belongs_to_its_hosts(origin: str) -> None:
    assert guard().reveal("<secret>word</secret>!", place(origin)) == "open-sesame!"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://bank.example.evil.example",
        "https://evilbank.example",
        "http://127.0.0.1:8081",
        "http://127.0.0.1",
        "null",
        "file://bank.example",
        "chrome-extension://bank.example",
        "",
    ],
)
def test_a_secret_belongs_to_nobody_else(origin: str) -> None:
    with pytest.raises(RefusedAct, match="does not belong"):
        guard().reveal("<secret>word</secret>", place(origin))


TOLD = "Write this post:\n---\nFirst line,\nsecond line\n---"


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("input", {"text": "First line,\r\n  second line"}),
        ("input", {"text": "<secret>word</secret>"}),
        ("send_keys", {"keys": "second line"}),
        ("send_keys", {"keys": "Control+Shift+a"}),
        ("send_keys", {"keys": "Enter"}),
        ("click", {"index": 1}),
    ],
)
def test_the_texts_of_the_task_are_typed(action: str, parameters: dict[str, Any]) -> None:
    guard(after_typing=True, told=TOLD).check_words(action, parameters, place("https://board.example"))


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("input", {"text": "Buy my coins"}),
        ("send_keys", {"keys": "Coins"}),
        ("input", {"text": "First line, buy coins"}),
    ],
)
def test_no_other_words_are_typed_and_whoever_wants_to_is_watched(action: str, parameters: dict[str, Any]) -> None:
    watched = guard(after_typing=True, told=TOLD, login_urls=("https://board.example/login",))
    watched.check_words(action, parameters, place("https://board.example/login"))
    with pytest.raises(RefusedAct, match="Only the texts that the task gives"):
        watched.check_words(action, parameters, place("https://board.example"))
    assert watched.publishes("click", {}, place("https://board.example"))
    guard(after_typing=False).check_words(action, parameters, place("https://board.example"))  # a task in plain words


def test_a_password_goes_into_password_fields_only() -> None:
    for field in ("input", "any", ""):
        with pytest.raises(RefusedAct, match="password field"):
            guard().reveal("<secret>word</secret>", place("https://bank.example", field))


def test_a_totp_secret_is_typed_as_its_code() -> None:
    grant = Grant(name="code", value="JBSW Y3DP EHPK 3PXP", hosts=("bank.example",), field="input", totp=True)
    code = Guard([grant], None).reveal("<secret>code</secret>", place("https://bank.example", "input"))
    assert pyotp.TOTP("JBSWY3DPEHPK3PXP").verify(code, valid_window=1)


def test_an_act_counts_from_the_moment_something_was_typed() -> None:
    rules = guard(after_typing=True)
    at = place("https://bank.example")
    assert not rules.publishes("click", {"index": 1}, at)
    assert not rules.publishes("input", {"text": "hello"}, at)
    assert not rules.publishes("scroll", {}, at)
    assert all(rules.publishes(act, {}, at) for act in ("click", "send_keys", "select_dropdown", "upload_file"))


def test_an_act_without_content_counts_from_the_start() -> None:
    assert guard(after_typing=False).publishes("click", {}, place("https://bank.example"))


def test_a_typed_line_break_is_an_act() -> None:
    assert guard(after_typing=True).publishes("input", {"text": "hello\n"}, place("https://bank.example"))


def test_logging_in_is_no_publishing_act() -> None:
    rules = guard(after_typing=True, login_urls=("https://bank.example/login",))
    assert not rules.publishes("input", {"text": "me"}, Place("https://bank.example/login?next=/"))
    assert not rules.publishes("click", {}, Place("https://bank.example/login"))
    assert not rules.publishes("click", {}, Place("https://bank.example/compose"))


def test_typing_a_secret_is_not_typing_the_content() -> None:
    rules = guard(after_typing=True)
    assert not rules.publishes("input", {"text": "<secret>word</secret>"}, place("https://bank.example"))
    assert not rules.publishes("click", {}, place("https://bank.example"))


def test_in_a_dry_run_the_act_is_refused() -> None:
    rules = guard(after_typing=False, dry_run=True)
    with pytest.raises(RefusedAct, match="dry run"):
        rules.publishes("click", {}, place("https://bank.example"))


def test_where_the_control_that_publishes_is_known_a_dry_run_goes_through_the_rest_of_the_form() -> None:
    rules = guard(after_typing=True, dry_run=True, controls=("#send",))
    at = place("https://bank.example")
    assert rules.publishes("input", {"text": "two\nlines"}, at)
    assert rules.publishes("click", {}, at)
    assert rules.publishes("send_keys", {"keys": "more words"}, at)
    for act, parameters in (("click", {}), ("send_keys", {"keys": "Control+Enter"})):
        with pytest.raises(RefusedAct, match="dry run"):
            rules.publishes(act, parameters, replace(at, sends=True))
