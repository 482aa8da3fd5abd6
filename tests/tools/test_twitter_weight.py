"""What a text weighs on X."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.twitter.weight import check, url_spans, weighted_length

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "documents" / "twitter_text.json").read_text(encoding="utf-8")
)["cases"]


def whole(parts: list[Any]) -> str:
    return "".join(part if isinstance(part, str) else part[0] * part[1] for part in parts)


def urls(text: str) -> list[str]:
    return [text[start:end] for start, end in url_spans(text)]


def test_all_24_public_cases_are_there() -> None:
    assert len(CASES) == 24


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_weighs_what_the_public_conformance_cases_say(case: dict[str, Any]) -> None:
    assert weighted_length(whole(case["text"])) == case["weight"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_takes_and_refuses_what_the_public_conformance_cases_say(case: dict[str, Any]) -> None:
    if case["valid"]:
        assert check(whole(case["text"])) == whole(case["text"])
        return
    with pytest.raises(ValueError, match=r"X|characters"):
        check(whole(case["text"]))


def test_140_chinese_characters_fit_and_141_do_not() -> None:
    assert check("好" * 140)
    with pytest.raises(ValueError, match=r"counts 282 of at most 280 on X .*shorten it by 2"):
        check("好" * 141)


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_refuses_a_text_with_nothing_to_see(text: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        check(text)


def test_says_which_characters_are_never_allowed() -> None:
    with pytest.raises(ValueError, match=r"U\+FEFF"):
        check("a\ufeffb")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see example.com.", ["example.com"]),
        ("mail me@example.com", []),
        ("name.al-lastname@foo.com", []),
        ("これはtwitter.comです", ["twitter.com"]),
        ("http://twitter.comです", ["http://twitter.com"]),
        ("https://en.wikipedia.org/wiki/X_(y) z", ["https://en.wikipedia.org/wiki/X_(y)"]),
        ("(http://a.com/b)", ["http://a.com/b"]),
        ("-example.com", []),
        ("$AAPL.com", []),
        ("1. Foo", []),
        ("http://trailingdash-.example.com", []),
        ("http://a_b.example.com http://example_b.com", ["http://a_b.example.com"]),
        ("http://xn--はじめよう.com/", []),
        ("http://t.co/pbY2NfTZ's", ["http://t.co/pbY2NfTZ"]),
        ("http://t.co/" + "a" * 41, []),
        ("twitter.comテストexample2.com", ["twitter.com", "example2.com"]),
        ("https://x.com?a=b&c=d! ok", ["https://x.com?a=b&c=d"]),
        ("readme.notatld", []),
    ],
)
def test_sees_urls_where_x_sees_them(text: str, found: list[str]) -> None:
    assert urls(text) == found


@given(st.text(max_size=400))
def test_any_text_can_be_weighed_and_its_form_does_not_matter(text: str) -> None:
    assert weighted_length(text) == weighted_length(unicodedata.normalize("NFD", unicodedata.normalize("NFC", text)))
    assert 0 <= weighted_length(text) <= 23 * len(text) + 2 * len(text)


@pytest.mark.parametrize("text", ["a." * 20_000 + "x", "http://a.com/" + "(a" * 20_000, "👨\u200d" * 20_000])
@pytest.mark.timeout(10)
def test_a_hostile_text_is_weighed_in_time(text: str) -> None:
    assert weighted_length(text) > 280
