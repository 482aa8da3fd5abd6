"""`webhand platform check`: each selector of each playbook on the replicas, up to the publishing act, which is never made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.engine import Assignment, Login, Options
from agent.lite.engine import LiteEngine
from agent.lite.inspector import Inspection
from server.checking import QuietDesk, forget
from server.commands.root import app
from storage.accounts import AccountStore
from storage.database import Database
from storage.tables import Account
from storage.vault import open_vault
from tests.agent.platforms.stage import Stage
from tests.replicas.faults import Fault
from tests.replicas.replica import Replica
from tests.replicas.table import PLATFORMS
from tools.catalog import catalog

WRITES = [name for name, tool in catalog().tools.items() if tool.platform in PLATFORMS]


async def inspected(lite: LiteEngine, stage: Stage, name: str, *, stranger: bool = False) -> Inspection:
    """One tool's playbook, looked at on its replica."""
    tool, replica = stage.catalog.tools[name], stage.replicas[name.partition(".")[0]]
    login = None if stranger else Login("acc", "main", identity=replica.member, state=replica.login_state())
    given = Assignment(
        "check", tool, stage.catalog.sites[tool.platform], tool.example, Options(), stage.folder, login=login
    )
    return await lite.inspect(given, QuietDesk(forget))


def standings(inspection: Inspection) -> dict[str | None, str]:
    return {seen.use.name: seen.standing for seen in inspection.seen}


@pytest.mark.anyio
@pytest.mark.parametrize("name", WRITES)
async def test_every_selector_up_to_the_publishing_act_is_found_and_nothing_is_published(
    name: str, lite: LiteEngine, stage: Stage
) -> None:
    replica = stage.replicas[name.partition(".")[0]]
    inspection = await inspected(lite, stage, name)
    assert inspection.fine, inspection.stopped
    assert {seen.standing for seen in inspection.seen} == {"found"}
    assert inspection.seen[-1].use.publishes
    assert inspection.identity == replica.member
    assert replica.published == []
    assert not [request for request in replica.requests if request.startswith("POST")]


@pytest.mark.anyio
async def test_a_moved_selector_is_named_and_what_comes_after_it_is_not_reached(lite: LiteEngine, stage: Stage) -> None:
    stage.replicas["twitter"].reset(Fault.MOVED)
    inspection = await inspected(lite, stage, "twitter.createTweet")
    assert inspection.stopped
    assert inspection.stopped.code == "PAGE_CHANGED"
    assert standings(inspection) == {"dialog": "found", "box": "missing", "send": "not reached"}


@pytest.mark.anyio
async def test_a_stranger_sees_how_far_strangers_get(lite: LiteEngine, stage: Stage) -> None:
    stage.replicas["twitter"].reset(Fault.LOGGED_OUT)
    inspection = await inspected(lite, stage, "twitter.createTweet", stranger=True)
    assert inspection.stopped
    assert inspection.stopped.code == "WRONG_PAGE"
    assert "login" in inspection.stopped.message
    assert "found" not in standings(inspection).values()


@pytest.mark.anyio
async def test_what_was_done_before_needs_no_selector(lite: LiteEngine, stage: Stage) -> None:
    twitter: Any = stage.replicas["twitter"]
    twitter.liked.add(("alice", "20"))
    inspection = await inspected(lite, stage, "twitter.likeTweet")
    assert inspection.fine
    assert standings(inspection)["like"] == "not needed"


def connected(data: Path, replica: Replica) -> None:
    """An account of the replica's member in the data folder."""

    async def add() -> None:
        database = Database(f"sqlite:///{data / 'webhand.db'}")
        await database.open()
        vault = open_vault([], data / "vault.key")
        await vault.check(database)
        row = Account(
            id="acc",
            owner="default",
            platform=replica.platform,
            name="main",
            auth_method="cookies",
            status="active",
            login_state=vault.seal(replica.login_state()),
        )
        await AccountStore(database).add(row)
        await database.close()

    asyncio.run(add())


def run(data: Path, replica: Replica, chromium: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    """The command as a user calls it: exit code, its JSON, and what it says on stderr."""
    home = catalog().sites[replica.platform].home
    environment = {
        "WEBHAND_DATA": str(data),
        "WEBHAND_CHROMIUM": str(chromium),
        "WEBHAND_ORIGINS": json.dumps({home: replica.origin}),
    }
    done = CliRunner().invoke(app, ["platform", "check", replica.platform, *more, "--json"], env=environment)
    return done.exit_code, json.loads(done.stdout) if done.stdout else {}, done.stderr


def test_the_command_reports_a_rebuilt_site_and_the_users_own_selectors_heal_it(
    replicas: Mapping[str, Replica], tmp_path: Path, chromium_path: Path
) -> None:
    replica = replicas["xueqiu"]
    replica.reset(Fault.MOVED)
    connected(tmp_path, replica)
    code, said, _ = run(tmp_path, replica, chromium_path, "--account", "main")
    (tool,) = said["tools"]
    assert (code, tool["ready"], tool["error"]["code"]) == (1, False, "PAGE_CHANGED")
    assert [use["name"] for use in tool["selectors"] if use["standing"] == "missing"] == ["box"]

    own = {"xueqiu": {"box": [".medium-editor-element", ".slate-editor[contenteditable=true]"]}}
    (tmp_path / "overrides.json").write_text(json.dumps(own))
    code, said, _ = run(tmp_path, replica, chromium_path, "--account", "main")
    (tool,) = said["tools"]
    assert (code, tool["ready"], tool["error"], tool["identity"]) == (0, True, None, replica.member)
    (box,) = {use["candidate"] for use in tool["selectors"] if use["name"] == "box"}
    assert box == ".slate-editor[contenteditable=true]"
    assert replica.published == []


@pytest.mark.parametrize(
    ("more", "says"),
    [(("--account", "nobody"), "Account 'nobody' not found"), (("--tool", "fly"), "has no tool 'fly'")],
)
def test_what_cannot_be_checked_is_one_sentence(
    more: tuple[str, ...], says: str, replicas: Mapping[str, Replica], tmp_path: Path, chromium_path: Path
) -> None:
    code, _, error = run(tmp_path, replicas["xueqiu"], chromium_path, *more)
    assert code == 2
    assert says in error


def test_a_wrong_override_is_refused_with_what_was_probably_meant(
    replicas: Mapping[str, Replica], tmp_path: Path, chromium_path: Path
) -> None:
    (tmp_path / "overrides.json").write_text('{"xueqiu": {"bxo": ".editor"}}')
    code, _, error = run(tmp_path, replicas["xueqiu"], chromium_path)
    assert code == 2
    assert "did you mean 'box'?" in error
