"""Who is calling. One verifier for both REST dialects, MCP, the live view and the pages."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from storage.keys import KeyStore
from tools.errors import Forbidden, Unauthorized

_REMEMBERED_S = 2.0
"""For so long a key is believed without another look at the database: a revoked key works for at most that long."""
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified key."""

    key_id: str
    owner: str
    scopes: frozenset[str]
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def need(self, scope: str) -> None:
        """Raises Forbidden when the key's scopes do not hold `scope`; admin holds every one."""
        if not {scope, "admin"} & self.scopes:
            held = ", ".join(sorted(self.scopes)) or "none"
            message = f"This needs an API key with the scope '{scope}'; this one has: {held}."
            raise Forbidden(message)


@dataclass
class Verifier:
    """Looks keys up."""

    keys: KeyStore
    _known: dict[str, tuple[float, Caller]] = field(default_factory=dict[str, tuple[float, Caller]])

    async def verify(self, secret: str | None) -> Caller:
        """The key's caller. Raises Unauthorized."""
        if not secret:
            raise Unauthorized
        remembered = self._known.get(secret)
        if remembered is not None and remembered[0] > time.monotonic():
            return remembered[1]
        row = await self.keys.find(secret)
        if row is None:
            self._known.pop(secret, None)
            message = "This API key is not known or was revoked: 'webhand key create NAME' makes a new one."
            raise Unauthorized(message)
        caller = Caller(row.id, row.owner, frozenset(row.scopes), row.settings)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[secret] = time.monotonic() + _REMEMBERED_S, caller
        return caller

    async def of_key(self, key_id: str) -> Caller | None:
        """The caller of a key that was verified earlier, as a page's session remembers it; None: it was revoked."""
        row = await self.keys.get(key_id)
        if row is None or row.revoked_at is not None:
            return None
        return Caller(row.id, row.owner, frozenset(row.scopes), row.settings)


def bearer(headers: Mapping[str, str]) -> str | None:
    """The key in `Authorization: Bearer <key>` (RFC 6750), or nothing."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None
