"""Rules that every site and every tool of the catalogue keeps, and how names are resolved."""

from __future__ import annotations

import dataclasses
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from tools.catalog import catalog, collect, modules
from tools.errors import InvalidParameters, PlatformNotFound, every_failure
from tools.playbook import Answer, Expect, Goto, Listen, Move, Playbook, Read, Reading, Stage, publishing_moves
from tools.proof import Proof
from tools.site import Signs, Site
from tools.tool import AnyTool

CODES = {failure.code for failure in every_failure()}
SITES = list(catalog().sites.values())
TOOLS = list(catalog().tools.values())
CAMEL = r"[a-z]+(?:[A-Z0-9][a-z0-9]*)*"

every_site = pytest.mark.parametrize("site", SITES, ids=lambda site: site.id)
every_tool = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)


def played(tool: AnyTool) -> Playbook:
    return tool.playbook(tool.example) if tool.playbook else ()


def proved(tool: AnyTool) -> Proof | None:
    return tool.proof(tool.example) if tool.proof else None


def stages(tool: AnyTool) -> tuple[Stage, ...]:
    proof = proved(tool)
    return played(tool) + (proof.stages if proof else ())


def moves(tool: AnyTool) -> list[Move]:
    return [move for stage in stages(tool) for move in stage.moves]


def properties(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return schema.get("properties", {})


def allowed(host: str | None, site: Site) -> bool:
    return any(
        pattern in ("*", host) or (pattern.startswith("*.") and (host or "").endswith(pattern[1:]))
        for pattern in site.hosts
    )


def patterns(site: Site) -> Iterator[str]:
    for signs in (site.logged_in, site.logged_out, site.challenge, site.suspended, site.rate):
        yield from signs.urls
    if site.who:
        yield site.who.pattern


# -- sites


def test_ids_and_aliases_name_one_site_each() -> None:
    names = [name for site in SITES for name in (site.id, *site.aliases)]
    assert len(set(names)) == len(names)
    assert all(name == name.casefold().strip() for name in names)


@every_site
def test_a_sites_own_pages_lie_inside_its_wall(site: Site) -> None:
    assert site.hosts
    for page in (site.home, site.login_url):
        assert not page.startswith("http") or allowed(urlsplit(page).hostname, site), page
    assert not site.home.endswith("/")


@every_site
def test_a_site_with_accounts_shows_who_is_logged_in(site: Site) -> None:
    if any(tool.account for tool in catalog().of(site.id)):
        assert site.logged_in != Signs()
        assert site.logged_out != Signs()
        assert site.who is not None
        assert site.login_url


@every_site
def test_a_sites_patterns_are_regular_expressions_and_its_policy_is_told(site: Site) -> None:
    for pattern in patterns(site):
        re.compile(pattern)
    assert site.policy.endswith(".")
    assert re.fullmatch(r"[a-z][a-z0-9]*", site.id)


# -- tools


@every_tool
def test_a_tool_is_named_after_its_platform_and_its_action(tool: AnyTool) -> None:
    assert tool.platform in catalog().sites
    assert re.fullmatch(CAMEL, tool.action)
    assert re.fullmatch(r"[a-zA-Z0-9_]{1,64}", tool.mcp_name)
    assert catalog().tool(tool.platform, tool.action) is tool


def test_no_two_tools_differ_in_case_alone() -> None:
    assert len({tool.mcp_name.casefold() for tool in TOOLS}) == len(TOOLS)


@every_tool
def test_a_summary_is_one_short_sentence(tool: AnyTool) -> None:
    assert tool.summary.endswith(".")
    assert len(tool.summary) < 160
    assert "\n" not in tool.summary


@every_tool
def test_parameters_are_camel_case_described_and_closed(tool: AnyTool) -> None:
    schema = tool.parameters.model_json_schema()
    assert schema["additionalProperties"] is False
    for name, field in properties(schema).items():
        assert re.fullmatch(CAMEL, name), name
        assert field.get("description", "").strip().endswith("."), name


@every_tool
def test_results_are_camel_case_and_begin_with_the_output(tool: AnyTool) -> None:
    schema = tool.result.model_json_schema(mode="serialization")
    names = list(properties(schema))
    assert names[0] == "output"
    for name in names[1:]:
        assert re.fullmatch(CAMEL, name), name
        assert properties(schema)[name].get("description"), name
    assert "output" in schema["required"]


@every_tool
def test_an_example_is_valid_as_callers_would_send_it(tool: AnyTool) -> None:
    sent = tool.example.model_dump(by_alias=True, mode="json", exclude_unset=True)
    assert tool.parameters.model_validate(sent) == tool.example
    if tool.check:
        tool.check(tool.example)


@every_tool
def test_a_goal_says_what_to_do_with_the_very_words(tool: AnyTool) -> None:
    told = tool.goal(tool.example)
    assert told.strip()
    if tool.content:
        assert all(line in told for line in tool.content(tool.example).splitlines())


@every_tool
def test_a_tool_that_publishes_says_what(tool: AnyTool) -> None:
    assert tool.account is False or tool.effect != "publish" or tool.content is not None


@every_tool
def test_a_playbook_is_made_of_stages_with_goals_and_words(tool: AnyTool) -> None:
    assert tool.playbook is None or played(tool)
    for stage in stages(tool):
        assert stage.goal.strip()
        assert stage.goal[0].isupper()
        assert re.fullmatch(r"[a-z]+(?:_[a-z]+)*", stage.word)
        assert stage.moves


@every_tool
def test_a_playbook_has_one_move_that_cannot_be_taken_back(tool: AnyTool) -> None:
    if tool.playbook:
        assert len(publishing_moves(played(tool))) == (1 if tool.writes else 0)
    proof = proved(tool)
    assert proof is None or publishing_moves(proof.stages) == []


@every_tool
def test_every_write_that_is_played_is_proved(tool: AnyTool) -> None:
    if tool.writes and tool.playbook:
        proof = proved(tool)
        assert proof is not None
        assert proof.stages


@every_tool
def test_an_answer_is_listened_for_before_the_click_that_causes_it(tool: AnyTool) -> None:
    armed: set[str] = set()
    answered: set[str] = set()
    published = not publishing_moves(played(tool))
    for move in moves(tool):
        if isinstance(move, Listen):
            armed.add(move.name)
        elif isinstance(move, Answer):
            assert move.name in armed
            assert published
            answered.add(move.name)
        elif getattr(move, "publishes", False):
            published = True
            assert armed
    assert answered == armed


@every_tool
def test_every_reading_that_is_used_is_read_somewhere(tool: AnyTool) -> None:
    read = set(properties(tool.result.model_json_schema()))
    used: set[str] = set()
    for move in moves(tool):
        if isinstance(move, Read):
            read.add(move.name)
        elif isinstance(move, Answer):
            read.update(move.readings)
        used.update(readings_in(move))
    proof = proved(tool)
    results = list(proof.result.values()) if proof else []
    used.update(value.name for value in results if isinstance(value, Reading))
    assert used <= read


def readings_in(move: Move) -> Iterator[str]:
    """The readings that a move's texts, addresses and selectors name."""
    for field in dataclasses.fields(move):
        value = cast("object", getattr(move, field.name))
        for part in cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,):
            if isinstance(part, Reading):
                yield part.name
            elif (
                isinstance(part, str)
                and field.name in ("url", "selector", "within", "frame")
                and not isinstance(move, Expect | Listen)
            ):
                yield from re.findall(r"\{(\w+)\}", part)


@every_tool
def test_a_proof_fills_the_result_model(tool: AnyTool) -> None:
    proof = proved(tool)
    if proof:
        known = {
            name: f"{value.before}7{value.after}" if isinstance(value, Reading) else value
            for name, value in proof.result.items()
        }
        assert tool.result.model_validate(known).output.strip()


@every_tool
def test_every_failure_code_is_one_of_ours(tool: AnyTool) -> None:
    for move in moves(tool):
        if isinstance(move, Expect):
            assert move.failure in CODES
        elif isinstance(move, Answer):
            assert {refusal.code for refusal in move.refusals} <= CODES


@every_tool
def test_every_pattern_is_a_regular_expression(tool: AnyTool) -> None:
    for move in moves(tool):
        for pattern in (getattr(move, "pattern", None), move.url if isinstance(move, Expect | Listen) else None):
            re.compile(pattern or "")
        for refusal in move.refusals if isinstance(move, Answer) else ():
            re.compile(refusal.pattern or "")


@every_tool
def test_no_playbook_leaves_its_platforms_hosts(tool: AnyTool) -> None:
    site = catalog().site(tool.platform)
    for move in moves(tool):
        if isinstance(move, Goto):
            address = move.url.before if isinstance(move.url, Reading) else move.url
            assert address.startswith(("/", "https://")) or (isinstance(move.url, Reading) and not address), address
            assert not address.startswith("//")
            assert address.startswith("/") or not address or allowed(urlsplit(address).hostname, site), address


# -- looking things up


@pytest.mark.parametrize("name", ["demo", "DEMO", " Practice ", "greenroom"])
def test_a_platform_answers_to_its_aliases_in_any_case(name: str) -> None:
    assert catalog().site(name).id == "demo"
    assert catalog().tool(name, "createPost").name == "demo.createPost"


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(PlatformNotFound, match="demo"):
        catalog().site("myspace")
    with pytest.raises(InvalidParameters, match=r"createPost.*likePost"):
        catalog().tool("demo", "createpost")


def test_a_new_tool_is_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shop" / "acme"
    folder.mkdir(parents=True)
    (tmp_path / "shop" / "__init__.py").touch()
    (folder / "__init__.py").touch()
    (folder / "site.py").write_text(
        "from tools.site import Signs, Site\n"
        "site = Site(id='acme', name='Acme', home='https://acme.example', hosts=('acme.example',), login_url='', logged_in=Signs())\n"
    )
    (folder / "ring_bell.py").write_text(
        "from tools.tool import Parameters, Result, Tool\n"
        "tool = Tool(name='acme.ringBell', summary='Rings.', parameters=Parameters, result=Result, goal=lambda p: 'Ring.',\n"
        "            effect='engage', example=Parameters())\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    found = collect(modules(importlib.import_module("shop")))
    assert list(found.sites) == ["acme"]
    assert found.tool("acme", "ringBell").writes
    for name in [name for name in sys.modules if name.split(".")[0] == "shop"]:
        del sys.modules[name]
