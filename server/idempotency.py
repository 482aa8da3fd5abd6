"""Idempotency-Key, for what is no task: tasks look after theirs in TaskService."""

from __future__ import annotations

from typing import Any

from server.auth import Caller
from server.tasks import digest
from storage.tables import Idempotency
from tools.errors import InvalidParameters


def asked_once(caller: Caller, key: str | None, subject: str, request: Any) -> Idempotency | None:
    """What is kept of a request with a key; `request` is everything that makes it this very request. Raises InvalidParameters."""
    if key is None:
        return None
    if not 0 < len(key) <= 255:  # as the column
        message = "An Idempotency-Key has 1 to 255 characters."
        raise InvalidParameters(message)
    return Idempotency(key_id=caller.key_id, idempotency_key=key, request_hash=digest(request), subject=subject)
