"""The practice site and a lite engine on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.engine import Assignment, Login, Options, Outcome
from agent.lite.engine import LiteEngine
from agent.lite.watch import Patience
from agent.ownership import RECORD
from server.practice.faults import Faults
from server.practice.state import DemoSite
from tests.agent.conftest import Notebook, family
from tools.catalog import catalog
from tools.errors import (
    Failure,
)

DEMO = catalog().site("demo")
HASTY = Patience(navigation=30, element=6, glance=0.3, identity=3, login=15, proofs=2, between_proofs=0.1)
CAROL = {"username": "carol", "password": "practice-carol", "totp_secret": "JBSWY3DPEHPK3PXP"}


class Practice:
    """The practice site and a lite engine on it."""

    def __init__(self, site: DemoSite, origin: str, engine: LiteEngine, run: Path, folder: Path) -> None:
        self.site = site
        self.origin = origin
        self.engine = engine
        self.run = run
        self.folder = folder

    def login(self, name: str = "alice", credentials: Mapping[str, str] | None = None) -> Login:
        """A login that the site has opened already."""
        state = self.site.storage_state(name, self.origin)
        return Login("acc_1", name, identity=name, state=state, credentials=credentials)

    def chromium(self) -> list[psutil.Process]:
        """The engine's Chromium with all its processes."""
        (record,) = self.run.glob(f"chromium-*/{RECORD}")
        return family(json.loads(record.read_text())["pid"])

    def driver(self) -> psutil.Process:
        """The engine's own process of Playwright."""
        (driver,) = [
            child
            for child in psutil.Process().children()
            if "run-driver" in child.cmdline() and child.environ()["TMPDIR"].startswith(str(self.run))
        ]
        return driver

    async def do(
        self,
        tool: str,
        desk: Notebook,
        *,
        login: Login | None = None,
        options: Options | None = None,
        **parameters: Any,
    ) -> Outcome:
        found = catalog().tools[f"demo.{tool}"]
        assignment = Assignment(
            task_id="task_1",
            tool=found,
            site=DEMO,
            parameters=found.parameters(**parameters),
            options=options or Options(),
            folder=self.folder,
            login=login or self.login(),
        )
        return await self.engine.carry_out(assignment, desk)


def fault(practice: Practice, **faults: Any) -> None:
    practice.site.faults = Faults(**faults)


async def refused(practice: Practice, desk: Notebook, kind: type[Failure], **more: Any) -> Failure:
    """What a post fails with; nothing is published and the last step shows where it stood."""
    before = practice.site.counts.total()
    with pytest.raises(kind) as caught:
        await practice.do("createPost", desk, text="Never to be seen", **more)
    assert type(caught.value) is kind
    assert practice.site.counts.total() == before
    assert desk.steps[-1].screenshot
    assert desk.steps[-1].results
    return caught.value
