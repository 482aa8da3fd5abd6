"""Idempotency-Key: a request that comes again is answered with what it made first, and one that only looks so is refused."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from server.auth import Caller
from storage.tables import Idempotency
from storage.vault import Vault
from tools.errors import InvalidParameters


class Fingerprints:
    """What is kept of a request to know it again: a keyed hash, since it may hold secrets that could be guessed from a plain one."""

    def __init__(self, vault: Vault) -> None:
        self._key = vault.derive("requests")

    def of(self, request: Any) -> str:
        """The fingerprint of a JSON value."""
        return hmac.new(self._key, canonical(request), hashlib.sha256).hexdigest()


def once(caller: Caller, key: str | None, subject: str, fingerprint: str) -> Idempotency | None:
    """What is kept of a request with a key: `subject` is what it makes. Raises InvalidParameters."""
    if key is None:
        return None
    if not 0 < len(key) <= 255 or not key.isprintable():  # as the column
        message = "An Idempotency-Key has 1 to 255 printable characters."
        raise InvalidParameters(message, details={"header": "Idempotency-Key"})
    return Idempotency(key_id=caller.key_id, idempotency_key=key, request_hash=fingerprint, subject=subject)


def digest(value: Any) -> str:
    """A plain hash of a JSON value."""
    return hashlib.sha256(canonical(value)).hexdigest()


def canonical(value: Any) -> bytes:
    """A JSON value as bytes that are the same whatever the order of its members."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")
