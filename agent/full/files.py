"""The files that a run made: downloads, and what the agent wrote. Taken out of its folders by our rules, not by its names."""

from __future__ import annotations

import mimetypes
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from agent.engine import NewFile
from agent.full.settings import FullSettings
from agent.redaction import Redactor

UNSAFE = re.compile(r"[^\w.()+ -]+")
INTERNAL = re.compile(r"todo\.md|extracted_content_\d+\.md|.*\.crdownload")
"""What browser-use writes for itself, and downloads that were never finished."""
LONGEST_NAME = 120


def new_files(folder: Path, target: Path, settings: FullSettings, redactor: Redactor) -> Iterator[NewFile]:
    """Moves a pair's finished files into the target folder, no more and no larger ones than the settings say, and yields them."""
    left, largest = settings.max_files, settings.max_file_mb * 1024 * 1024
    downloads, written = folder / "downloads", folder / "sandbox" / "browseruse_agent_data"
    taken: set[str] = set()
    kinds: tuple[tuple[Path, Literal["download", "output"]], ...] = ((downloads, "download"), (written, "output"))
    for source, kind in kinds:
        for path in sorted(source.iterdir()) if source.is_dir() else ():
            if left == 0 or path.is_symlink() or not path.is_file() or INTERNAL.fullmatch(path.name):
                continue
            if path.stat().st_size > largest:
                continue
            name = unused(safe(redactor.text(path.name)), taken)
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
            moved = Path(shutil.move(path, target / name))
            left -= 1
            yield NewFile(moved, name, kind, mimetypes.guess_type(name)[0] or "application/octet-stream")


def safe(name: str) -> str:
    """The name without anything that means something to a path or a shell."""
    cleaned = UNSAFE.sub("_", name).strip(". ") or "file"
    stem, dot, ending = cleaned.rpartition(".")
    return f"{stem[:LONGEST_NAME]}.{ending[:20]}" if dot and stem else cleaned[:LONGEST_NAME]


def unused(name: str, taken: set[str]) -> str:
    """The name, with a number where it was taken."""
    stem, dot, ending = name.rpartition(".")
    candidates = (name, *(f"{stem or ending} ({number}){dot}{ending if stem else ''}" for number in range(2, 1000)))
    found = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(found)
    return found
