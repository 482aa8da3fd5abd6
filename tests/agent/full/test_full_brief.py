"""What a run is told: its task, its walls and its secrets, and the messages that carry them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from agent.engine import Assignment, Login, Options
from agent.full.brief import ACTIONS, Brief
from agent.full.wire import Arming, Beat, Begin, Grant, ModelChoice, from_runner, to_runner
from agent.origins import Origins
from tests.agent.full.board import SITE, WriteNote, write_note
from tools.browser.run_task import RunTask
from tools.browser.run_task import tool as run_task


def brief(tmp_path: Path, task: str | None = None, **more: Any) -> Brief:
    on_site = task is None
    assignment = Assignment(
        task_id="t",
        tool=write_note if on_site else run_task,
        site=SITE if on_site else None,
        parameters=WriteNote(text="Hi “there”") if on_site else RunTask(task=task or ""),
        folder=tmp_path,
        options=Options(**more.pop("options", {})),
        **more,
    )
    return Brief(assignment, Origins({SITE.home: "http://127.0.0.1:7777"}))


def test_a_platforms_task_is_told_where_it_really_is(tmp_path: Path) -> None:
    told = brief(tmp_path)
    assert told.start_url == "http://127.0.0.1:7777/"
    assert "http://127.0.0.1:7777 ." in told.task
    assert '"text": "Hi “there”"' in told.task
    assert told.wall.hosts == ("board.example",)
    assert told.wall.opened == ("127.0.0.1:7777",)
    assert told.actions == ACTIONS
    words = "Write a note on the board with this text: Hi “there”\nHi “there”"
    assert told.arming == Arming(after_typing=True, login_urls=("http://127.0.0.1:7777/login",), told=words)


def test_a_task_in_plain_words_may_go_anywhere_unless_it_is_told_not_to(tmp_path: Path) -> None:
    free = brief(tmp_path, "Find the weather")
    assert free.wall.hosts == ("*",)
    assert {"search", "write_file"} <= set(free.actions)
    assert not {"read_file", "upload_file", "evaluate"} & set(free.actions)
    bound = brief(tmp_path, "Find the weather", options={"allowed_domains": ("https://*.weather.example",)})
    assert bound.wall.hosts == ("*.weather.example",)
    assert "search" not in bound.actions


def test_allowed_domains_only_narrow_a_platforms_hosts(tmp_path: Path) -> None:
    assert brief(tmp_path, options={"allowed_domains": ("evil.example", "board.example")}).hosts == ("board.example",)


def test_credentials_are_bound_to_the_platform_and_to_their_fields(tmp_path: Path) -> None:
    login = Login("a", "a", credentials={"username": "me", "password": "pw-1234", "totp_secret": "JBSWY3DPEHPK3PXP"})
    grants = {grant.name: grant for grant in brief(tmp_path, login=login).grants}
    assert {name: (grant.field, grant.totp) for name, grant in grants.items()} == {
        "account_username": ("input", False),
        "account_password": ("password", False),
        "account_code": ("input", True),
    }
    assert {grant.hosts for grant in grants.values()} == {("board.example", "127.0.0.1:7777")}


def test_secrets_are_bound_to_the_sites_that_the_task_names(tmp_path: Path) -> None:
    def hosts(task: str) -> tuple[str, ...]:
        (grant,) = brief(tmp_path, task, secrets={"k": "value-1"}).grants
        return grant.hosts

    assert hosts("Log in at https://www.shop.example/login with k") == ("*.shop.example",)
    assert hosts("Log in to shop.example, then go to other.example.") == ("*.shop.example", "*.other.example")
    assert hosts("Open http://127.0.0.1:8080/x") == ("127.0.0.1:8080",)
    assert hosts("Open http://localhost:3000 now") == ("localhost:3000",)


def test_a_dry_run_is_told_so(tmp_path: Path) -> None:
    told = brief(tmp_path, options={"dry_run": True})
    assert "This is a dry run" in told.task
    assert told.arming is not None
    assert told.arming.dry_run


def test_messages_survive_the_wire() -> None:
    begin = Begin(
        task="t",
        instructions="i",
        model=ModelChoice(base_url="http://x/v1", name="m", api_key="k"),
        max_steps=1,
        max_failures=1,
        width=1,
        height=1,
        highlight=False,
        vision=True,
        actions=("done",),
        grants=(Grant(name="word", value="open-sesame", hosts=("bank.example",)),),
        sandbox="/x",
        arming=Arming(after_typing=True),
    )
    assert to_runner.validate_json(begin.model_dump_json()) == begin
    assert isinstance(from_runner.validate_json(Beat().model_dump_json()), Beat)
    with pytest.raises(ValidationError):
        from_runner.validate_json('{"kind": "beat", "more": 1}')
