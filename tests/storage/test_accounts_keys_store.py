"""Accounts and keys, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from storage.accounts import AccountBusy, AccountStore, AccountTaken
from storage.database import Database
from storage.ids import mint
from storage.keys import KeyStore, digest
from storage.tables import Account, Task
from storage.tasks import TaskStore

pytestmark = pytest.mark.anyio


def an_account(name: str = "my-demo", owner: str = "alice") -> Account:
    return Account(id=mint("acc"), owner=owner, platform="demo", name=name, auth_method="cookies")


async def test_a_name_is_taken_once_per_owner_and_platform(database: Database) -> None:
    accounts = AccountStore(database)
    await accounts.add(an_account())
    await accounts.add(an_account(owner="bob"))
    with pytest.raises(AccountTaken):
        await accounts.add(an_account())


async def test_a_broken_account_says_why_until_it_is_connected_again(database: Database) -> None:
    accounts = AccountStore(database)
    account = await accounts.add(an_account())
    await accounts.break_(account.id, "AUTHENTICATION_FAILED", "Reconnect it.")
    broken = await accounts.named("alice", "demo", "my-demo")
    assert broken is not None
    assert (broken.status, broken.error_code) == ("error", "AUTHENTICATION_FAILED")
    await accounts.connect(account.id, b"sealed", "@alice")
    active = await accounts.get(account.id, "alice")
    assert active is not None
    assert (active.status, active.error_code, active.identity, active.login_state) == (
        "active",
        None,
        "@alice",
        b"sealed",
    )


async def test_an_account_with_open_tasks_is_not_deleted(
    database: Database, tasks: TaskStore, task: Callable[..., Task]
) -> None:
    accounts = AccountStore(database)
    account = await accounts.add(an_account())
    added = await tasks.add(task(account_id=account.id))
    with pytest.raises(AccountBusy):
        await accounts.delete(account.id)
    await tasks.cancel(added.id)
    await accounts.delete(account.id)
    assert await accounts.get(account.id) is None


async def test_a_key_is_stored_only_as_a_hash_and_a_mask(database: Database) -> None:
    keys = KeyStore(database)
    row, secret = await keys.create("ci", owner="alice", scopes=["read"])
    assert secret.startswith("sk_live_")
    assert secret not in repr(row)
    assert row.digest == digest(secret)
    assert row.masked == f"{secret[:12]}...{secret[-4:]}"
    found = await keys.find(secret)
    assert found is not None
    assert (found.owner, found.scopes) == ("alice", ["read"])
    assert await keys.find(secret + "x") is None


async def test_a_revoked_key_is_found_no_more(database: Database) -> None:
    keys = KeyStore(database)
    row, secret = await keys.create("ci", owner="alice")
    assert await keys.revoke("ci") is not None
    assert await keys.find(secret) is None
    assert await keys.revoke(row.id) is None


async def test_uses_are_kept_and_begin_anew_with_the_window(database: Database) -> None:
    keys = KeyStore(database)
    count, ends = await keys.used("key", "hour", 3600)
    assert count == 0
    assert await keys.use("key", "hour", 3) == 3
    assert await keys.used("key", "hour", 3600) == (3, ends)
    assert (await keys.used("key", "hour", 0))[0] == 0


async def test_the_first_uses_of_a_key_may_come_all_at_once(database: Database) -> None:
    keys = KeyStore(database)
    found = await asyncio.gather(*(keys.used("key", "hour", 3600) for _ in range(20)))
    assert {count for count, _ in found} == {0}
