"""Secrets are hidden in whatever spelling they come."""

from __future__ import annotations

import json

import pyotp

from agent.full.wire import Grant
from agent.redaction import Redactor


def redactor(**values: str) -> Redactor:
    return Redactor([Grant(name=name, value=value, hosts=()) for name, value in values.items()])


def test_a_secret_is_hidden_in_every_spelling() -> None:
    hide = redactor(p='a b&c"d/é').text
    shown = [
        'a b&c"d/é',
        "a%20b%26c%22d%2F%C3%A9",
        "a+b%26c%22d%2F%C3%A9",
        "a b&amp;c&quot;d/é",
        json.dumps('a b&c"d/é')[1:-1],
    ]
    assert {hide(spelling) for spelling in shown} == {"<secret>p</secret>"}


def test_the_longest_secret_wins() -> None:
    assert (
        redactor(short="pass1", long="pass12345").text("pass12345 pass1")
        == "<secret>long</secret> <secret>short</secret>"
    )


def test_a_short_secret_is_hidden_where_it_stands_alone() -> None:
    assert redactor(pin="1234").text("pin 1234, year 12345") == "pin <secret>pin</secret>, year 12345"
    assert redactor(pin="12").text("12 monkeys") == "12 monkeys"


def test_a_code_that_a_page_shows_is_hidden() -> None:
    hide = Redactor([Grant(name="code", value="JBSWY3DPEHPK3PXP", hosts=(), totp=True)])
    assert hide.text(f"Your code: {pyotp.TOTP('JBSWY3DPEHPK3PXP').now()}.") == "Your code: <secret>code</secret>."


def test_a_tree_is_redacted_down_to_its_keys() -> None:
    assert redactor(p="hunter22").tree({"hunter22": ["x hunter22", 1, None]}) == {
        "<secret>p</secret>": ["x <secret>p</secret>", 1, None]
    }
