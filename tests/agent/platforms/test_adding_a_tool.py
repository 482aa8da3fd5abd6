"""The platform that docs/adding-a-tool.md adds, built from the page and played, word for word."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agent.engine import Assignment, Login, Options, Outcome
from agent.lite.engine import LiteEngine
from agent.origins import Origins
from tests.agent.conftest import served
from tests.agent.platforms.stage import Bench
from tools.catalog import Catalog, collect, modules
from tools.errors import DuplicateContent
from tools.inspection import uses
from tools.overrides import applied, parse

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[3] / "docs" / "adding-a-tool.md"
BLOCKS = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A package `readers_tools` with the page's files in it."""
    top = tmp_path_factory.mktemp("reader")
    package = top / "readers_tools"
    for name, text in BLOCKS.items():
        file = package / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (package / "__init__.py").write_text('"""A reader\'s tools."""\n')
    (package / "corkboard" / "__init__.py").write_text('"""Corkboard: notes."""\n')
    sys.path.insert(0, str(top))
    yield package
    sys.path.remove(str(top))
    for name in [name for name in sys.modules if name.partition(".")[0] == "readers_tools"]:
        del sys.modules[name]


@pytest.fixture
def built(folder: Path) -> Catalog:
    return collect(modules(importlib.import_module("readers_tools")))


@pytest.fixture
def stand_in(folder: Path) -> ModuleType:
    module = importlib.import_module("readers_tools.stand_in")
    module.notes.clear()
    return module


async def pinned(catalog: Catalog, engine: LiteEngine, cookies: dict[str, str], folder: Path) -> Outcome:
    tool = catalog.tools["corkboard.pinNote"]
    jar = [{"name": name, "value": value, "domain": "127.0.0.1", "path": "/"} for name, value in cookies.items()]
    state: dict[str, Any] = {"cookies": jar, "origins": []}
    login = Login("acc", "alice", identity="alice", state=state)
    site = catalog.sites["corkboard"]
    given = Assignment("task", tool, site, tool.example, Options(), folder, login=login)
    return await engine.carry_out(given, Bench())


def test_the_page_holds_a_platform_in_one_file() -> None:
    assert set(BLOCKS) == {"corkboard/site.py", "stand_in.py", "overrides.json"}


def test_the_catalogue_finds_the_new_platform_and_its_tool(built: Catalog) -> None:
    assert list(built.sites) == ["corkboard"]
    assert list(built.tools) == ["corkboard.pinNote"]
    assert built.site("corkboard.example").id == "corkboard"


def test_the_pages_overrides_fit_the_new_platform(built: Catalog) -> None:
    changed = applied(built, parse(json.loads(BLOCKS["overrides.json"]), built))
    tool = changed.tools["corkboard.pinNote"]
    assert tool.playbook
    found = {use.name: use.candidates for use in uses(tool.playbook(tool.example), changed.sites["corkboard"])}
    assert found["box"] == ("[data-testid=new-note-box]", "textarea")
    assert found["pin"] == ("[data-testid=pin-note]", "button[type=submit]")


async def test_the_new_tool_pins_a_note_on_the_pages_stand_in(
    built: Catalog, stand_in: ModuleType, chromium_path: Path, tmp_path: Path
) -> None:
    async with served(stand_in.app) as origin:
        engine = LiteEngine(chromium_path, tmp_path / "lite", Origins({"https://corkboard.example": origin}))
        try:
            outcome = await pinned(built, engine, {"member": "alice"}, tmp_path)
            assert outcome.result == {
                "output": "Pinned note 1",
                "noteId": "1",
                "noteUrl": "https://corkboard.example/notes/1",
            }
            with pytest.raises(DuplicateContent, match="hangs there already"):
                await pinned(built, engine, {"member": "alice"}, tmp_path)
        finally:
            await engine.close()
    assert stand_in.notes == ["Milk, eggs, bread"]
