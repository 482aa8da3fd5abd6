"""The lite engine: plays a tool's playbook in a context of the shared, warm Chromium, behind a gate of the task's own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from playwright.async_api import Error as PlaywrightError

from agent.adblock import ad_hosts
from agent.engine import Assignment, Desk, EngineName, Outcome
from agent.lite.answers import Ear
from agent.lite.dialogs import Dialogs
from agent.lite.finder import Finder
from agent.lite.inspector import Inspection, Inspector
from agent.lite.pool import SharedChromium
from agent.lite.proving import as_result, play_proof, prove
from agent.lite.record import Record
from agent.lite.signs import Lookout
from agent.lite.stages import DryRun, Stages
from agent.lite.watch import Patience, Watch
from agent.origins import Origins
from agent.rooms import Furnishing, Room, Rooms
from agent.wall import Wall, narrow, parse_domains
from tools.errors import (
    AccountSuspended,
    AuthenticationFailed,
    BrowserFailed,
    Failure,
    InvalidParameters,
    OutcomeUncertain,
)
from tools.site import Site

KEEP_SECONDS = 0.5
STATE_SECONDS = 5.0


class LiteEngine:
    """Carries out tools that have a playbook (agent.engine.Engine).

    `chromium`: the program, or what finds it. `folder`: the run folder. `sandbox`: None means on, unless we are root.
    `private_network`: whether a platform's hosts may lead to private addresses. `tasks`: after so many the Chromium is
    replaced by a fresh one. `ahead`: whether the next task's context is made before it comes. `ads`: the
    hosts that are blocked for tasks that want it; None: the built-in list.
    """

    name: EngineName = "lite"

    def __init__(
        self,
        chromium: Path | Callable[[], Path],
        folder: Path,
        origins: Origins,
        *,
        sandbox: bool | None = None,
        private_network: bool = False,
        patience: Patience | None = None,
        tasks: int = 200,
        ahead: bool = True,
        ads: frozenset[str] | None = None,
    ) -> None:
        find = chromium if callable(chromium) else lambda: chromium
        self._pool = SharedChromium(find, folder, sandbox=sandbox, tasks=tasks)
        self._rooms = Rooms(self._pool, ahead=ahead)
        self._origins = origins
        self._private = private_network
        self._patience = patience or Patience()
        self._ads = ad_hosts() if ads is None else ads

    async def warm(self) -> None:
        """Starts the Chromium now instead of with the first task. Raises BrowserFailed."""
        await self._rooms.prepare(Furnishing())

    async def close(self) -> None:
        """Ends the Chromium."""
        await self._rooms.close()
        await self._pool.close()

    async def carry_out(self, assignment: Assignment, desk: Desk) -> Outcome:
        """Plays the playbook and proves its result; see agent.engine.Engine."""
        async with self._stage(assignment, desk) as performance:
            return await performance.perform()

    async def inspect(self, assignment: Assignment, desk: Desk) -> Inspection:
        """Plays the playbook up to its publishing act, which is not made, and says what it found of each selector.

        What stops the playbook is part of the answer. Raises BrowserFailed, or InvalidParameters where there is no playbook.
        """
        dry = replace(assignment, options=replace(assignment.options, dry_run=True))
        async with self._stage(dry, desk) as performance:
            return await performance.inspect()

    @contextlib.asynccontextmanager
    async def _stage(self, assignment: Assignment, desk: Desk) -> AsyncGenerator[Performance]:
        """A performance of the assignment, in a room of its own."""
        site = assignment.site
        if site is None or assignment.tool.playbook is None:
            raise InvalidParameters(f"{assignment.tool.name} has no playbook: only the full engine can do it")
        furnishing = Furnishing(assignment.options.viewport, site.locale, site.timezone)
        state = assignment.login.state if assignment.login else None
        upstream = assignment.options.proxy
        async with self._rooms.room(furnishing, self._wall(assignment, site), upstream=upstream, state=state) as room:
            desk.show(room.window)
            try:
                yield Performance(assignment, desk, room, site, self._origins, self._patience)
            except PlaywrightError:
                raise BrowserFailed from None  # its text may hold what was typed
            finally:
                desk.show(None)

    def _wall(self, assignment: Assignment, site: Site) -> Wall:
        hosts = site.hosts
        if assignment.options.allowed_domains is not None:
            hosts = narrow(hosts, parse_domains(assignment.options.allowed_domains))
        ads = self._ads if assignment.options.use_adblock else frozenset[str]()
        return Wall(
            hosts,
            private=self._private,
            opened=self._origins.opened(hosts),
            ads=ads,
            named=parse_domains(assignment.options.allowed_domains or ()),
        )


class Performance:
    """One task of the lite engine, in its room."""

    def __init__(
        self, assignment: Assignment, desk: Desk, room: Room, site: Site, origins: Origins, patience: Patience
    ) -> None:
        self._assignment = assignment
        self._desk = desk
        self._room = room
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
        tool, parameters, site = self._assignment.tool, self._assignment.parameters, self._watch.site
        try:
            return await prove(tool, parameters, self._at, stages.prove, lost)
        except OutcomeUncertain as uncertain:
            if not self._room.page.is_closed():
                raise
            try:
                page = await self._room.context.new_page()
            except PlaywrightError:
                raise uncertain from None  # the whole browser is gone
        return await play_proof(
            page,
            tool,
            parameters,
            self._at.readings,
            site,
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

    async def _state(self) -> dict[str, Any]:
        """The context's storage state; its cookies alone, with the login's own origins, when the rest takes too long."""
        try:
            async with asyncio.timeout(STATE_SECONDS):
                return cast("dict[str, Any]", await self._room.context.storage_state())
        except (PlaywrightError, TimeoutError):
            return await self._cookies()

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
