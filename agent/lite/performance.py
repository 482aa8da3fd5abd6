"""One task of the lite engine, from its first move to its proof."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page

from agent.engine import Assignment, Desk, Outcome
from agent.lite.answers import Ear
from agent.lite.dialogs import Dialogs
from agent.lite.finder import Finder
from agent.lite.inspector import Inspection, Inspector
from agent.lite.proving import as_result, play_proof, prove
from agent.lite.record import Record
from agent.lite.signs import Lookout
from agent.lite.stages import DryRun, Stages
from agent.lite.watch import Patience, Watch
from agent.origins import Origins
from agent.rooms import Room
from tools.errors import (
    AccountSuspended,
    AuthenticationFailed,
    BrowserFailed,
    Failure,
    OutcomeUncertain,
)
from tools.site import Site

KEEP_SECONDS = 0.5
STATE_SECONDS = 5.0
TAB_SECONDS = 5.0
"""For a new tab; a browser that has none by then is frozen."""


class Performance:
    """One task of the lite engine, in its room. `rooms` opens another such room."""

    def __init__(
        self,
        assignment: Assignment,
        desk: Desk,
        room: Room,
        site: Site,
        origins: Origins,
        patience: Patience,
        rooms: Callable[[], AbstractAsyncContextManager[Room]],
    ) -> None:
        self._assignment = assignment
        self._desk = desk
        self._room = room
        self._rooms = rooms
        login = assignment.login if assignment.tool.account else None
        lookout = Lookout(room.page, site, origins)
        self._watch = Watch(room.page, site, lookout, login=login, patience=patience, session=room.session)
        self._at = Finder(self._watch, origins, {}, room.gate)
        self._ear = Ear(room.context, origins)
        self._dialogs = Dialogs(room.context)
        self._record = Record(desk, room.page, room.session)

    async def perform(self) -> Outcome:
        """Plays everything; keeps the login where there is no Outcome to carry it."""
        try:
            outcome = await self._play()
            await self._record.flush()
        except Failure as failure:
            await self._record.flush()
            if not isinstance(failure, AuthenticationFailed | AccountSuspended):
                await self._keep_login()
            raise
        except asyncio.CancelledError:
            await self._keep_login()
            raise
        else:
            return outcome
        finally:
            self._ear.close()
            await self._record.close()

    async def inspect(self) -> Inspection:
        """Plays up to the publishing act and looks at everything on the way."""
        tool, site = self._assignment.tool, self._watch.site
        playbook = tool.playbook(self._assignment.parameters) if tool.playbook else ()
        inspector = Inspector(playbook, site, self._at)
        stages = Stages(
            self._assignment, self._desk, self._record, self._at, self._ear, self._dialogs, len(playbook), inspector
        )
        stopped: Failure | None = None
        try:
            await stages.play(playbook)
        except DryRun:
            pass
        except Failure as failure:
            stopped = failure
        finally:
            await self._record.flush()
            self._ear.close()
            await self._record.close()
        await self._keep_login()
        seen = await inspector.seen(stopped)
        return Inspection(tool.name, seen, self._watch.identity, stopped)

    async def _play(self) -> Outcome:
        tool, parameters = self._assignment.tool, self._assignment.parameters
        playbook = tool.playbook(parameters) if tool.playbook else ()
        proof = tool.proof(parameters).stages if tool.proof else ()
        total = len(playbook) + len(proof)
        stages = Stages(self._assignment, self._desk, self._record, self._at, self._ear, self._dialogs, total)
        lost: Failure | None = None
        try:
            await stages.play(playbook)
        except DryRun:
            return await self._outcome(self._dry_result())
        except Failure as failure:
            if not self._watch.acted:
                raise
            lost = failure
        return await self._outcome(await self._proved(stages, lost))

    async def _proved(self, stages: Stages, lost: Failure | None) -> dict[str, Any]:
        """The result as it was read back: in a new tab where the page, or a person, has closed the one that was worked in."""
        try:
            return await prove(self._assignment.tool, self._assignment.parameters, self._at, stages.prove, lost)
        except OutcomeUncertain as uncertain:
            if not self._room.page.is_closed() and uncertain.details["cause"] != BrowserFailed.code:
                raise
            try:
                async with asyncio.timeout(TAB_SECONDS):
                    page = await self._room.context.new_page()
            except (PlaywrightError, TimeoutError):
                return await self._proved_elsewhere(uncertain)
        return await self._read_back(page)

    async def _proved_elsewhere(self, uncertain: OutcomeUncertain) -> dict[str, Any]:
        """The result as a new browser shows it, where the one that the act was done in died. Raises `uncertain`."""
        try:
            async with self._rooms() as room:
                self._desk.show(room.window)
                return await self._read_back(room.page)
        except (Failure, PlaywrightError):
            raise uncertain from None

    async def _read_back(self, page: Page) -> dict[str, Any]:
        return await play_proof(
            page,
            self._assignment.tool,
            self._assignment.parameters,
            self._at.readings,
            self._watch.site,
            self._at.origins,
            patience=self._watch.patience,
            report=self._desk.step,
            identity=self._watch.identity,
        )

    def _dry_result(self) -> dict[str, Any]:
        output = {"output": "Dry run: everything was done but the act itself; nothing was published."}
        try:
            return as_result(self._assignment.tool, output)
        except Failure:
            return output

    async def _outcome(self, result: Mapping[str, Any]) -> Outcome:
        login, wanted = self._assignment.login, self._assignment.options.save_browser_data
        state = await self._state() if login is not None or wanted else None
        return Outcome(
            result=result,
            login_state=state,
            identity=self._watch.identity,
            cookies=state["cookies"] if state is not None and wanted else None,
        )

    async def _state(self) -> dict[str, Any] | None:
        """The context's storage state; its cookies alone, with the login's own origins, when the rest takes too long.

        None where the browser is gone: what was done is proved, and the login stays what it was.
        """
        with contextlib.suppress(PlaywrightError, TimeoutError):
            async with asyncio.timeout(STATE_SECONDS):
                return cast("dict[str, Any]", await self._room.context.storage_state())
        with contextlib.suppress(PlaywrightError, TimeoutError):
            async with asyncio.timeout(STATE_SECONDS):
                return await self._cookies()
        return None

    async def _cookies(self) -> dict[str, Any]:
        before = (self._assignment.login.state if self._assignment.login else None) or {}
        return {"cookies": list(await self._room.context.cookies()), "origins": list(before.get("origins", ()))}

    async def _keep_login(self) -> None:
        """Hands over what the login has become, if anybody was seen logged in; quickly, for the run may be ending."""
        if self._assignment.login is None or not self._watch.logged_in:
            return
        with contextlib.suppress(PlaywrightError, TimeoutError):
            async with asyncio.timeout(KEEP_SECONDS):
                await self._desk.keep_login(await self._cookies())
