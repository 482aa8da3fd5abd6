"""The vault: what is sealed, and what a wrong key does."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from storage.database import Database
from storage.vault import Vault, VaultKeyWrong, open_vault


def test_what_is_sealed_comes_back_and_cannot_be_read_meanwhile() -> None:
    vault = Vault([Fernet.generate_key().decode()])
    sealed = vault.seal({"password": "пароль"})
    assert "пароль".encode() not in sealed
    assert vault.unseal(sealed) == {"password": "пароль"}


def test_the_key_file_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "vault.key"
    sealed = open_vault([], path).seal({"a": 1})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_vault([], path).unseal(sealed) == {"a": 1}


def test_an_older_key_still_opens_and_a_resealed_text_needs_only_the_new_one() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sealed = Vault([old]).seal({"a": 1})
    both = Vault([new, old])
    assert both.unseal(sealed) == {"a": 1}
    assert Vault([new]).unseal(both.reseal(sealed)) == {"a": 1}
    assert both.derive("links") == Vault([old]).derive("links") != both.derive("other")


def test_a_key_that_is_no_key_is_refused_with_a_reason() -> None:
    with pytest.raises(VaultKeyWrong, match="32 bytes"):
        Vault(["short"])


@pytest.mark.anyio
async def test_a_wrong_key_is_found_at_the_start(database: Database) -> None:
    right, wrong = (Vault([Fernet.generate_key().decode()]) for _ in range(2))
    await right.check(database)
    await right.check(database)
    with pytest.raises(VaultKeyWrong, match="made with"):
        await wrong.check(database)
