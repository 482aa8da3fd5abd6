"""Stored files: the rows in the database, the bytes in a folder (0700) under names that we choose, never a caller or a page."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from storage.database import Database
from storage.idempotency import answered
from storage.ids import mint
from storage.tables import Artifact, Idempotency

_ENDINGS = {"image/jpeg": ".jpg", "image/png": ".png", "video/mp4": ".mp4", "video/webm": ".webm", "image/gif": ".gif"}


class ArtifactStore:
    """The artifacts of one installation."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self.folder = folder

    def path(self, artifact: Artifact) -> Path:
        """Where the bytes lie. Built from ids that we minted, so no name that somebody gave can lead elsewhere."""
        ending = _ENDINGS.get(artifact.media_type, ".bin")
        return self.folder / (artifact.task_id or artifact.owner) / f"{artifact.id}{ending}"

    async def keep(self, artifact: Artifact, content: bytes) -> Artifact:
        """Writes the bytes. The row is stored with `add`, or in the transaction of a step."""
        artifact.size = len(content)
        await asyncio.to_thread(self._write, self.path(artifact), content)
        return artifact

    async def adopt(self, artifact: Artifact, source: Path) -> Artifact:
        """Moves a file in, and stores the row."""
        artifact.size = await asyncio.to_thread(self._move, source, self.path(artifact))
        await self.add(artifact)
        return artifact

    async def add(self, artifact: Artifact, idempotency: Idempotency | None = None) -> Artifact:
        """Stores the row, or gives back the one that answers the request already. Raises IdempotencyClash."""
        try:
            return await self._add(artifact, idempotency)
        except IntegrityError:
            if idempotency is None:
                raise
            return await self._add(artifact, idempotency)  # the same request at the same moment was first

    async def _add(self, artifact: Artifact, idempotency: Idempotency | None) -> Artifact:
        async with self._database.writing() as session:
            earlier = await answered(session, idempotency) if idempotency is not None else None
            known = await session.get(Artifact, earlier) if earlier is not None else None
            if known is None:
                session.add(artifact)
            return known or artifact

    async def get(self, artifact_id: str, owner: str | None = None) -> Artifact | None:
        """The artifact, if the owner has it."""
        async with self._database.reading() as session:
            artifact = await session.get(Artifact, artifact_id)
        return artifact if artifact is not None and owner in (None, artifact.owner) else None

    async def of(self, task_id: str, *kinds: str) -> Sequence[Artifact]:
        """The task's artifacts of these kinds, oldest first."""
        wanted = select(Artifact).where(col(Artifact.task_id) == task_id, col(Artifact.kind).in_(kinds))
        async with self._database.reading() as session:
            rows = await session.execute(
                wanted.order_by(col(Artifact.step), col(Artifact.created_at), col(Artifact.id))
            )
            return rows.scalars().all()

    async def uploaded(self, owner: str, name: str) -> Artifact | None:
        """The owner's newest upload of that name that has come."""
        wanted = select(Artifact).where(
            col(Artifact.owner) == owner,
            col(Artifact.kind) == "upload",
            col(Artifact.name) == name,
            col(Artifact.stored),
        )
        async with self._database.reading() as session:
            rows = await session.execute(wanted.order_by(col(Artifact.created_at).desc()).limit(1))
            return rows.scalars().first()

    async def arrive(self, artifact: Artifact, content: bytes) -> None:
        """The bytes of an announced upload came."""
        await self.keep(artifact, content)
        async with self._database.writing() as session:
            arrived = update(Artifact).where(col(Artifact.id) == artifact.id).values(stored=True, size=artifact.size)
            await session.execute(arrived)

    async def remove(self, artifacts: Sequence[Artifact]) -> None:
        """Removes rows and bytes."""
        async with self._database.writing() as session:
            ids = [artifact.id for artifact in artifacts]
            await session.execute(delete(Artifact).where(col(Artifact.id).in_(ids)))
        for artifact in artifacts:
            await asyncio.to_thread(self.path(artifact).unlink, missing_ok=True)

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)

    @staticmethod
    def _move(source: Path, path: Path) -> int:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.move(source, path)
        path.chmod(0o600)
        return path.stat().st_size


def new_artifact(owner: str, task_id: str | None, kind: str, name: str, media_type: str) -> Artifact:
    """A row for a file to come. Its name may be anybody's: it is made one that fits into a header and into one part of a URL."""
    shown = "".join(letter if letter.isprintable() and letter not in "/\\" else "_" for letter in name)
    return Artifact(id=mint("file"), owner=owner, task_id=task_id, kind=kind, name=shown[-255:], media_type=media_type)
