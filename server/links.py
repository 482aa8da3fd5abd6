"""The links that answers carry: each is a signed token of its own purpose, so that it works in an `<iframe>` or a plain download."""

from __future__ import annotations

import math
import time
from urllib.parse import quote

from server.live.door import live_url
from server.signing import Signer
from storage.tables import Artifact, Task

FILE, UPLOAD = "file", "upload"
"""The purposes of the tokens."""
_UPLOAD_S = 3600.0


class Links:
    """Makes links to live views, task pages, shared pages and files.

    Links stay the same for a while, so that an `<iframe>` or a cache that gets one again and again does not load it each time.
    """

    def __init__(self, signer: Signer, public_url: str, *, live_seconds: float, file_seconds: float = 3600) -> None:
        self._signer = signer
        self.public_url = public_url
        self._live_seconds = live_seconds
        self._file_seconds = file_seconds

    def live(self, task: Task, *, control: bool = True) -> str:
        """The task's live view; with `control` whoever has the link may also take over."""
        # Half a second beyond the whole one: what `live_url` adds to the present is rounded down.
        seconds = lasting(self._live_seconds) - time.time() + 0.5
        return live_url(self._signer, self.public_url, task.id, seconds=seconds, control=control)

    def file(self, artifact: Artifact, name: str | None = None) -> str:
        """The file's bytes, without any header. A JPEG under a `name` that ends in .png is sent as a PNG."""
        token = self._signer.sign(FILE, artifact.id, expires=lasting(self._file_seconds))
        return f"{self.public_url}/files/{quote(name or artifact.name, safe='')}?token={token}"

    def screenshot(self, artifact: Artifact) -> str:
        """A step's picture as a PNG; its name holds the task's id and the step's number (contract 3.7)."""
        return self.file(artifact, f"{artifact.task_id}-step-{artifact.step}.png")

    def upload(self, artifact: Artifact) -> str:
        """Where an announced file is to be PUT, without any header but its Content-Type."""
        token = self._signer.sign(UPLOAD, artifact.id, expires=lasting(_UPLOAD_S))
        return f"{self.public_url}/uploads/{quote(artifact.name, safe='')}?token={token}"

    def share(self, task: Task) -> str | None:
        """The page that everybody who has the link may read; None: the task is not shared."""
        return f"{self.public_url}/share/{task.share_token}" if task.share_token else None

    def question(self, about: str) -> str:
        """The page that asks for the code of a question about a task or a sign-in, by its id: the address alone opens nothing."""
        return f"{self.public_url}/questions/{about}"

    def task_page(self, task: Task) -> str:
        """The task's page for people who have a key."""
        return f"{self.public_url}/tasks/{task.id}"


def lasting(seconds: float, now: float | None = None) -> int:
    """When a link ends that is good for `seconds`, or up to a quarter more: the next whole quarter, as Unix time."""
    quarter = seconds / 4
    moment = time.time() if now is None else now
    return math.ceil((math.floor(moment / quarter) + 1) * quarter + seconds)
