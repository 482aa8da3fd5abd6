"""Everything that any facade may ask of browser profiles: a kept login with settings, for tasks that name no account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from server.auth import Caller
from server.idempotency import Fingerprints, once
from storage.idempotency import IdempotencyClash
from storage.ids import mint_uuid
from storage.profiles import ProfileStore
from storage.tables import Profile
from storage.vault import Vault
from tools.errors import IdempotencyReused, NotFound

_DEFAULT_NAME = "Default"


class ProfileNotFound(NotFound):
    """Browser profile not found"""


class ProfileService:
    """Profiles, as every facade sees them. The login in one never comes out."""

    def __init__(self, profiles: ProfileStore, vault: Vault) -> None:
        self._profiles = profiles
        self._fingerprints = Fingerprints(vault)

    async def create(
        self,
        caller: Caller,
        name: str,
        values: Mapping[str, Any],
        idempotency_key: str | None = None,
        request: Any = None,
    ) -> Profile:
        """A new profile; `values` are columns, `request` the body as it was sent. Raises InvalidParameters or IdempotencyReused."""
        caller.need("write")
        profile = Profile(id=mint_uuid(), owner=caller.owner, name=name, **values)
        fingerprint = self._fingerprints.of(["profile", name, values, request])
        asked = once(caller, idempotency_key, profile.id, fingerprint)
        try:
            return await self._profiles.add(profile, asked)
        except IdempotencyClash:
            raise IdempotencyReused from None

    async def get(self, caller: Caller, profile_id: str) -> Profile:
        """The caller's profile. Raises ProfileNotFound."""
        caller.need("read")
        return await self._mine(caller, profile_id)

    async def _mine(self, caller: Caller, profile_id: str) -> Profile:
        profile = await self._profiles.get(profile_id, caller.owner)
        if profile is None:
            raise ProfileNotFound
        return profile

    async def list(self, caller: Caller, *, limit: int, offset: int) -> tuple[Sequence[Profile], int]:
        """One page, newest first, and how many there are."""
        caller.need("read")
        return await self._profiles.list(caller.owner, limit=limit, offset=offset)

    async def change(self, caller: Caller, profile_id: str, values: Mapping[str, Any]) -> Profile:
        """Changes columns. Raises ProfileNotFound."""
        caller.need("write")
        await self._mine(caller, profile_id)
        await self._profiles.change(profile_id, values)
        return await self._mine(caller, profile_id)

    async def delete(self, caller: Caller, profile_id: str) -> None:
        """Removes it with its login, for good. Raises ProfileNotFound."""
        caller.need("write")
        await self._profiles.delete((await self._mine(caller, profile_id)).id)

    async def chosen(self, caller: Caller, profile_id: str | None, *, keeps: bool) -> Profile | None:
        """The profile that a task runs with: the named one, else the default one, which is made when the task `keeps` its login.

        Raises ProfileNotFound.
        """
        if profile_id is not None:
            return await self._mine(caller, profile_id)
        default = await self._profiles.default(caller.owner)
        if default is None and keeps:
            default = await self._profiles.add(
                Profile(id=mint_uuid(), owner=caller.owner, name=_DEFAULT_NAME, default=True)
            )
        return default

    async def forget(self, caller: Caller) -> None:
        """Removes the caller's default profile with its login, if there is one."""
        caller.need("write")
        while (default := await self._profiles.default(caller.owner)) is not None:
            await self._profiles.delete(default.id)
