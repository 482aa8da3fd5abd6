"""Which tasks are meant, as conditions on rows and on tallies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Select, select, union_all
from sqlmodel import SQLModel, col

from storage.states import TaskState
from storage.tables import Tally, Task

NEWEST = (col(Task.created_at).desc(), col(Task.id).desc())
"""The order of every list."""


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks are meant; what is None does not matter. All of them must hold."""

    platform: str | None = None
    tool: str | None = None
    states: frozenset[TaskState] | None = None
    account_name: str | None = None
    account_id: str | None = None
    engine: str | None = None
    since: datetime | None = None
    """Created at or after."""
    until: datetime | None = None
    """Created before."""
    schedule_id: str | None = None
    platforms: frozenset[str] | None = None
    """One of these."""

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as SQL conditions."""
        equal = {
            "platform": self.platform,
            "tool": self.tool,
            "account_name": self.account_name,
            "account_id": self.account_id,
            "engine": self.engine,
            "schedule_id": self.schedule_id,
        }
        table = SQLModel.metadata.tables["task"]
        found: list[ColumnElement[bool]] = [
            table.c[name] == value for name, value in equal.items() if value is not None
        ]
        if self.states is not None:
            found.append(col(Task.state).in_(self.states))
        if self.platforms is not None:
            found.append(col(Task.platform).in_(self.platforms))
        if self.since is not None:
            found.append(col(Task.created_at) >= self.since)
        if self.until is not None:
            found.append(col(Task.created_at) < self.until)
        return found

    def tallied(self) -> list[ColumnElement[bool]] | None:
        """The filter as conditions on the tallies; None: it asks for what they do not tell apart, because it changes."""
        others = (self.states, self.engine, self.since, self.until, self.schedule_id)
        if any(one is not None for one in others):
            return None
        equal = {
            "platform": self.platform,
            "tool": self.tool,
            "account_name": self.account_name,
            "account_id": self.account_id,
        }
        table = SQLModel.metadata.tables["tally"]
        found: list[ColumnElement[bool]] = [
            table.c[name] == value for name, value in equal.items() if value is not None
        ]
        if self.platforms is not None:
            found.append(col(Tally.platform).in_(self.platforms))
        return found


def matching(owner: str | None, filters: TaskFilter) -> list[ColumnElement[bool]]:
    """Whose tasks, and which of them, as SQL conditions."""
    mine = [col(Task.owner) == owner] if owner is not None else []
    return [*mine, *filters.conditions()]


def page_of(owner: str | None, filters: TaskFilter, limit: int, offset: int) -> Select[str]:
    """The ids of one page, newest first."""
    states = filters.states or frozenset[TaskState]()
    if len(states) < 2:
        return select(col(Task.id)).where(*matching(owner, filters)).order_by(*NEWEST).limit(limit).offset(offset)
    # Each state's newest come from its own stretch of the index; as one condition all of them would be sorted.
    apart = [replace(filters, states=frozenset({state})) for state in sorted(states)]
    newest = select(col(Task.id), col(Task.created_at)).order_by(*NEWEST).limit(limit + offset)
    parts = [newest.where(*matching(owner, one)).subquery() for one in apart]
    together = union_all(*(select(part) for part in parts)).subquery()
    ordered = select(together.c.id).order_by(together.c.created_at.desc(), together.c.id.desc())
    return ordered.limit(limit).offset(offset)
