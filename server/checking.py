"""Looks whether a platform's pages still are as its playbooks know them, whether a server runs on the data folder or not."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from agent.engine import Assignment, Login, Options, Reason, StepReport, Window
from agent.lite.inspector import Inspection, Seen
from agent.orders import login_of
from server.engines import build_lite
from server.house import PRACTICE, overridden
from server.practice.site import serve_demo_site
from server.settings import Settings
from storage.accounts import AccountStore
from storage.database import Database
from storage.vault import open_vault
from tools.catalog import Catalog, catalog
from tools.errors import AccountNotFound, ChallengeRequired, Conflict, InvalidParameters
from tools.site import Site
from tools.tool import AnyTool

OWNER = "default"
"""Whose accounts this machine's own commands see."""
Keep = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Stores a browser's storage state."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A platform's playbooks, looked at."""

    site: Site
    account: str | None
    inspections: Sequence[Inspection]


class QuietDesk:
    """A worker's desk at which nobody sits: nothing is recorded, nobody can be asked, and no act may go out."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep

    async def progress(self, word: str, percentage: int) -> None:
        """Says nothing."""

    async def step(self, report: StepReport) -> None:
        """Records nothing."""

    async def arm(self) -> NoReturn:
        """Lets no act out."""
        message = "A check publishes nothing."
        raise Conflict(message)

    async def gate(self) -> None:
        """Goes on at once."""

    async def ask(self, reason: Reason, message: str) -> NoReturn:
        """Has nobody to ask."""
        del reason
        raise ChallengeRequired(message)

    async def keep_login(self, state: Mapping[str, Any]) -> None:
        """Stores what the login has become: a site may have exchanged its cookies."""
        await self._keep(state)

    def show(self, window: Window | None) -> None:
        """Shows nothing."""


async def check_platform(
    used: Settings, platform: str, account_name: str | None = None, only: Sequence[str] = ()
) -> Checked:
    """Looks at the platform's playbooks, with each tool's example. Raises a Failure where it cannot begin."""
    known = overridden(catalog(), used.overrides or used.data / "overrides.json")
    site = known.site(platform)
    chosen = tools_of(known, site, only)
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="webhand-check-")))
        origins = await stack.enter_async_context(stand_ins(used, site))
        login, keep = await stack.enter_async_context(logged_in(used, site, account_name))
        engine = build_lite(used, folder, origins)
        stack.push_async_callback(engine.close)
        inspections = [
            await engine.inspect(
                Assignment("check", tool, site, tool.example, Options(), folder, login=login), QuietDesk(keep)
            )
            for tool in chosen
        ]
    return Checked(site, account_name, inspections)


def tools_of(known: Catalog, site: Site, only: Sequence[str]) -> list[AnyTool]:
    """The platform's tools that have a playbook, or those of them that were named. Raises InvalidParameters."""
    wanted = [known.tool(site.id, name.removeprefix(f"{site.id}.")) for name in only] or known.of(site.id)
    found = [tool for tool in wanted if tool.playbook is not None]
    if not found:
        message = f"Platform '{site.id}' has no playbook to be checked."
        raise InvalidParameters(message)
    return found


@contextlib.asynccontextmanager
async def stand_ins(used: Settings, site: Site) -> AsyncGenerator[Mapping[str, str]]:
    """The configured stand-ins, and the running server's practice site; where none runs, one is served for the check."""
    if site.home != PRACTICE or PRACTICE in used.origins:
        yield used.origins
        return
    if practice := noted(used).get("practice"):
        yield {**used.origins, PRACTICE: practice}
        return
    async with serve_demo_site() as origin:
        yield {**used.origins, PRACTICE: origin}


def noted(used: Settings) -> Mapping[str, str]:
    """What the server that runs on this data folder says of itself; nothing where none runs."""
    try:
        return json.loads((used.data / "server.json").read_text())
    except (OSError, ValueError):
        return {}


@contextlib.asynccontextmanager
async def logged_in(used: Settings, site: Site, name: str | None) -> AsyncGenerator[tuple[Login | None, Keep]]:
    """The account's login, and what keeps it. Raises AccountNotFound."""
    if name is None:
        yield None, forget
        return
    database = Database(used.database)
    await database.open()
    try:
        vault = open_vault([key.get_secret_value() for key in used.vault_keys], used.data / "vault.key")
        await vault.check(database)
        accounts = AccountStore(database)
        account = await accounts.named(OWNER, site.id, name)
        if account is None:
            raise AccountNotFound.named(name, site.id)

        async def keep(state: Mapping[str, Any]) -> None:
            await accounts.refresh(account.id, vault.seal(state))

        yield login_of(account, vault), keep
    finally:
        await database.close()


async def forget(_state: Mapping[str, Any]) -> None:
    """Keeps nothing."""


def outcome(inspection: Inspection) -> str:
    """How far a playbook came, in a sentence."""
    who = f" Logged in: {inspection.identity}." if inspection.identity else ""
    if inspection.stopped is None:
        return f"{inspection.tool} came to its publishing act. Nothing was published.{who}\n"
    return f"{inspection.tool} stopped ({inspection.stopped.code}): {inspection.stopped.message}{who}\n"


def rank(seen: Seen) -> str:
    """The candidate that is there; with its place where it is not the first, for then the page has changed."""
    place = seen.use.candidates.index(seen.candidate or "") + 1 if seen.candidate in seen.use.candidates else 1
    return f"{seen.candidate}" + (f" (number {place} of {len(seen.use.candidates)})" if place > 1 else "")


def document(checked: Checked) -> dict[str, Any]:
    """The same for programs."""
    return {
        "platform": checked.site.id,
        "verified": checked.site.verified,
        "accountName": checked.account,
        "tools": [
            {
                "tool": inspection.tool,
                "ready": inspection.fine,
                "identity": inspection.identity,
                "error": inspection.stopped.as_error() if inspection.stopped else None,
                "selectors": [
                    {
                        "stage": seen.use.goal,
                        "move": seen.use.move,
                        "name": seen.use.name,
                        "publishes": seen.use.publishes,
                        "standing": seen.standing,
                        "candidate": seen.candidate,
                        "candidates": list(seen.use.candidates),
                    }
                    for seen in inspection.seen
                ],
            }
            for inspection in checked.inspections
        ],
    }
