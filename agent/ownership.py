"""Who owns a folder of the run folder: a record in it, by which the browsers and files of a dead owner are found and ended."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TypedDict

import psutil

RECORD = "owner.json"
TRIES = 20
TRY_AGAIN = 0.1
"""Seconds between two tries to remove a folder."""


class Record(TypedDict):
    """Who runs (pid, creation time) and who started it, on which host."""

    host: str
    pid: int
    created: float
    owner: int
    owner_created: float


def write_record(folder: Path, pid: int | None = None) -> None:
    """Writes down who runs here (None: we do ourselves) and who started it."""
    pid = os.getpid() if pid is None else pid
    try:
        created = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return
    us = psutil.Process()
    record = Record(host=platform.node(), pid=pid, created=created, owner=us.pid, owner_created=us.create_time())
    unfinished = folder / f"{RECORD}.new"
    unfinished.write_text(json.dumps(record))
    unfinished.replace(folder / RECORD)


def reap_orphans(run_folder: Path) -> int:
    """Ends the browsers below the run folder whose owner is dead, and removes all its folders; how many of these were found.

    A process is only touched when its pid AND its creation time are those of the record. Browsers of living owners,
    and of other hosts that share the folder, are left alone.
    """
    reaped = 0
    for path in sorted(run_folder.rglob(RECORD), key=lambda path: -len(path.parts)):  # what lies deeper first
        try:
            record: Record = json.loads(path.read_text())
        except FileNotFoundError:  # its owner, or another one that reaps, was quicker
            continue
        if record["host"] != platform.node() or runs(record["owner"], record["owner_created"]):
            continue
        if runs(record["pid"], record["created"]):
            kill_group(record["pid"])
        remove_folder(path.parent)
        reaped += 1
    return reaped


def runs(pid: int, created: float) -> bool:
    """Whether that very process still runs. The clock ticks of creation times may differ by a second or two."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - created) < 2 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_group(pid: int) -> None:
    """Kills a browser's main process and every process below it or in its group."""
    below: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        main = psutil.Process(pid)
        below = [main, *main.children(recursive=True)]
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    for process in below:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def remove_folder(folder: Path) -> None:
    """Removes a folder, and what Chromium keeps elsewhere where its temporary files are not in there: a folder with a socket."""
    for link in (*folder.glob("SingletonSocket"), *folder.glob("*/SingletonSocket")) if sys.platform != "linux" else ():
        socket = link.readlink() if link.is_symlink() else link
        if socket.parent.name.startswith(("org.chromium.", "com.google.")):
            shutil.rmtree(socket.parent, ignore_errors=True)
    for _ in range(TRIES):  # what was killed a moment ago may still be writing
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(TRY_AGAIN)
