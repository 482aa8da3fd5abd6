"""`webhand prune`: the upkeep's removal, at once. Works on the database itself, whether the server runs or not."""

from __future__ import annotations

from datetime import timedelta

from server.settings import Settings
from storage.artifacts import ArtifactStore
from storage.database import Database
from storage.objects import opened
from storage.retention import Retention
from storage.tables import now


async def prune_now(settings: Settings) -> int:
    """Removes what the settings do not keep. Returns how many tasks went."""
    database = Database(settings.database)
    await database.open()
    try:
        files = ArtifactStore(database, settings.data / "artifacts", opened(settings.artifacts_url))
        retention = Retention(database, files)
        return await retention.prune(
            older_than=now() - timedelta(days=settings.keep_days), most_bytes=round(settings.keep_gigabytes * 2**30)
        )
    finally:
        await database.close()
