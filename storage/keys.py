"""API keys. A key is shown once; afterwards only its hash and a masked form are known (contract 1.1)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from storage.database import Database
from storage.ids import mint
from storage.tables import ApiKey, Usage, now

SCOPES = ("read", "write", "admin")
_PREFIX = "sk_live_"
_USED_EVERY = timedelta(minutes=1)


def digest(key: str) -> str:
    """The hash under which a key is known."""
    return hashlib.sha256(key.encode()).hexdigest()


class KeyStore:
    """What may be asked of the key rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, name: str, *, owner: str, scopes: Sequence[str] = SCOPES, settings: Mapping[str, Any] | None = None
    ) -> tuple[ApiKey, str]:
        """A new key, and the secret itself, which is never seen again."""
        secret = _PREFIX + secrets.token_hex(24)
        row = ApiKey(
            id=mint("key"),
            owner=owner,
            name=name,
            digest=digest(secret),
            masked=f"{secret[:12]}...{secret[-4:]}",
            scopes=list(scopes),
            settings=dict(settings or {}),
        )
        async with self._database.writing() as session:
            session.add(row)
        return row, secret

    async def find(self, secret: str) -> ApiKey | None:
        """The key that is not revoked, and notes that it was used (at most once a minute, to spare writes)."""
        async with self._database.reading() as session:
            row = (
                await session.execute(select(ApiKey).where(col(ApiKey.digest) == digest(secret)))
            ).scalar_one_or_none()
        if row is None or row.revoked_at is not None:
            return None
        if row.last_used_at is None or row.last_used_at < now() - _USED_EVERY:
            async with self._database.writing() as session:
                await session.execute(update(ApiKey).where(col(ApiKey.id) == row.id).values(last_used_at=now()))
        return row

    async def get(self, key_id: str) -> ApiKey | None:
        """The key of that id."""
        async with self._database.reading() as session:
            return await session.get(ApiKey, key_id)

    async def list(self) -> Sequence[ApiKey]:
        """Every key, oldest first."""
        async with self._database.reading() as session:
            return (await session.execute(select(ApiKey).order_by(col(ApiKey.created_at)))).scalars().all()

    async def revoke(self, key: str) -> ApiKey | None:
        """Revokes a key by its id, name or masked form. None: there is no such active key."""
        async with self._database.writing() as session:
            rows = (await session.execute(select(ApiKey).where(col(ApiKey.revoked_at).is_(None)))).scalars().all()
            row = next((row for row in rows if key in (row.id, row.name, row.masked)), None)
            if row is not None:
                row.revoked_at = now()
        return row

    async def used(self, key_id: str, window: str, length: float) -> tuple[int, float]:
        """(uses so far, Unix time of its end) of the key's present window of `length` seconds, begun now where the last is over."""
        try:
            return await self._used(key_id, window, length)
        except IntegrityError:  # somebody else began the key's first window at the same moment
            return await self._used(key_id, window, length)

    async def _used(self, key_id: str, window: str, length: float) -> tuple[int, float]:
        moment = now()
        async with self._database.writing() as session:
            usage = await session.get(Usage, (key_id, window), with_for_update=True)
            if usage is None:
                usage = Usage(key_id=key_id, window=window, began_at=moment)
                session.add(usage)
            elif usage.began_at + timedelta(seconds=length) <= moment:
                usage.began_at, usage.count = moment, 0
        return usage.count, usage.began_at.timestamp() + length

    async def use(self, key_id: str, window: str, uses: int) -> int:
        """Adds uses to the key's present window, and returns how many there are now, those of other processes included."""
        mine = (col(Usage.key_id) == key_id, col(Usage.window) == window)
        added = update(Usage).where(*mine).values(count=col(Usage.count) + uses).returning(col(Usage.count))
        async with self._database.writing() as session:
            return (await session.execute(added)).scalar_one_or_none() or uses
