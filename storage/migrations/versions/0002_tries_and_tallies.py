"""Each delivery's attempts; and how many tasks there are of a kind, kept by triggers.

A later revision that makes the table `task` anew on SQLite (batch_alter_table does, for most changes) must make its triggers anew too:
a table takes them with it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COUNT = """
    INSERT INTO tally (owner, platform, tool, account_id, account_name, tasks)
    SELECT owner, platform, tool, coalesce(account_id, ''), coalesce(account_name, ''), count(*)
    FROM task GROUP BY 1, 2, 3, 4, 5
"""
_ON_SQLITE = """
    CREATE TRIGGER {name} AFTER {event} ON task BEGIN
        INSERT INTO tally (owner, platform, tool, account_id, account_name, tasks)
        VALUES ({row}.owner, {row}.platform, {row}.tool, coalesce({row}.account_id, ''), coalesce({row}.account_name, ''), {step})
        ON CONFLICT (owner, platform, tool, account_id, account_name) DO UPDATE SET tasks = tasks + excluded.tasks;
    END
"""
# Rows are changed in one order, so that two transactions wait for each other in one direction only.
_ON_POSTGRESQL = """
    CREATE FUNCTION tally_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE sign integer := CASE TG_OP WHEN 'DELETE' THEN -1 ELSE 1 END;
    BEGIN
        INSERT INTO tally (owner, platform, tool, account_id, account_name, tasks)
        SELECT owner, platform, tool, coalesce(account_id, ''), coalesce(account_name, ''), sign * count(*)
        FROM changed GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (owner, platform, tool, account_id, account_name) DO UPDATE SET tasks = tally.tasks + excluded.tasks;
        RETURN NULL;
    END $$
"""
_TRIGGER = """
    CREATE TRIGGER {name} AFTER {event} ON task REFERENCING {rows} TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tally_tasks()
"""


def upgrade() -> None:
    op.create_table(
        "tally",
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("platform", sa.String(64), nullable=False),
        sa.Column("tool", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("account_name", sa.String(200), nullable=False),
        sa.Column("tasks", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "platform", "tool", "account_id", "account_name"),
    )
    op.execute(_COUNT)
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_ON_SQLITE.format(name="task_counted", event="INSERT", row="NEW", step="1"))
        op.execute(_ON_SQLITE.format(name="task_uncounted", event="DELETE", row="OLD", step="-1"))
    else:
        op.execute(_ON_POSTGRESQL)
        op.execute(_TRIGGER.format(name="task_counted", event="INSERT", rows="NEW"))
        op.execute(_TRIGGER.format(name="task_uncounted", event="DELETE", rows="OLD"))
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tries", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_column("tries")
    on = "" if op.get_bind().dialect.name == "sqlite" else " ON task"
    op.execute(f"DROP TRIGGER task_counted{on}")
    op.execute(f"DROP TRIGGER task_uncounted{on}")
    if on:
        op.execute("DROP FUNCTION tally_tasks()")
    op.drop_table("tally")
