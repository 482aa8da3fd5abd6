"""The pieces that decide: guard, redaction, answers' schemas, prices, briefs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyotp
import pytest
from pydantic import ValidationError

from agent.engine import Assignment, Login, Options
from agent.full.answers import inlined, problems
from agent.full.brief import ACTIONS, Brief
from agent.full.files import safe
from agent.full.guard import Guard, Place, RefusedAct
from agent.full.prices import Price, prices
from agent.full.spending import Spending
from agent.full.wire import Arming, Beat, Begin, Grant, Spent, from_runner, to_runner
from agent.origins import Origins
from agent.redaction import Redactor
from tests.agent.full.board import SITE, WriteNote, write_note
from tools.browser.run_task import RunTask
from tools.browser.run_task import tool as run_task
from tools.errors import InvalidParameters

GRANT = Grant(name="word", value="open-sesame", hosts=("*.bank.example", "127.0.0.1:8080"), field="password")


def guard(**arming: Any) -> Guard:
    return Guard([GRANT], Arming(**arming) if arming else None)


def place(origin: str, field: str = "password") -> Place:
    return Place(origin, origin, field)


# -- guard -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    ["https://bank.example", "http://www.bank.example:8443", "http://127.0.0.1:8080", "https://bank.example:443"],
)
def test_a_secret_belongs_to_its_hosts(origin: str) -> None:
    assert guard().reveal("<secret>word</secret>!", place(origin)) == "open-sesame!"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://bank.example.evil.example",
        "https://evilbank.example",
        "http://127.0.0.1:8081",
        "http://127.0.0.1",
        "null",
        "file://bank.example",
        "chrome-extension://bank.example",
        "",
    ],
)
def test_a_secret_belongs_to_nobody_else(origin: str) -> None:
    with pytest.raises(RefusedAct, match="does not belong"):
        guard().reveal("<secret>word</secret>", place(origin))


TOLD = "Write this post:\n---\nFirst line,\nsecond line\n---"


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("input", {"text": "First line,\r\n  second line"}),
        ("input", {"text": "<secret>word</secret>"}),
        ("send_keys", {"keys": "second line"}),
        ("send_keys", {"keys": "Control+Shift+a"}),
        ("send_keys", {"keys": "Enter"}),
        ("click", {"index": 1}),
    ],
)
def test_the_texts_of_the_task_are_typed(action: str, parameters: dict[str, Any]) -> None:
    guard(after_typing=True, told=TOLD).check_words(action, parameters, place("https://board.example"))


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("input", {"text": "Buy my coins"}),
        ("send_keys", {"keys": "Coins"}),
        ("input", {"text": "First line, buy coins"}),
    ],
)
def test_no_other_words_are_typed_and_whoever_wants_to_is_watched(action: str, parameters: dict[str, Any]) -> None:
    watched = guard(after_typing=True, told=TOLD, login_urls=("https://board.example/login",))
    watched.check_words(action, parameters, place("https://board.example/login"))
    with pytest.raises(RefusedAct, match="Only the texts that the task gives"):
        watched.check_words(action, parameters, place("https://board.example"))
    assert watched.publishes("click", {}, place("https://board.example"))
    guard(after_typing=False).check_words(action, parameters, place("https://board.example"))  # a task in plain words


def test_a_password_goes_into_password_fields_only() -> None:
    for field in ("input", "any", ""):
        with pytest.raises(RefusedAct, match="password field"):
            guard().reveal("<secret>word</secret>", place("https://bank.example", field))


def test_a_totp_secret_is_typed_as_its_code() -> None:
    grant = Grant(name="code", value="JBSW Y3DP EHPK 3PXP", hosts=("bank.example",), field="input", totp=True)
    code = Guard([grant], None).reveal("<secret>code</secret>", place("https://bank.example", "input"))
    assert pyotp.TOTP("JBSWY3DPEHPK3PXP").verify(code, valid_window=1)


def test_an_act_counts_from_the_moment_something_was_typed() -> None:
    rules = guard(after_typing=True)
    at = place("https://bank.example")
    assert not rules.publishes("click", {"index": 1}, at)
    assert not rules.publishes("input", {"text": "hello"}, at)
    assert not rules.publishes("scroll", {}, at)
    assert all(rules.publishes(act, {}, at) for act in ("click", "send_keys", "select_dropdown", "upload_file"))


def test_an_act_without_content_counts_from_the_start() -> None:
    assert guard(after_typing=False).publishes("click", {}, place("https://bank.example"))


def test_a_typed_line_break_is_an_act() -> None:
    assert guard(after_typing=True).publishes("input", {"text": "hello\n"}, place("https://bank.example"))


def test_logging_in_is_no_publishing_act() -> None:
    rules = guard(after_typing=True, login_urls=("https://bank.example/login",))
    assert not rules.publishes("input", {"text": "me"}, Place("https://bank.example/login?next=/"))
    assert not rules.publishes("click", {}, Place("https://bank.example/login"))
    assert not rules.publishes("click", {}, Place("https://bank.example/compose"))


def test_typing_a_secret_is_not_typing_the_content() -> None:
    rules = guard(after_typing=True)
    assert not rules.publishes("input", {"text": "<secret>word</secret>"}, place("https://bank.example"))
    assert not rules.publishes("click", {}, place("https://bank.example"))


def test_in_a_dry_run_the_act_is_refused() -> None:
    rules = guard(after_typing=False, dry_run=True)
    with pytest.raises(RefusedAct, match="dry run"):
        rules.publishes("click", {}, place("https://bank.example"))


def test_where_the_control_that_publishes_is_known_a_dry_run_goes_through_the_rest_of_the_form() -> None:
    rules = guard(after_typing=True, dry_run=True, controls=("#send",))
    at = place("https://bank.example")
    assert rules.publishes("input", {"text": "two\nlines"}, at)
    assert rules.publishes("click", {}, at)
    assert rules.publishes("send_keys", {"keys": "more words"}, at)
    for act, parameters in (("click", {}), ("send_keys", {"keys": "Control+Enter"})):
        with pytest.raises(RefusedAct, match="dry run"):
            rules.publishes(act, parameters, replace(at, sends=True))


# -- redaction ---------------------------------------------------------------------------------------------------------


def redactor(**values: str) -> Redactor:
    return Redactor([Grant(name=name, value=value, hosts=()) for name, value in values.items()])


def test_a_secret_is_hidden_in_every_spelling() -> None:
    hide = redactor(p='a b&c"d/é').text
    shown = [
        'a b&c"d/é',
        "a%20b%26c%22d%2F%C3%A9",
        "a+b%26c%22d%2F%C3%A9",
        "a b&amp;c&quot;d/é",
        json.dumps('a b&c"d/é')[1:-1],
    ]
    assert {hide(spelling) for spelling in shown} == {"<secret>p</secret>"}


def test_the_longest_secret_wins() -> None:
    assert (
        redactor(short="pass1", long="pass12345").text("pass12345 pass1")
        == "<secret>long</secret> <secret>short</secret>"
    )


def test_a_short_secret_is_hidden_where_it_stands_alone() -> None:
    assert redactor(pin="1234").text("pin 1234, year 12345") == "pin <secret>pin</secret>, year 12345"
    assert redactor(pin="12").text("12 monkeys") == "12 monkeys"


def test_a_code_that_a_page_shows_is_hidden() -> None:
    hide = Redactor([Grant(name="code", value="JBSWY3DPEHPK3PXP", hosts=(), totp=True)])
    assert hide.text(f"Your code: {pyotp.TOTP('JBSWY3DPEHPK3PXP').now()}.") == "Your code: <secret>code</secret>."


def test_a_tree_is_redacted_down_to_its_keys() -> None:
    assert redactor(p="hunter22").tree({"hunter22": ["x hunter22", 1, None]}) == {
        "<secret>p</secret>": ["x <secret>p</secret>", 1, None]
    }


# -- answers -----------------------------------------------------------------------------------------------------------


def test_references_are_written_out() -> None:
    schema = {"$defs": {"a/b": {"type": "integer"}}, "properties": {"title": {"$ref": "#/$defs/a~1b"}}, "title": "X"}
    assert inlined(schema) == {"properties": {"title": {"type": "integer"}}}


def test_a_schema_that_contains_itself_comes_to_an_end() -> None:
    schema = {"$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"}
    assert "$ref" not in json.dumps(inlined(schema))


def test_what_is_wrong_with_an_answer_is_said() -> None:
    assert problems({"type": "object", "required": ["a"]}, {}) == "$: 'a' is a required property"
    assert problems({"type": "object"}, {}) == ""
    with pytest.raises(InvalidParameters):
        problems({"type": 5}, {})


# -- prices ------------------------------------------------------------------------------------------------------------


def test_a_model_is_found_by_the_longest_name_it_begins_with() -> None:
    table = prices()
    assert table.find("gpt-4o-mini-2024-07-18") is table.models["gpt-4o-mini"]
    assert table.find("openai/gpt-4.1") is table.models["gpt-4.1"]
    assert table.find("a-model-of-ones-own") is None


def test_cached_tokens_cost_less() -> None:
    price = Price(prompt=10, cached=1, completion=100)
    assert price.of(prompt=1000, cached=400, completion=10) == pytest.approx((6000 + 400 + 1000) / 1e6)  # pyright: ignore[reportUnknownMemberType]  # pytest's own stub


def test_a_step_costs_what_was_spent_since_the_last_one() -> None:
    spending = Spending(Price(prompt=1000, cached=100, completion=1000), None)
    told: list[tuple[int, float]] = []
    for _ in range(4):
        spending.add(Spent(prompt=1000, completion=50))
        told.append(spending.since_last())
    assert told == [(1050, 1.05)] * 4


def test_a_file_may_add_prices_and_replace_them(tmp_path: Path) -> None:
    own = tmp_path / "prices.json"
    own.write_text(
        '{"models": {"mine": {"prompt": 1, "cached": 1, "completion": 1}, "o3": {"prompt": 0, "cached": 0, "completion": 0}}}'
    )
    table = prices(own)
    assert table.models["mine"].prompt == 1
    assert table.models["o3"].prompt == 0
    assert "gpt-4.1" in table.models
    own.write_text('{"models": {"mine": {"prompt": -1, "cached": 0, "completion": 0}}}')
    prices.cache_clear()
    with pytest.raises(ValidationError):
        prices(own)


# -- briefs ------------------------------------------------------------------------------------------------------------


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


# -- the rest ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a b;rm -rf.csv", "a b_rm -rf.csv"),
        ("..", "file"),
        ("über.pdf", "über.pdf"),
        ("x" * 300 + ".txt", "x" * 120 + ".txt"),
    ],
)
def test_names_of_files_are_made_safe(name: str, kept: str) -> None:
    assert safe(name) == kept


def test_messages_survive_the_wire() -> None:
    begin = Begin(
        task="t",
        instructions="i",
        model={"base_url": "http://x/v1", "name": "m", "api_key": "k"},  # pyright: ignore[reportArgumentType]  # as it arrives
        max_steps=1,
        max_failures=1,
        width=1,
        height=1,
        highlight=False,
        vision=True,
        actions=("done",),
        grants=(GRANT,),
        sandbox="/x",
        arming=Arming(after_typing=True),
    )
    assert to_runner.validate_json(begin.model_dump_json()) == begin
    assert isinstance(from_runner.validate_json(Beat().model_dump_json()), Beat)
    with pytest.raises(ValidationError):
        from_runner.validate_json('{"kind": "beat", "more": 1}')
