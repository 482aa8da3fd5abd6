"""Signed tokens: what they let through and what they do not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.signing import Signer, hide_tokens

KEY = b"a key of thirty-two bytes, or so."
SIGNER = Signer(KEY)
LATER = int(time.time()) + 3600


@given(st.text(), st.text(), st.frozensets(st.text(min_size=1)))
def test_a_token_says_what_was_signed(purpose: str, subject: str, rights: frozenset[str]) -> None:
    token = SIGNER.sign(purpose, subject, expires=LATER, rights=rights)
    signed = SIGNER.verify(purpose, token)
    assert signed is not None
    assert (signed.subject, signed.expires, signed.rights) == (subject, LATER, rights)


def test_a_token_is_good_for_its_purpose_alone() -> None:
    token = SIGNER.sign("live", "task_1", expires=LATER)
    assert SIGNER.verify("file", token) is None
    assert SIGNER.verify("", token) is None


def test_a_token_expires() -> None:
    assert SIGNER.verify("live", SIGNER.sign("live", "task_1", expires=int(time.time()) - 1)) is None


def test_another_key_does_not_verify() -> None:
    token = Signer(KEY[::-1]).sign("live", "task_1", expires=LATER)
    assert SIGNER.verify("live", token) is None


def test_every_changed_character_is_noticed() -> None:
    token = SIGNER.sign("live", "task_1", expires=LATER, rights=["control"])
    for at, char in enumerate(token):
        other = "A" if char != "A" else "B"
        assert SIGNER.verify("live", token[:at] + other + token[at + 1 :]) is None
    assert SIGNER.verify("live", token + "A") is None
    assert SIGNER.verify("live", token[:-1]) is None


@given(st.text())
def test_anything_else_is_not_a_token(text: str) -> None:
    assert SIGNER.verify("live", text) is None
    assert SIGNER.verify("live", f"{text}.{text}") is None


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Signer(b"secret")


def test_tokens_fit_into_urls_and_can_be_hidden_from_logs() -> None:
    token = SIGNER.sign("live", "task_é", expires=LATER, rights=["control"])
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    line = f'127.0.0.1 "GET /live/{token}/state HTTP/1.1" 200'
    assert hide_tokens(line) == '127.0.0.1 "GET /live/[token]/state HTTP/1.1" 200'
    assert hide_tokens(f"/live/{token}") == "/live/[token]"
    assert hide_tokens("server.live.pictures.Pictures and 1.2.3") == "server.live.pictures.Pictures and 1.2.3"
