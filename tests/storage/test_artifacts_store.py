"""Artifacts in the folder and in object stores: the same promises."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.artifacts import ArtifactStore, new_artifact
from storage.database import Database
from storage.objects import Objects, StoreUnavailable, opened
from storage.retention import Retention
from storage.states import TaskState
from storage.tables import Artifact, Task, now

pytestmark = pytest.mark.anyio
JPEG = b"\xff\xd8picture"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Where bytes lie is no affair of the database's kind."""
    return sqlite_url


@pytest.fixture(params=["folder", "file", "memory"])
def store(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> ArtifactStore:
    urls = {"folder": None, "file": f"file://{tmp_path / 'bucket'}", "memory": "memory:///"}
    return ArtifactStore(database, tmp_path / "artifacts", opened(urls[request.param]))


@pytest.fixture
async def shot(database: Database, task: Callable[..., Task]) -> Artifact:
    async with database.writing() as session:
        session.add(task(id="task_1", state=TaskState.COMPLETED, finished_at=now(), account_id=None))
    return new_artifact("alice", "task_1", "screenshot", "../../a step.jpg", "image/jpeg")


async def content(store: ArtifactStore, artifact: Artifact) -> bytes | None:
    path = await store.local(artifact)
    return path.read_bytes() if path is not None else None


async def test_what_is_kept_can_be_read_and_only_by_its_owner(store: ArtifactStore, shot: Artifact) -> None:
    await store.add(await store.keep(shot, JPEG))
    assert shot.size == len(JPEG)
    assert await content(store, shot) == JPEG
    path = await store.local(shot)
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert store.path(shot) == path
    assert path.parent.parent == store.folder


async def test_a_file_is_moved_in(store: ArtifactStore, shot: Artifact, tmp_path: Path) -> None:
    source = tmp_path / "video.mp4"
    source.write_bytes(b"film" * 1000)
    await store.adopt(shot, source)
    assert not source.exists()
    assert (shot.size, await content(store, shot)) == (4000, b"film" * 1000)


async def test_another_machine_reads_what_this_one_kept(
    store: ArtifactStore, database: Database, shot: Artifact, tmp_path: Path
) -> None:
    if store.objects is None:
        pytest.skip("a folder is shared by its file system")
    await store.keep(shot, JPEG)
    elsewhere = ArtifactStore(database, tmp_path / "elsewhere", store.objects)
    assert elsewhere.path(shot).read_bytes() == JPEG
    assert await content(elsewhere, shot) == JPEG


async def test_what_is_removed_is_gone_everywhere(store: ArtifactStore, shot: Artifact) -> None:
    await store.add(await store.keep(shot, JPEG))
    assert await content(store, shot) == JPEG
    await store.remove([shot])
    assert await content(store, shot) is None
    assert await store.get(shot.id) is None


async def test_a_task_that_is_too_old_takes_its_files_along(
    store: ArtifactStore, database: Database, shot: Artifact
) -> None:
    await store.add(await store.keep(shot, JPEG))
    assert await Retention(database, store).prune(older_than=now(), most_bytes=10**9) == 1
    assert await content(store, shot) is None


async def test_copies_that_nobody_asks_for_go_and_the_bytes_stay(store: ArtifactStore, shot: Artifact) -> None:
    if store.objects is None:
        pytest.skip("the folder holds no copies")
    await store.keep(shot, JPEG)
    copy = await store.local(shot)
    assert copy is not None
    os.utime(copy, (0, 0))
    await store.sweep()
    assert not copy.exists()
    assert await content(store, shot) == JPEG


async def test_a_store_that_does_not_answer_is_an_error_of_the_disk(
    database: Database, shot: Artifact, tmp_path: Path
) -> None:
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "task_1").write_text("in the way")
    broken = ArtifactStore(database, tmp_path / "artifacts", Objects(f"file://{tmp_path / 'bucket'}"))
    with pytest.raises(StoreUnavailable):
        await broken.keep(shot, JPEG)
