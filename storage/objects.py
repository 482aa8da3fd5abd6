"""An object store (S3, Google Cloud Storage, Azure, a folder, memory) as artifacts need it: put, get, delete, by name.

Calls block, and are made in threads: the library's own coroutines abort the process when an interpreter ends soon after one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from obstore.store import ObjectStore


class StoreUnavailable(OSError):
    """The object store did not do what it was asked."""


class Objects:
    """The objects below one URL: `s3://bucket/prefix`, `gs://…`, `az://…`, `file:///folder`, `memory:///`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: ObjectStore | None = None

    async def put(self, name: str, content: bytes | Path) -> None:
        """Stores bytes, or a file's. Raises StoreUnavailable."""
        await asyncio.to_thread(self._put, name, content)

    async def fetch(self, name: str, target: Path) -> bool:
        """Writes the object into a file, whole or not at all. False: there is none. Raises StoreUnavailable."""
        return await asyncio.to_thread(self.fetch_now, name, target)

    async def delete(self, *names: str) -> None:
        """Removes objects; what is gone already is fine. Raises StoreUnavailable."""
        await asyncio.to_thread(self._delete, names)

    async def delete_below(self, folder: str) -> None:
        """Removes every object whose name begins with the folder's. Raises StoreUnavailable."""
        await asyncio.to_thread(self._delete_below, folder)

    def fetch_now(self, name: str, target: Path) -> bool:
        """The same as `fetch`, for whoever is in a thread already."""
        with spoken():
            try:
                found = self._store().get(name)
            except FileNotFoundError:
                return False
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            unfinished = target.with_suffix(f".{os.urandom(4).hex()}")
            try:
                with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
                    for chunk in found.stream():
                        file.write(chunk)
                unfinished.replace(target)
            finally:
                unfinished.unlink(missing_ok=True)
        return True

    def _put(self, name: str, content: bytes | Path) -> None:
        with spoken():
            self._store().put(name, content)

    def _delete(self, names: tuple[str, ...]) -> None:
        with spoken():
            for name in names:
                with suppress(FileNotFoundError):
                    self._store().delete(name)

    def _delete_below(self, folder: str) -> None:
        with spoken():
            for batch in self._store().list(folder):  # pyright: ignore[reportUnknownMemberType]  # an overload for Arrow, not installed
                self._delete(tuple(found["path"] for found in batch))

    def _store(self) -> ObjectStore:
        if self._opened is None:
            from obstore.store import from_url  # only who keeps artifacts elsewhere pays for it

            if self._url.startswith("file:"):
                Path(self._url.removeprefix("file://")).mkdir(parents=True, exist_ok=True, mode=0o700)
            self._opened = from_url(self._url)
        return self._opened


def opened(url: str | None) -> Objects | None:
    """The object store of a setting, if one is set."""
    return Objects(url) if url else None


@contextmanager
def spoken() -> Generator[None]:
    """Turns the library's exceptions into ours; its text may name the bucket, never a credential."""
    from obstore.exceptions import BaseError  # as above

    try:
        yield
    except BaseError as error:
        raise StoreUnavailable(str(error).partition("\n")[0]) from error
