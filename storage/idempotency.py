"""Requests that were answered under an Idempotency-Key."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from storage.tables import Idempotency, now

IDEMPOTENCY_KEPT = timedelta(hours=24)
Row = TypeVar("Row")


class IdempotencyClash(Exception):
    """The idempotency key was used for another request."""


async def answer_of(session: AsyncSession, asked: Idempotency, kind: type[Row]) -> Row | None:
    """The row that this key created already, as long as it is there. Raises IdempotencyClash."""
    known = await session.get(Idempotency, (asked.key_id, asked.idempotency_key), populate_existing=True)
    if known is None or known.created_at <= now() - IDEMPOTENCY_KEPT:
        return None
    if known.request_hash != asked.request_hash:
        raise IdempotencyClash
    return await session.get(kind, known.subject)


async def answered(session: AsyncSession, asked: Idempotency, kind: type[Row]) -> Row | None:
    """As `answer_of`; else None, and the key is taken from now on.

    Two requests at the very same moment: the key's row lets only one of them commit, the other fails with an IntegrityError.
    """
    found = await answer_of(session, asked, kind)
    if found is not None:
        return found
    old = await session.get(Idempotency, (asked.key_id, asked.idempotency_key), with_for_update=True)
    if old is not None:
        await session.delete(old)
        await session.flush()
    session.add(asked)
    await session.flush()
    return None
