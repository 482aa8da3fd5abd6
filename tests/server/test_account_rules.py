"""What one account may do, on both databases: caps per class of actions that outlast restarts, and whose approval it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from server.auth import Caller
from server.tasks import NewTask, TaskLimits, TaskService
from storage.accounts import AccountStore
from storage.artifacts import ArtifactStore
from storage.database import Database
from storage.ids import mint
from storage.runs import RunStore
from storage.tables import Account, Task, now
from storage.tasks import TaskStore
from storage.vault import Vault
from tools.catalog import Catalog, catalog
from tools.errors import Conflict, DuplicateContent, Forbidden, RateLimited
from tools.site import Caps

pytestmark = pytest.mark.anyio

HOUR, DAY = 3600, 86_400
ALICE = Caller("key", "alice", frozenset({"read", "write", "admin"}))
UNCERTAIN = {"code": "OUTCOME_UNCERTAIN", "message": "It may have been done."}


class Silence:
    """An outbox that promises nothing: no worker runs here."""

    async def ready(self, session: AsyncSession, task: Task) -> None: ...

    async def happened(self, session: AsyncSession, task: Task) -> None: ...


def small() -> Catalog:
    """The catalogue, in which X lets an account publish twice an hour and three times a day, and engage once an hour."""
    site = replace(
        catalog().sites["twitter"], publish=Caps(2, 3, spacing=60), engage=Caps(hourly=1, daily=5, spacing=10)
    )
    return replace(catalog(), sites={**catalog().sites, "twitter": site})


@dataclass
class Office:
    """A server's tasks, and a worker's hand on them."""

    database: Database
    tasks: TaskService
    runs: RunStore
    caller: Caller = ALICE

    async def ask(self, tool: str = "createTweet", *, account: str = "main", **more: Any) -> Task:
        """Asks for a task with a text of its own."""
        words = {"text": mint("words")} if tool == "createTweet" else {}
        url = {} if tool == "createTweet" else {"tweetUrl": "https://x.com/jack/status/20"}
        asked = NewTask(
            dialect="browserman",
            platform="twitter",
            tool=tool,
            parameters=more.pop("parameters", words | url),
            account_name=account,
            **more,
        )
        return (await self.tasks.create(self.caller, asked)).task

    async def acted(self, seconds_ago: float, error: dict[str, str] | None = None, **more: Any) -> Task:
        """A task whose act went out so long ago; with an error it failed then."""
        asked = await self.ask(**more)
        run = await self.runs.claim("worker", "lite")
        assert run is not None
        assert run.id == asked.id
        assert await self.runs.arm(run)
        assert await (self.runs.fail(run, error) if error else self.runs.complete(run, {"output": "done"}))
        moment = now() - timedelta(seconds=seconds_ago)
        async with self.database.writing() as session:
            await session.execute(update(Task).where(col(Task.id) == run.id).values(armed_at=moment))
        return run

    async def refused(self, **more: Any) -> RateLimited:
        with pytest.raises(RateLimited) as caught:
            await self.ask(**more)
        return caught.value


@pytest.fixture
def opened(database: Database, tmp_path: Path) -> Callable[..., Office]:
    """Opens the office anew, as a restart does: nothing but the database stays."""

    def office(**limits: Any) -> Office:
        store = TaskStore(database, Silence())
        accounts, artifacts = AccountStore(database), ArtifactStore(database, tmp_path)
        vault = Vault([Fernet.generate_key().decode()])
        service = TaskService(database, store, accounts, artifacts, vault, small(), TaskLimits(**limits))
        return Office(database, service, RunStore(database, Silence()))

    return office


@pytest.fixture
async def office(opened: Callable[..., Office], database: Database) -> Office:
    for name in ("main", "other"):
        row = Account(
            id=f"acc_{name}", owner="alice", platform="twitter", name=name, status="active", auth_method="cookies"
        )
        await AccountStore(database).add(row)
    return opened()


async def test_the_hourly_cap_says_how_long_to_wait_until_the_oldest_act_is_an_hour_old(office: Office) -> None:
    await office.acted(3000)
    await office.acted(60)
    refused = await office.refused()
    assert refused.retry_after == pytest.approx(HOUR - 3000, abs=5)  # pyright: ignore[reportUnknownMemberType]  # pytest's own stub
    assert refused.details == {"limit": 2, "per": "hour"}
    assert f"wait {refused.retry_after} seconds" in refused.message


async def test_the_daily_cap_holds_where_the_hour_would_not(office: Office) -> None:
    for hours in (20, 10, 5):
        await office.acted(hours * HOUR)
    refused = await office.refused()
    assert refused.retry_after == pytest.approx(DAY - 20 * HOUR, abs=5)  # pyright: ignore[reportUnknownMemberType]  # pytest's own stub
    assert refused.details == {"limit": 3, "per": "day"}


async def test_what_is_older_than_the_window_counts_no_more(office: Office) -> None:
    for seconds in (DAY + 5, DAY + 5, HOUR + 5):
        await office.acted(seconds)
    assert (await office.acted(0)).state == "processing"


async def test_uncertain_outcomes_count_and_what_never_acted_does_not(office: Office) -> None:
    await office.acted(30, UNCERTAIN)
    await office.tasks.cancel(ALICE, (await office.ask()).id)
    await office.acted(20, UNCERTAIN)
    assert (await office.refused()).retry_after is not None


async def test_a_task_that_waits_counts_however_long_it_has_waited(office: Office) -> None:
    for _ in range(2):
        waiting = await office.ask(approval=True)
        async with office.database.writing() as session:
            long_ago = now() - timedelta(days=2)
            await session.execute(update(Task).where(col(Task.id) == waiting.id).values(created_at=long_ago))
    assert (await office.refused()).retry_after == pytest.approx(HOUR, abs=5)  # pyright: ignore[reportUnknownMemberType]  # pytest's own stub


async def test_the_caps_hold_across_a_restart_per_account_and_per_class(
    office: Office, opened: Callable[..., Office]
) -> None:
    await office.acted(60)
    await office.acted(60, UNCERTAIN)
    await office.acted(60, tool="likeTweet")
    again = opened()
    assert (await again.refused(tool="likeTweet")).details["limit"] == 1
    assert (await again.refused()).details["limit"] == 2
    assert await again.ask(account="other")
    assert await again.ask("reTweet", account="other")


async def test_a_dry_run_is_free_and_does_not_hide_what_was_published(office: Office) -> None:
    for _ in range(4):
        await office.ask(dry_run=True)
    words = {"text": "The very same"}
    await office.ask(dry_run=True, parameters=words)
    first = await office.ask(parameters=words)
    with pytest.raises(DuplicateContent) as caught:
        await office.ask(parameters=words)
    assert caught.value.details == {"taskId": first.id}


async def test_of_many_that_ask_at_the_same_moment_no_more_than_the_cap_get_in(office: Office) -> None:
    answers = await asyncio.gather(*(office.ask() for _ in range(6)), return_exceptions=True)
    assert len([answer for answer in answers if isinstance(answer, Task)]) == 2
    assert len([answer for answer in answers if isinstance(answer, RateLimited)]) == 4


async def test_of_many_with_the_same_text_at_the_same_moment_one_gets_in(office: Office) -> None:
    words = {"text": "The very same at once"}
    answers = await asyncio.gather(*(office.ask(parameters=words) for _ in range(4)), return_exceptions=True)
    assert len([answer for answer in answers if isinstance(answer, Task)]) == 1
    assert len([answer for answer in answers if isinstance(answer, DuplicateContent)]) == 3


@pytest.mark.parametrize("demanded", ["by the call", "by the key", "by the account", "by the settings"])
async def test_what_is_to_be_published_waits_for_whoever_may_approve_it(
    demanded: str, office: Office, opened: Callable[..., Office], database: Database
) -> None:
    if demanded == "by the account":
        async with database.writing() as session:
            await session.execute(update(Account).values(approval=True))
    if demanded == "by the settings":
        office = opened(approval=True)
    writer = replace(ALICE, scopes=frozenset({"read", "write"}))
    office.caller = replace(writer, settings={"approval": True}) if demanded == "by the key" else writer
    words = {"text": "Words to be approved"}
    waiting = await office.ask(parameters=words, approval=demanded == "by the call")
    assert (waiting.state, waiting.pause_reason) == ("paused", "approval")
    assert "Words to be approved" in (waiting.pause_message or "")
    assert await office.runs.claim("worker", "lite") is None
    for verb in (office.tasks.approve, office.tasks.reject):
        with pytest.raises(Forbidden):
            await verb(office.caller, waiting.id)
    with pytest.raises(Conflict, match="approve or reject"):
        await office.tasks.resume(office.caller, waiting.id)
    assert (await office.tasks.approve(ALICE, waiting.id)).state == "pending"
    assert await office.runs.claim("worker", "lite") is not None


@pytest.mark.usefixtures("office")
async def test_only_what_is_published_waits_and_what_is_rejected_never_runs(opened: Callable[..., Office]) -> None:
    strict = opened(approval=True)
    assert (await strict.ask(dry_run=True)).state == "pending"
    assert (await strict.ask("likeTweet")).state == "pending"
    waiting = await strict.ask(account="other")
    assert (await strict.tasks.reject(ALICE, waiting.id)).state == "cancelled"
    with pytest.raises(Conflict):
        await strict.tasks.approve(ALICE, waiting.id)
