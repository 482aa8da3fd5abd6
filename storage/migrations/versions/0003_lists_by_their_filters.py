"""Indexes that answer a list's page by one of its filters in the list's own order, however many tasks there are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COUNTED = sa.text("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'")
_NAMED = sa.text("account_name IS NOT NULL")


def upgrade() -> None:
    op.drop_index("task_by_state", "task")
    op.drop_index("task_by_account", "task")
    op.create_index("task_by_state", "task", ["owner", "state", "created_at", "id"])
    op.create_index("task_by_account", "task", ["owner", "account_id", "created_at", "id"])
    op.create_index(
        "task_by_account_name",
        "task",
        ["owner", "account_name", "created_at", "id"],
        sqlite_where=_NAMED,
        postgresql_where=_NAMED,
    )
    op.create_index("task_by_platform", "task", ["owner", "platform", "created_at", "id"])
    bind = op.get_bind()
    if bind.dialect.name == "sqlite" and bind.execute(_COUNTED).first() is not None:
        # Beside indexes that it has figures of, SQLite takes one without for the best of all.
        op.execute("ANALYZE task")


def downgrade() -> None:
    op.drop_index("task_by_platform", "task")
    op.drop_index("task_by_account_name", "task")
    op.drop_index("task_by_account", "task")
    op.drop_index("task_by_state", "task")
    op.create_index("task_by_account", "task", ["owner", "account_id", "created_at"])
    op.create_index("task_by_state", "task", ["owner", "state", "created_at"])
