"""What a client sees: the tools, how they are described, and who sees which."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from anyio import to_thread
from jsonschema import Draft202012Validator
from mcp.client import advertise
from typer.testing import CliRunner

from server.auth import Caller
from server.commands import keys
from server.mcp_facade.app import APP_TYPE, APP_URI, app_html
from server.mcp_facade.app import EXTENSION as APP_EXTENSION
from server.mcp_facade.arguments import BrowsingWishes, Wishes
from server.mcp_facade.instructions import INSTRUCTIONS
from server.mcp_facade.tools import ERRANDS, Toolbox, mcp_name
from server.mcp_facade.visit import Visit
from storage.database import Database
from storage.keys import KeyStore
from tests.server.mcp.client import MODERN, Raw, connected
from tests.server.mcp.house import House, serving
from tools.catalog import catalog

ROOM = 10_240
READERS = {"account_list", "task_get", "task_list"}


def listed(visit: Visit | None = None, *, app: bool = False) -> list[dict[str, Any]]:
    """The tools as they go over the wire."""
    seen = Toolbox(catalog()).seen(visit or Visit(Caller("key", "owner", frozenset({"read", "write"}))), app=app)
    return [tool.model_dump(by_alias=True, mode="json", exclude_none=True) for tool in seen]


def test_the_list_of_all_tools_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {
        tool["name"]: len(json.dumps(tool, ensure_ascii=False, separators=(",", ":")).encode()) for tool in listed()
    }
    whole = len(json.dumps({"tools": listed()}, ensure_ascii=False, separators=(",", ":")).encode())
    with capsys.disabled():
        print()  # noqa: T201  # whoever adds a tool wants to see what it costs
        for name, size in sizes.items():
            print(f"{size:6} {name}")  # noqa: T201  # as above
        print(f"{whole:6} bytes of {ROOM}")  # noqa: T201  # as above
    assert whole < ROOM


def test_the_instructions_are_short_and_name_what_matters() -> None:
    assert len(INSTRUCTIONS.encode()) < 1500
    for word in ("task_get", "task_list", "account_list", "browser_run_task", "idempotency_key", "dryRun", "live_url"):
        assert word in INSTRUCTIONS


def test_every_tool_of_the_catalogue_is_listed_in_order() -> None:
    names = [tool["name"] for tool in listed()]
    assert names == sorted(names)
    assert set(names) == {mcp_name(tool) for tool in catalog().tools.values()} | {errand.name for errand in ERRANDS}
    assert "browser_run_task" in names
    assert all(name.replace("_", "").isalnum() and len(name) <= 64 for name in names)


@pytest.mark.parametrize("tool", listed(), ids=lambda tool: tool["name"])
def test_each_schema_is_valid_flat_and_closed_and_holds_no_decoration(tool: dict[str, Any]) -> None:
    schema = tool["inputSchema"]
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert tool["description"]
    text = json.dumps(schema)
    assert "$ref" not in text
    assert '"type": "null"' not in text
    for member in schema.get("properties", {}).values():
        assert "title" not in member
        assert "default" not in member


def test_the_examples_of_the_catalogue_fit_the_schemas() -> None:
    schemas = {tool["name"]: tool["inputSchema"] for tool in listed()}
    for tool in catalog().tools.values():
        given = tool.example.model_dump(mode="json", by_alias=True, exclude_unset=True)
        if tool.account:
            given["accountName"] = "me"
        jsonschema.validate(given, schemas[mcp_name(tool)], Draft202012Validator)


def test_no_tool_has_a_parameter_with_the_name_of_a_wish() -> None:
    for tool in catalog().tools.values():
        wishes = Wishes if tool.account else BrowsingWishes
        assert not set(tool.parameters.model_fields) & set(wishes.model_fields), tool.name


def test_the_annotations_tell_the_truth() -> None:
    by_name = {tool["name"]: tool["annotations"] for tool in listed()}
    assert by_name["demo_createPost"] == {"readOnlyHint": False, "destructiveHint": False}
    assert by_name["demo_likePost"] == {"readOnlyHint": False, "destructiveHint": False, "idempotentHint": True}
    assert by_name["demo_deletePost"] == {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True}
    assert by_name["browser_run_task"] == {"readOnlyHint": False, "destructiveHint": True}
    assert by_name["task_get"] == {"readOnlyHint": True, "openWorldHint": False}
    assert by_name["task_cancel"]["destructiveHint"] is True


def test_the_apps_page_is_named_only_to_clients_that_show_apps() -> None:
    assert not any("_meta" in tool for tool in listed())
    with_app = {tool["name"]: tool.get("_meta") for tool in listed(app=True)}
    assert with_app["demo_createPost"] == {"ui": {"resourceUri": APP_URI}}
    assert with_app["task_get"] is None


def test_the_apps_page_asks_for_nothing_from_outside() -> None:
    assert len(app_html()) < 4096
    for word in ("http:", "https:", "<iframe", "WebSocket", "fetch(", 'src="', "import "):
        assert word not in app_html()


@pytest.mark.anyio
async def test_a_client_that_shows_apps_finds_the_page(url: str, secret: str, era: str) -> None:
    shows = advertise(APP_EXTENSION, {"mimeTypes": [APP_TYPE]})
    async with connected(url, secret, era, extensions=[shows]) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        uri = (tools["browser_run_task"].meta or {})["ui"]["resourceUri"]
        (page,) = (await client.read_resource(uri)).contents
    assert page.mime_type == APP_TYPE
    assert getattr(page, "text", "") == app_html()


async def names_seen(url: str, secret: str, era: str = MODERN, headers: Mapping[str, str] | None = None) -> set[str]:
    async with connected(url, secret, era, headers) as client:
        return {tool.name for tool in (await client.list_tools()).tools}


@pytest.mark.anyio
async def test_both_eras_learn_the_same(url: str, secret: str, era: str) -> None:
    async with connected(url, secret, "auto" if era == MODERN else era) as client:
        assert (client.protocol_version == MODERN) == (era == MODERN)
        assert client.instructions == INSTRUCTIONS
        assert client.server_info is not None
        assert client.server_info.name == "webhand"
        assert client.server_info.version == "1.2.3"
        capabilities = client.server_capabilities
        names = {tool.name for tool in (await client.list_tools()).tools}
    assert names == {tool["name"] for tool in listed()}
    assert capabilities.completions is not None
    assert capabilities.prompts is not None
    assert capabilities.resources is not None
    assert capabilities.resources.subscribe is True
    assert capabilities.tools is not None
    assert not capabilities.tools.list_changed


@pytest.mark.anyio
async def test_a_key_that_only_reads_sees_only_what_reads(house: House, url: str, era: str) -> None:
    secret = await house.key("read")
    assert await names_seen(url, secret, era) == READERS
    async with connected(url, secret, era) as client:
        with pytest.raises(Exception, match="read-only"):
            await client.call_tool("browser_run_task", {"task": "step"})


@pytest.mark.anyio
async def test_the_readonly_path_and_header_hide_what_writes(url: str, secret: str, era: str) -> None:
    assert await names_seen(f"{url}/readonly", secret, era) == READERS
    assert await names_seen(url, secret, era, {"X-MCP-Readonly": "true"}) == READERS


@pytest.mark.anyio
async def test_toolsets_narrow_the_platforms_in_any_spelling(url: str, secret: str, era: str) -> None:
    seen = await names_seen(url, secret, era, {"X-MCP-Toolsets": "X, demo"})
    assert {name.partition("_")[0] for name in seen} == {"twitter", "demo", "task", "account"}
    assert await names_seen(url, secret, era, {"X-MCP-Toolsets": "all"}) == {tool["name"] for tool in listed()}


@pytest.mark.anyio
async def test_a_keys_platforms_hold_whatever_a_header_says(house: House, url: str) -> None:
    secret = await house.key(platforms=["demo"])
    seen = await names_seen(url, secret, headers={"X-MCP-Toolsets": "all"})
    assert {name.partition("_")[0] for name in seen} == {"demo", "task", "account"}
    async with connected(url, secret) as client:
        with pytest.raises(Exception, match="limited to demo"):
            await client.call_tool("browser_run_task", {"task": "step"})


@pytest.mark.anyio
async def test_a_key_is_made_with_its_limits(tmp_path: Path) -> None:
    given = ["create", "agent", "--platforms", "X,demo", "--wait", "4", "--hourly", "9", "--approval", "--json"]
    environment = {"WEBHAND_DATA": str(tmp_path)}
    made = await to_thread.run_sync(lambda: CliRunner().invoke(keys.app, given, env=environment))
    assert made.exit_code == 0, made.stderr
    wrong = ["create", "agent", "--platforms", "nowhere"]
    refused = await to_thread.run_sync(lambda: CliRunner().invoke(keys.app, wrong, env=environment))
    assert refused.exit_code != 0
    assert "use one of browser, demo" in refused.stderr
    database = Database(f"sqlite:///{tmp_path / 'webhand.db'}")
    await database.open()
    row = await KeyStore(database).find(json.loads(made.stdout)["key"])
    await database.close()
    assert row is not None
    assert row.settings == {"platforms": ["twitter", "demo"], "wait_seconds": 4, "hourly": 9, "approval": True}


@pytest.mark.anyio
async def test_tasks_of_other_platforms_cannot_be_seen_either(house: House, url: str) -> None:
    secret, owner = await house.key(owner="both"), "both"
    narrow = await house.key(owner=owner, platforms=["demo"])
    async with connected(url, secret) as client:
        made = (await client.call_tool("browser_run_task", {"task": "step"})).structured_content
    async with connected(url, narrow) as client:
        hidden = await client.call_tool("task_get", {"task_id": made["task_id"]})
        rows = (await client.call_tool("task_list", {})).structured_content
    assert hidden.is_error
    assert rows["tasks"] == []


@pytest.mark.anyio
async def test_a_server_may_show_less_to_everybody(house: House, secret: str) -> None:
    async with serving(house, platforms=["demo"], read_only=True) as url:
        assert await names_seen(url, secret) == READERS
    async with serving(house, platforms=["demo"]) as url:
        seen = await names_seen(url, secret)
    assert {name.partition("_")[0] for name in seen} == {"demo", "task", "account"}


@pytest.mark.anyio
async def test_the_list_does_not_change_by_calling(url: str, secret: str) -> None:
    before = await names_seen(url, secret)
    async with connected(url, secret) as client:
        await client.call_tool("browser_run_task", {"task": "step"})
    assert await names_seen(url, secret) == before


@pytest.mark.anyio
async def test_a_list_is_written_out_once_for_each_kind_of_visitor(house: House, url: str, secret: str) -> None:
    raw = Raw(url, secret)
    first, again = await raw.result("tools/list", {}), await raw.result("tools/list", {})
    assert first == again
    reads = Raw(url, await house.key("read"))
    assert {tool["name"] for tool in (await reads.result("tools/list", {}))["tools"]} == READERS
    apps = Raw(url, secret, {"extensions": {"io.modelcontextprotocol/ui": {}}})
    shown = {tool["name"]: tool for tool in (await apps.result("tools/list", {}))["tools"]}
    assert "ui" in shown["browser_run_task"]["_meta"]
    assert await raw.result("tools/list", {}) == first
