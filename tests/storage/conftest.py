"""Stores over both databases, and an outbox that notes what it was promised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from storage.database import Database
from storage.ids import mint
from storage.runs import RunStore
from storage.tables import Task
from storage.tasks import TaskStore


@dataclass
class NotingOutbox:
    """What was promised, in order."""

    readied: list[str] = field(default_factory=list[str])
    events: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    async def ready(self, session: AsyncSession, task: Task) -> None:
        del session
        self.readied.append(task.id)

    async def happened(self, session: AsyncSession, task: Task) -> None:
        del session
        self.events.append((task.id, task.state.value))


@pytest.fixture
def outbox() -> NotingOutbox:
    return NotingOutbox()


@pytest.fixture
def tasks(database: Database, outbox: NotingOutbox) -> TaskStore:
    return TaskStore(database, outbox)


@pytest.fixture
def runs(database: Database, outbox: NotingOutbox) -> RunStore:
    return RunStore(database, outbox)


def a_task(**given: Any) -> Task:
    """A pending write of the account "acc"."""
    fields: dict[str, Any] = {
        "id": mint("task"),
        "owner": "alice",
        "key_id": "key",
        "dialect": "browserman",
        "platform": "demo",
        "tool": "createPost",
        "effect": "publish",
        "writes": True,
        "account_id": "acc",
        "account_name": "my-demo",
        "engine": "lite",
        "timeout_ms": 120_000,
    }
    return Task(**(fields | given))


@pytest.fixture
def task() -> Callable[..., Task]:
    return a_task
