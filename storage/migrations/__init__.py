"""Alembic's scripts. They run at every start, on SQLite and PostgreSQL alike."""
