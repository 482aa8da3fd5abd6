"""How Alembic reaches our tables. Only ever run with an open connection, by storage.database."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlmodel.sql.sqltypes import AutoString

from storage import tables

_OURS = frozenset(tables.SQLModel.metadata.tables)


def only_ours(_object: Any, name: str | None, kind: str, _reflected: bool, _compare: Any) -> bool:
    """The durable queue keeps tables of its own beside ours: they are not Alembic's business."""
    return kind != "table" or name in _OURS


def plain(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Writes a new revision in SQLAlchemy's own types: a revision must not change its meaning when our code does."""
    if kind == "type" and isinstance(item, tables.Utc):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String({item.length or ''})"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.SQLModel.metadata,
    include_object=only_ours,
    render_item=plain,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
