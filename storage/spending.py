"""What an owner's tasks took, for the emulated balance (contract 3.15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlmodel import SQLModel, col

from storage.database import Database
from storage.tables import Task


@dataclass(frozen=True, slots=True)
class Spending:
    """The tasks that were started with one model (None: the configured one), and their steps."""

    model: str | None
    tasks: int
    steps: int


async def spending(database: Database, owner: str, dialects: Sequence[str]) -> Sequence[Spending]:
    """What the owner's tasks of these dialects took, by model."""
    model = SQLModel.metadata.tables["task"].c.options["model"].as_string().label("model")
    taken = (
        select(model, func.count(), func.sum(col(Task.step_count)))
        .where(col(Task.owner) == owner, col(Task.dialect).in_(dialects), col(Task.started_at).is_not(None))
        .group_by(model)
    )
    async with database.reading() as session:
        return [Spending(row[0], row[1], int(row[2])) for row in (await session.execute(taken)).all()]
