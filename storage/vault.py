"""Encrypts what must not be read from the database file: credentials, cookies, webhook secrets.

Fernet (AES-128-CBC with HMAC-SHA256) with several keys: the first seals, every one opens, so a key can be changed without downtime.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from storage.database import Database
from storage.tables import Fact

_CHECK = "vault_check"


class VaultKeyWrong(Exception):
    """The vault's key does not open what is stored: give the key that this database was made with."""


class Vault:
    """Seals and opens small JSON documents."""

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            message = "The vault's key is not valid: it must be 32 bytes in URL-safe base64, as 'webhand key vault' prints one."
            raise VaultKeyWrong(message) from error
        self._seed = keys[-1].encode()

    def seal(self, document: Mapping[str, Any]) -> bytes:
        """Encrypts a JSON object."""
        return self._fernet.encrypt(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())

    def unseal(self, sealed: bytes) -> dict[str, Any]:
        """Decrypts what `seal` made. Raises VaultKeyWrong."""
        try:
            return json.loads(self._fernet.decrypt(sealed))
        except InvalidToken as error:
            raise VaultKeyWrong((VaultKeyWrong.__doc__ or "").strip()) from error

    def reseal(self, sealed: bytes) -> bytes:
        """The same under the newest key."""
        return self._fernet.rotate(sealed)

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key of its own for another purpose, for example signing URLs. From the oldest key, so that rotation keeps it."""
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"webhand {purpose}".encode()).derive(self._seed)

    async def check(self, database: Database) -> None:
        """Makes sure that this key opens this database. Raises VaultKeyWrong."""
        async with database.writing() as session:
            known = await session.get(Fact, _CHECK)
            if known is None:
                session.add(Fact(name=_CHECK, value=self.seal({"vault": "webhand"}).decode()))
            else:
                self.unseal(known.value.encode())


def open_vault(keys: Sequence[str], path: Path) -> Vault:
    """The vault with the given keys, else with those in the file (one a line, newest first), which is made when it is missing."""
    if keys:
        return Vault(keys)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            pass  # another process that starts at the same moment made it
        else:
            with os.fdopen(handle, "w") as file:
                file.write(Fernet.generate_key().decode() + "\n")
    return Vault(path.read_text().split())
