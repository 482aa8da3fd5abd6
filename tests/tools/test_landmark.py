"""By what a text is known again on a page."""

from __future__ import annotations

import re

import pytest

from tools.landmark import landmark, pattern


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Hello World!", "Hello World!"),
        ("short\na much longer second line", "a much longer second line"),
        ("看好 $贵州茅台(SH600519)$ 的长期价值 https://a.com/x", "的长期价值"),
        ("Good 😀 morning everybody", "morning everybody"),
        ("see foo.com then decide", "then decide"),
        ("@alice #topic# [笑]", ""),
        ("x" * 100, "x" * 60),
        ("", ""),
    ],
)
def test_keeps_the_longest_stretch_that_sites_leave_as_it_is(text: str, kept: str) -> None:
    assert landmark(text) == kept


def test_finds_the_text_again_whatever_became_of_its_spaces() -> None:
    assert re.search(pattern("a (b)  c"), "so: a (b)\u00a0\n c.")
    assert not re.search(pattern("a (b) c"), "a b c")


def test_a_text_of_pictures_alone_only_asks_for_something_visible() -> None:
    assert re.search(pattern("😀"), "x")
    assert not re.search(pattern("😀"), "  ")
