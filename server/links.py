"""The links that answers carry: each is a signed token of its own purpose, so that it works in an `<iframe>` or a plain download."""

from __future__ import annotations

import time

from server.live import live_url
from server.signing import Signer
from storage.tables import Artifact, Task

FILE = "file"


class Links:
    """Makes links to live views, task pages and files."""

    def __init__(self, signer: Signer, public_url: str, *, live_seconds: float, file_seconds: float = 3600) -> None:
        self._signer = signer
        self.public_url = public_url
        self._live_seconds = live_seconds
        self._file_seconds = file_seconds

    def live(self, task: Task, *, control: bool = True) -> str:
        """The task's live view; with `control` whoever has the link may also take over."""
        return live_url(self._signer, self.public_url, task.id, seconds=self._live_seconds, control=control)

    def file(self, artifact: Artifact) -> str:
        """The file's bytes, without any header."""
        token = self._signer.sign(FILE, artifact.id, expires=round(time.time() + self._file_seconds))
        return f"{self.public_url}/files/{token}/{artifact.name}"

    def task_page(self, task: Task) -> str:
        """The task's page for people who have a key."""
        return f"{self.public_url}/tasks/{task.id}"
