"""Files that go into a run, and files that come out of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.full.files import safe
from tests.agent.full.stage import RecordingDesk, Stage
from tests.scripted_model import acts, done

pytestmark = pytest.mark.anyio


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.write_text("remember the milk")
    return path


async def test_a_download_becomes_a_file_of_the_task(stage: Stage, desk: RecordingDesk) -> None:
    outcome = await stage.play(
        lambda scene: acts("navigate", url=f"{stage.url}/raw?html=<a href='/download?name=a%2520b;c.csv'>Get</a>"),
        lambda scene: acts("click", index=scene.index("a")),
        done("Fine"),
        desk=desk,
    )
    (file,) = outcome.files
    assert (file.kind, file.media_type, file.path.read_text()) == ("download", "text/csv", "a,b\n1,2\n")
    assert file.name.endswith(".csv")
    assert set(file.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_. ()-")
    assert file.path.parent.parent.name.startswith("task-")


async def test_what_the_agent_writes_becomes_a_file_of_the_task(stage: Stage) -> None:
    outcome = await stage.play(
        acts("write_file", file_name="../../report.md", content="# Report"),
        acts("write_file", file_name="todo.md", content="- [ ] nothing"),
        done("Fine"),
    )
    (file,) = outcome.files
    assert (file.name, file.kind) == ("report.md", "output")
    assert "# Report" in file.path.read_text()


async def test_files_beyond_the_limits_stay_behind(stage: Stage) -> None:
    engine = stage.another(max_files=1)
    outcome = await engine.carry_out(
        stage.assignment(
            acts("write_file", file_name="one.md", content="1"),
            acts("write_file", file_name="two.md", content="2"),
            done(),
        ),
        RecordingDesk(),
    )
    assert len(outcome.files) == 1


async def test_a_given_file_can_be_read_and_uploaded(stage: Stage, desk: RecordingDesk, notes: Path) -> None:
    def path(text: str) -> str:
        return re.findall(r"/\S+/input/notes\.txt", text)[-1]

    await stage.play(
        lambda scene: [acts("read_file", file_name=path(scene.text)), acts("navigate", url=f"{stage.url}/upload")],
        lambda scene: acts("upload_file", index=scene.index("input"), path=path(scene.text)),
        lambda scene: acts("click", index=scene.index("button")),
        done("Fine"),
        files=(notes,),
        desk=desk,
    )
    assert "remember the milk" in desk.steps[0].results[0]["text"]
    assert stage.journal.sent.pop() == {"name": "notes.txt", "content": "remember the milk"}


async def test_no_other_file_of_the_machine_can_be_read_or_uploaded(
    stage: Stage, desk: RecordingDesk, notes: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the machine's own")
    await stage.play(
        acts("read_file", file_name=str(secret)),
        acts("read_file", file_name=f"../../../../../../../../..{secret}"),
        acts("navigate", url=f"{stage.url}/upload"),
        lambda scene: acts("upload_file", index=scene.index("input"), path=str(secret)),
        lambda scene: acts("upload_file", index=scene.index("input"), path="/etc/hostname"),
        done("Fine"),
        files=(notes,),
        desk=desk,
    )
    assert "the machine's own" not in str([step.results for step in desk.steps])
    assert all("error" in step.results[0] for step in desk.steps[3:5])
    assert b"the machine's own" not in b"".join(stage.model.requests)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a b;rm -rf.csv", "a b_rm -rf.csv"),
        ("..", "file"),
        ("über.pdf", "über.pdf"),
        ("x" * 300 + ".txt", "x" * 120 + ".txt"),
    ],
)
def test_names_of_files_are_made_safe(name: str, kept: str) -> None:
    assert safe(name) == kept
