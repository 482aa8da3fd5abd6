"""Requests that were answered under an Idempotency-Key, for what is no task: tasks look after theirs in their own store."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from storage.tables import Idempotency, now
from storage.tasks import IDEMPOTENCY_KEPT, IdempotencyClash


async def answered(session: AsyncSession, asked: Idempotency) -> str | None:
    """The id of what this key created already; else None, and the key is taken from now on. Raises IdempotencyClash.

    Two requests at the very same moment: the key's row lets only one of them commit, the other fails with an IntegrityError.
    """
    known = await session.get(Idempotency, (asked.key_id, asked.idempotency_key), with_for_update=True)
    if known is not None and known.created_at > now() - IDEMPOTENCY_KEPT:
        if known.request_hash != asked.request_hash:
            raise IdempotencyClash
        return known.subject
    if known is not None:
        await session.delete(known)
        await session.flush()
    session.add(asked)
    await session.flush()
    return None
