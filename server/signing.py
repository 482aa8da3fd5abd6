"""The one signer of links: live tokens and artifact URLs. A token is its own proof; nothing is kept on the server."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

TOKEN = re.compile(r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
"""What a token looks like, so that logs can leave it out."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What a valid token says."""

    subject: str
    expires: int
    """Unix seconds."""
    rights: frozenset[str] = field(default_factory=frozenset[str])


class Signer:
    """Signs and verifies with HMAC-SHA256. `key`: 32 random bytes or more; whoever has it can make any token."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("the signing key needs at least 32 bytes")
        self._key = key

    def sign(self, purpose: str, subject: str, *, expires: int, rights: Iterable[str] = ()) -> str:
        """A URL-safe token for one purpose, one subject and some rights, valid until `expires` (Unix seconds)."""
        claims = json.dumps([subject, expires, *sorted(rights)], separators=(",", ":"), ensure_ascii=False)
        payload = _encode(claims.encode())
        return f"{payload}.{self._signature(purpose, payload)}"

    def verify(self, purpose: str, token: str) -> Signed | None:
        """What the token says, or None when it is not ours, for another purpose, or expired."""
        payload, _, signature = token.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(purpose, payload).encode()):
            return None
        subject, expires, *rights = json.loads(_decode(payload))
        return Signed(subject, expires, frozenset(rights)) if time.time() < expires else None

    def digest(self, purpose: str, text: str) -> bytes:
        """32 bytes that nobody else can make of the text."""
        # A key of its own for each purpose: no choice of text makes a token of one purpose valid for another.
        key = hmac.digest(self._key, purpose.encode(), hashlib.sha256)
        return hmac.digest(key, text.encode(), hashlib.sha256)

    def _signature(self, purpose: str, payload: str) -> str:
        return _encode(self.digest(purpose, payload))


def hide_tokens(text: str) -> str:
    """The text without the tokens in it."""
    return TOKEN.sub("[token]", text)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:  # cannot happen to what we signed
        raise ValueError("not base64") from error
