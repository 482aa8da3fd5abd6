"""Sign-ins for the live view (server.live.tasks.LiveTasks): its very pictures and inputs, with nobody to take control from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from agent.engine import Window
from server.live.tasks import Snapshot
from server.sign_in.attempt import SignIn, SignInState
from server.sign_in.service import SignInService
from storage.states import TaskState
from tools.errors import Conflict

_LOOK_AGAIN_S = 5.0
STATES: Mapping[SignInState, TaskState] = {
    "waiting": TaskState.PENDING,
    # To the live view an open sign-in is a task that waits for its person, so that control is theirs at once.
    "open": TaskState.PAUSED,
    "connected": TaskState.COMPLETED,
    "failed": TaskState.FAILED,
    "cancelled": TaskState.CANCELLED,
    "expired": TaskState.TIMEOUT,
}


class LiveSignIns:
    """Attempts, as the live view sees tasks. A task's id is an attempt's."""

    def __init__(self, sign_ins: SignInService) -> None:
        self._sign_ins = sign_ins

    async def look(self, task_id: str) -> Snapshot | None:
        """The attempt now."""
        attempt = self._sign_ins.find(task_id)
        return snapshot(attempt) if attempt is not None else None

    async def follow(self, task_id: str) -> AsyncIterator[Snapshot]:
        """The attempt now and after every change; whoever follows counts as the page being open."""
        attempt = self._sign_ins.find(task_id)
        if attempt is None:
            return
        attempt.people += 1
        try:
            with attempt.changes.follow(attempt.id) as follower:
                while not attempt.over:
                    yield snapshot(attempt)
                    await follower.changed(_LOOK_AGAIN_S)
                yield snapshot(attempt)
        finally:
            attempt.people -= 1

    async def window(self, task_id: str) -> Window | None:
        """The person's browser."""
        attempt = self._sign_ins.find(task_id)
        return attempt.window if attempt is not None else None

    async def take_control(self, task_id: str, by: str) -> None:
        """There is no agent to pause."""

    async def give_back(self, task_id: str) -> None:
        """There is no agent to go on."""

    async def continue_(self, task_id: str) -> None:
        """The person says that they are signed in."""
        self._known(task_id).impatient.set()

    async def stop(self, task_id: str) -> None:
        """The person does not want to."""
        await self._sign_ins.cancel(self._known(task_id))

    async def record_person_step(self, task_id: str, what: str, url: str) -> None:
        """Nothing is recorded of how somebody signs in."""

    async def receive_file(self, task_id: str, name: str, pieces: AsyncIterator[bytes]) -> Path:
        """Refused."""
        message = "A sign-in takes no files."
        raise Conflict(message)

    def _known(self, task_id: str) -> SignIn:
        attempt = self._sign_ins.find(task_id)
        if attempt is None or attempt.over:
            message = "This sign-in has ended."
            raise Conflict(message)
        return attempt


def snapshot(attempt: SignIn) -> Snapshot:
    """The attempt as the live view sees a task."""
    return Snapshot(
        title=attempt.site.name,
        state=STATES[attempt.state],
        reason=None if attempt.over else "sign_in",
        message="" if attempt.over else attempt.message,
        output=attempt.message if attempt.over else "",
    )
