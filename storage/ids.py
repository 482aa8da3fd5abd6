"""Ids. They sort by time (UUIDv7, RFC 9562), so that new rows stand together, and hold 74 random bits, so that none can be guessed."""

from __future__ import annotations

import uuid_utils


def mint(kind: str) -> str:
    """A new id of a kind, for example `task_0199...` (the shape of contract 1.1)."""
    return f"{kind}_{uuid_utils.uuid7().hex}"


def mint_uuid() -> str:
    """A new id that is a bare UUID, as Cloud v1's were in use (contract 3.1)."""
    return str(uuid_utils.uuid7())
