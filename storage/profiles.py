"""Browser profiles: a kept login with settings, for tasks that name no account (contract 3.10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from storage.database import Database
from storage.idempotency import answered
from storage.tables import Idempotency, Profile


class ProfileStore:
    """What may be asked of the profile rows. `owner` None means anybody's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, profile: Profile, idempotency: Idempotency | None = None) -> Profile:
        """Stores a new profile, or gives back the one that answers the request already. Raises IdempotencyClash."""
        try:
            return await self._add(profile, idempotency)
        except IntegrityError:
            if idempotency is None:
                raise
            return await self._add(profile, idempotency)  # the same request at the same moment was first

    async def _add(self, profile: Profile, idempotency: Idempotency | None) -> Profile:
        async with self._database.writing() as session:
            known = await answered(session, idempotency, Profile) if idempotency is not None else None
            if known is None:
                session.add(profile)
            return known or profile

    async def get(self, profile_id: str, owner: str | None = None) -> Profile | None:
        """The profile, if the owner has it."""
        async with self._database.reading() as session:
            profile = await session.get(Profile, profile_id)
        return profile if profile is not None and owner in (None, profile.owner) else None

    async def default(self, owner: str) -> Profile | None:
        """The owner's default profile."""
        wanted = select(Profile).where(col(Profile.owner) == owner, col(Profile.default))
        async with self._database.reading() as session:
            return (await session.execute(wanted.limit(1))).scalars().first()

    async def list(self, owner: str, *, limit: int, offset: int) -> tuple[Sequence[Profile], int]:
        """One page, newest first, and how many there are."""
        mine = col(Profile.owner) == owner
        page = select(Profile).where(mine).order_by(col(Profile.created_at).desc(), col(Profile.id).desc())
        async with self._database.reading() as session:
            total = (await session.execute(select(func.count()).select_from(Profile).where(mine))).scalar_one()
            return (await session.execute(page.limit(limit).offset(offset))).scalars().all(), total

    async def change(self, profile_id: str, values: Mapping[str, Any]) -> None:
        """Changes the named columns."""
        if values:
            async with self._database.writing() as session:
                await session.execute(update(Profile).where(col(Profile.id) == profile_id).values(**values))

    async def keep(self, profile_id: str, login_state: bytes) -> None:
        """Keeps a newer login state, if the profile persists."""
        mine = (col(Profile.id) == profile_id, col(Profile.persist))
        async with self._database.writing() as session:
            await session.execute(update(Profile).where(*mine).values(login_state=login_state))

    async def delete(self, profile_id: str) -> None:
        """Removes it with its login, for good."""
        async with self._database.writing() as session:
            await session.execute(delete(Profile).where(col(Profile.id) == profile_id))
