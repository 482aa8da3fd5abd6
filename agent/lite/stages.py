"""Plays a playbook's stages in front of a desk: each is recorded as a step; persons and logins are waited for on the way."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Error as PlaywrightError

from agent.engine import Assignment, Desk, Reason, StepReport
from agent.lite.answers import Ear, Refused
from agent.lite.dialogs import Dialogs
from agent.lite.finder import Finder, UnknownReading
from agent.lite.login import Entrance
from agent.lite.player import Player, Witness
from agent.lite.record import Record
from agent.lite.untrusted import plain
from agent.lite.watch import Detour, Watch
from tools.errors import AuthenticationFailed, BrowserFailed, ChallengeRequired, Failure, PageChanged, WrongPage
from tools.playbook import Answer, Expect, Goto, Listen, Move, Playbook, Read, Reading, Stage, Wait

LOOKING = (Answer, Expect, Listen, Read, Wait)
"""Moves that leave the page as it is: the last step's picture may still be taken meanwhile."""
SHOWN = ("url", "selector", "text", "key", "option", "files", "name", "attribute")
DETOURS = 3
SHOW_CHALLENGE_MS = 3000
TEXT_CHARS = 2000


class DryRun(Exception):
    """Everything was done but the publishing act, as wished."""


@dataclass
class Stages:
    """One run's stages. `total`: how many there are in all, for the percentage."""

    assignment: Assignment
    desk: Desk
    record: Record
    at: Finder
    ear: Ear
    dialogs: Dialogs
    total: int
    witness: Witness | None = None
    _played: int = 0
    _detours: int = 0
    _proving: bool = False
    _evaluation: str = "Nothing was done before."

    def __post_init__(self) -> None:
        self._player = Player(
            self.at, self.ear, files=self.assignment.files, publish=self._publish, witness=self.witness
        )

    @property
    def _watch(self) -> Watch:
        return self.at.watch

    async def play(self, stages: Playbook) -> None:
        """Plays them one after the other. After a detour it goes on from the last stage that opens its own page.

        Raises a Failure, Refused (the site said no to the publishing act) or DryRun.
        """
        position, restless = 0, False
        while position < len(stages):
            self.record.progress(stages[position].word, round(100 * self._played / max(1, self.total)))
            try:
                await self._play(stages[position])
            except Detour as detour:
                await self._go_round(detour)
                position, restless = reopening(stages, position), True
                continue
            except WrongPage:
                # The page on which somebody was a moment ago goes on by itself, and may do so over the one opened since.
                if not restless or self._watch.acted:
                    raise
                position, restless = reopening(stages, position), False
                continue
            except PlaywrightError:
                raise BrowserFailed from None  # its text may hold what was typed
            position += 1
            self._played += 1

    async def prove(self, stages: Playbook) -> None:
        """Plays the stages of a proof: a no that is heard there is none to the publishing act."""
        self._proving = True
        await self.play(stages)

    async def _play(self, stage: Stage) -> None:
        if stage.unless in self.at.readings:
            return
        if stage.skip_if is not None and await self.at.shows(stage.skip_if):
            self._evaluation = f"Success: {stage.goal} (it was done already)"
            return
        began = time.monotonic()
        actions: list[Mapping[str, Any]] = []
        try:
            for move in stage.moves:
                async with self.dialogs.left_open():
                    await self.desk.gate()
                if not isinstance(move, LOOKING):
                    await self.record.still()
                actions.append(action(move, self.at))
                await self._move(move)
        except (Detour, Failure, Refused, DryRun) as stopped:
            reason = self._reason(stage, stopped)
            self._report(stage.goal, began, actions, str(reason), "Stopped")
            raise reason from stopped.__cause__
        self._report(stage.goal, began, actions, None, f"Success: {stage.goal}")

    async def _move(self, move: Move) -> None:
        """Plays a move; a challenge that comes after the publishing act is solved on the spot."""
        while True:
            try:
                return await self._player.play(move)
            except Detour as detour:
                if not self._watch.acted:
                    raise
                await self._let_a_person(detour)

    def _reason(self, stage: Stage, stopped: Detour | Failure | Refused | DryRun) -> Exception:
        """Why a stage stopped: a page that is not as known names the stage; some refusals can be got round."""
        if isinstance(stopped, PageChanged | WrongPage):
            return type(stopped)(f"{stage.goal}: {stopped.message}", details=stopped.details)
        if not isinstance(stopped, Refused):
            return stopped
        failure = stopped.failure
        if self._proving:
            return failure
        self._watch.acted = False  # the site said no, so nothing went out
        if isinstance(failure, ChallengeRequired):
            return Detour("challenge", failure.message)
        if isinstance(failure, AuthenticationFailed) and self.assignment.login is not None:
            return Detour("login", failure.message)
        return failure

    async def _publish(self) -> None:
        """What has to be settled before the publishing act goes out."""
        await self._watch.make_sure_who()
        if self.assignment.options.dry_run:
            raise DryRun("Dry run: this is where the act would go out.")
        await self.record.still()
        await self.record.flush()
        await self.desk.arm()

    async def _go_round(self, detour: Detour) -> None:
        """Has a person or the login form do what is in the way. Raises ChallengeRequired or AuthenticationFailed."""
        if detour.kind == "challenge":
            await self._let_a_person(detour)
        elif self._can_log_in and self._detours < DETOURS:
            self._detours += 1
            await self._log_in()
        else:
            await self._let_a_person_sign_in(detour)

    async def _let_a_person_sign_in(self, detour: Detour) -> None:
        """Waits for a person to log in where the stored login does not hold any more. Raises AuthenticationFailed."""
        self._detours += 1
        name = self.assignment.login.account_name if self.assignment.login else ""
        unable = AuthenticationFailed(f"{detour} Reconnect the account '{plain(name, 60)}'.")
        if self._detours > DETOURS:
            raise unable
        try:
            await self._ask("sign_in", f"{detour} Sign in in the live view, then continue.")
        except ChallengeRequired:
            raise unable from None

    async def _let_a_person(self, detour: Detour) -> None:
        """Waits for a person to solve a challenge."""
        self._detours += 1
        if self._detours > DETOURS:
            raise ChallengeRequired(f"{detour} It came back {DETOURS} times.")
        await self._watch.wait_for_challenge(SHOW_CHALLENGE_MS)
        await self._ask("challenge", f"{detour} Solve it in the live view, then continue.")

    async def _ask(self, reason: Reason, message: str) -> None:
        began = time.monotonic()
        self.record.step(StepReport(f"Ask a person: {message}", self._evaluation, "", kind="person"))
        await self.record.still()
        await self.record.flush()
        async with self.dialogs.left_open():
            await self.desk.ask(reason, message)
        waited = f"Success: a person took over for {time.monotonic() - began:.0f} seconds"
        self._evaluation = waited

    @property
    def _can_log_in(self) -> bool:
        login = self.assignment.login
        return login is not None and bool(login.credentials) and self._watch.site.login_form is not None

    async def _log_in(self) -> None:
        login, form = self.assignment.login, self._watch.site.login_form
        if login is None or form is None:
            raise AuthenticationFailed
        began = time.monotonic()
        self.record.progress("authenticating", 0)
        await self.record.still()
        goal = f"Log in as the account '{plain(login.account_name, 60)}'"
        typed = [
            {"fill": {"selector": form.username, "text": "(user name)"}},
            {"fill": {"selector": form.password, "text": "(password)"}},
            {"click": {"selector": form.submit}},
        ]
        try:
            await Entrance(self.at, login, form, self._ask).enter()
        except (Failure, Detour) as stopped:
            self._report(goal, began, typed, str(stopped), "Stopped")
            raise
        self._report(goal, began, typed, None, f"Success: {goal}")

    def _report(
        self, goal: str, began: float, actions: Sequence[Mapping[str, Any]], stopped: str | None, evaluation: str
    ) -> None:
        """Records a step with how the page looks now."""
        self.record.step(
            StepReport(
                next_goal=goal,
                evaluation_previous_goal=self._evaluation,
                url="",
                actions=tuple(actions),
                results=() if stopped is None else ({"stopped": stopped},),
                duration_ms=round(1000 * (time.monotonic() - began)),
            )
        )
        self._evaluation = evaluation if stopped is None else f"{evaluation}: {stopped}"


def reopening(stages: Playbook, position: int) -> int:
    """The last stage up to that one which begins by opening a page of its own; else the first."""
    for number in range(position, 0, -1):
        if stages[number].moves and isinstance(stages[number].moves[0], Goto):
            return number
    return 0


def action(move: Move, at: Finder) -> dict[str, Any]:
    """A move as a step's record shows it."""
    told: dict[str, Any] = {}
    for name in SHOWN:
        value: Any = getattr(move, name, None)
        if isinstance(value, Reading):
            try:
                value = at.text(value)
            except UnknownReading:
                value = f"{{{value.name}}}"
        if value is not None:
            told[name] = value[:TEXT_CHARS] if isinstance(value, str) else value
    return {type(move).__name__.lower(): told}
