"""Stored files: the rows in the database, the bytes in a folder (0700) under names that we choose, never a caller or a page.

With an object store the bytes lie there, and the folder holds copies of what was lately asked for.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from storage.database import Database
from storage.idempotency import answered
from storage.ids import mint
from storage.objects import Objects
from storage.tables import Artifact, Idempotency

_ENDINGS = {"image/jpeg": ".jpg", "image/png": ".png", "video/mp4": ".mp4", "video/webm": ".webm", "image/gif": ".gif"}
_COPIES_KEPT_S = 3600.0


class ArtifactStore:
    """The artifacts of one installation."""

    def __init__(self, database: Database, folder: Path, objects: Objects | None = None) -> None:
        """`objects`: where the bytes are to lie instead of in the folder."""
        self._database = database
        self.folder = folder
        self.objects = objects
        self._swept = time.monotonic()

    async def local(self, artifact: Artifact) -> Path | None:
        """A file on this machine with the bytes; None: they are gone. Raises OSError when the object store does not answer."""
        place = self._place(artifact)
        if self.objects is not None:
            if time.monotonic() - self._swept > _COPIES_KEPT_S:
                await self.sweep()
            if not await asyncio.to_thread(_touched, place):
                return place if await self.objects.fetch(self._name(artifact), place) else None
        return place if await asyncio.to_thread(place.is_file) else None

    def path(self, artifact: Artifact) -> Path:
        """Where the bytes lie on this machine, for whoever cannot wait for `local`: it blocks where they must be fetched."""
        place = self._place(artifact)
        if self.objects is not None and not place.exists():
            self.objects.fetch_now(self._name(artifact), place)
        return place

    async def keep(self, artifact: Artifact, content: bytes) -> Artifact:
        """Writes the bytes. The row is stored with `add`, or in the transaction of a step. Raises OSError."""
        artifact.size = len(content)
        if self.objects is not None:
            await self.objects.put(self._name(artifact), content)
        else:
            await asyncio.to_thread(self._write, self._place(artifact), content)
        return artifact

    async def adopt(self, artifact: Artifact, source: Path) -> Artifact:
        """Moves a file in, and stores the row. Raises OSError."""
        if self.objects is not None:
            artifact.size = (await asyncio.to_thread(source.stat)).st_size
            await self.objects.put(self._name(artifact), source)
            await asyncio.to_thread(source.unlink)
        else:
            artifact.size = await asyncio.to_thread(self._move, source, self._place(artifact))
        await self.add(artifact)
        return artifact

    async def forget(self, task_id: str) -> None:
        """Removes all bytes of a task whose rows are gone."""
        if self.objects is not None:
            await self.objects.delete_below(task_id)
        await asyncio.to_thread(shutil.rmtree, self.folder / task_id, ignore_errors=True)

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
            known = await answered(session, idempotency, Artifact) if idempotency is not None else None
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
        if self.objects is not None:
            await self.objects.delete(*(self._name(artifact) for artifact in artifacts))
        for artifact in artifacts:
            await asyncio.to_thread(self._place(artifact).unlink, missing_ok=True)

    def _place(self, artifact: Artifact) -> Path:
        return self.folder / self._name(artifact)

    @staticmethod
    def _name(artifact: Artifact) -> str:
        """Built from ids that we minted, so no name that somebody gave can lead elsewhere."""
        ending = _ENDINGS.get(artifact.media_type, ".bin")
        return f"{artifact.task_id or artifact.owner}/{artifact.id}{ending}"

    async def sweep(self) -> None:
        """Removes the copies that nobody has asked for lately."""
        self._swept = time.monotonic()
        await asyncio.to_thread(_remove_old, self.folder)

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


def _touched(copy: Path) -> bool:
    """Whether there is a copy; it is wanted again, so it stays."""
    try:
        os.utime(copy)
    except FileNotFoundError:
        return False
    return True


def _remove_old(folder: Path) -> None:
    before = time.time() - _COPIES_KEPT_S
    for path in folder.glob("*/*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()
    for path in folder.glob("*"):
        with suppress(OSError):
            path.rmdir()  # those that are empty


def new_artifact(owner: str, task_id: str | None, kind: str, name: str, media_type: str) -> Artifact:
    """A row for a file to come. Its name may be anybody's: it is made one that fits into a header and into one part of a URL."""
    shown = "".join(letter if letter.isprintable() and letter not in "/\\" else "_" for letter in name)
    return Artifact(id=mint("file"), owner=owner, task_id=task_id, kind=kind, name=shown[-255:], media_type=media_type)
