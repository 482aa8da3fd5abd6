"""The full engine: gives each task a runner and a Chromium of its own, and lets nothing of them survive it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from playwright.async_api import Error as PlaywrightError

from agent.driver import Driver
from agent.engine import Assignment, Desk, EngineName, Outcome
from agent.full.brief import Brief
from agent.full.nursery import Nursery
from agent.full.run import Run
from agent.full.settings import FullSettings
from agent.full.warm import Pairs
from agent.lite.proving import Report, play_proof
from tools.errors import BrowserFailed, ModelUnavailable


class FullEngine:
    """Carries out assignments with an LLM agent. A nursery that is given is shared: whoever gave it closes it."""

    def __init__(self, settings: FullSettings, nursery: Nursery | None = None) -> None:
        self.name: EngineName = "full"
        self.settings = settings
        self.own_nursery = nursery is None
        self.nursery = nursery or Nursery(settings.run_folder)
        self.pairs = Pairs(
            settings.chromium, settings.run_folder, settings.warm, self.nursery, sandbox=settings.sandbox
        )
        self.driver = Driver(settings.run_folder)

    async def warm_up(self) -> None:
        """Begins to make the pairs that are kept ready; without it the first task waits for its own."""
        self.pairs.fill()

    async def carry_out(self, assignment: Assignment, desk: Desk) -> Outcome:
        """See agent.engine.Engine."""
        settings = self.settings
        if not (assignment.options.model or settings.model):
            raise ModelUnavailable("No language model is configured: set WEBHAND_LLM_MODEL and WEBHAND_LLM_BASE_URL")
        brief = Brief(assignment, settings.origins, settings.private_network, settings.ads)
        brief.check()
        pair = await self.pairs.take(assignment.options.proxy)
        try:
            return await Run(settings, brief, desk, pair, partial(self.prove, brief)).carry_out()
        finally:
            desk.show(None)
            await asyncio.shield(asyncio.ensure_future(self.pairs.give_back(pair)))

    async def prove(
        self, brief: Brief, cdp_url: str, readings: Mapping[str, str], report: Report, identity: str | None
    ) -> Mapping[str, Any]:
        """Reads a result back on a page of its own in the task's browser. Raises a Failure where it is not there."""
        assignment, site = brief.assignment, brief.site
        if site is None:
            return readings
        try:
            browser = await self.driver.connect(cdp_url)
            try:
                page = await browser.contexts[0].new_page()
                return await play_proof(
                    page,
                    assignment.tool,
                    assignment.parameters,
                    readings,
                    site,
                    brief.origins,
                    report=report,
                    identity=identity,
                )
            finally:
                await browser.close()
        except PlaywrightError as error:
            raise BrowserFailed("The browser was lost while the result was read back") from error

    async def close(self) -> None:
        """See agent.engine.Engine."""
        await self.pairs.close()
        if self.own_nursery:
            await self.nursery.close()
        await self.driver.close()
