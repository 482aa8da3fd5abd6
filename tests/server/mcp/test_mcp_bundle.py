"""What is published: the bundle, and the description for lists of servers."""

from __future__ import annotations

import json
import re
import tomllib
import zipfile
from pathlib import Path

import build_bundle
from server.settings import Settings

ROOT = Path(__file__).parents[3]


def settings_named(names: list[str]) -> set[str]:
    """Those of the names that are settings."""
    return {name for name in names if name.removeprefix("WEBHAND_").lower() in Settings.model_fields}


def test_the_bundle_holds_the_wheel_and_what_installs_it(tmp_path: Path) -> None:
    bundle = build_bundle.build(tmp_path)
    with zipfile.ZipFile(bundle) as packed:
        names = set(packed.namelist())
        manifest = json.loads(packed.read("manifest.json"))
        project = tomllib.loads(packed.read("pyproject.toml").decode())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert manifest["version"] == version
    assert manifest["manifest_version"] == "0.4"
    assert manifest["server"]["type"] == "uv"
    assert manifest["server"]["entry_point"] in names
    assert project["tool"]["uv"]["sources"]["webhand"]["path"] in names
    assert names == {"manifest.json", "pyproject.toml", "src/webhand_mcp.py", f"webhand-{version}-py3-none-any.whl"}
    given = manifest["server"]["mcp_config"]["env"]
    assert settings_named(list(given)) == set(given)
    asked = set(re.findall(r"\$\{user_config\.(\w+)\}", " ".join(given.values())))
    assert asked == manifest["user_config"].keys()


def test_the_description_names_this_version_and_real_settings() -> None:
    described = json.loads((ROOT / "server.json").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (package,) = described["packages"]
    assert described["version"] == package["version"] == version
    assert len(described["description"]) <= 100
    names = [variable["name"] for variable in package["environmentVariables"]]
    assert settings_named(names) == set(names)
    assert f"<!-- mcp-name: {described['name']} -->" in (ROOT / "README.md").read_text()
