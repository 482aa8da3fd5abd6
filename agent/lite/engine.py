"""The lite engine: plays a tool's playbook in a context of the shared, warm Chromium, behind a gate of the task's own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from playwright.async_api import Error as PlaywrightError

from agent.adblock import ad_hosts
from agent.engine import Assignment, Desk, EngineName, Outcome
from agent.lite.inspector import Inspection
from agent.lite.performance import Performance
from agent.lite.pool import SharedChromium
from agent.lite.watch import Patience
from agent.origins import Origins
from agent.rooms import Furnishing, Rooms
from agent.wall import Wall, narrow, parse_domains
from tools.errors import (
    BrowserFailed,
    InvalidParameters,
)
from tools.site import Site


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
        rooms = partial(self._rooms.room, furnishing, self._wall(assignment, site), upstream=upstream, state=state)
        async with rooms() as room:
            desk.show(room.window)
            try:
                yield Performance(assignment, desk, room, site, self._origins, self._patience, rooms)
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
