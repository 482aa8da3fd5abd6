"""Builds the wheel and the MCP bundle (a zip with the wheel in it) into dist/: `make bundle`, or `python -m build_bundle FOLDER`."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def build(folder: Path) -> Path:
    """Builds both into the folder, and returns the bundle."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    command = ["-m", "uv", "build", "--wheel", "--no-build-isolation", "--quiet", "--out-dir", str(folder)]
    subprocess.run([sys.executable, *command], check=True, cwd=ROOT)  # noqa: S603  # our own interpreter and arguments
    wheel = folder / f"webhand-{project['version']}-py3-none-any.whl"
    bundle = folder / f"webhand-{project['version']}.mcpb"
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("manifest.json", manifest(project["version"]))
        packed.writestr("pyproject.toml", requirements(project["requires-python"], wheel.name))
        packed.write(ROOT / "bundle" / "src" / "webhand_mcp.py", "src/webhand_mcp.py")
        packed.write(wheel, wheel.name)
    return bundle


def manifest(version: str) -> str:
    """The bundle's manifest, of this version."""
    told = json.loads((ROOT / "bundle" / "manifest.json").read_text())
    return json.dumps({**told, "version": version}, indent=2) + "\n"


def requirements(python: str, wheel: str) -> str:
    """What uv installs for the bundle: the wheel that lies in it, and what that needs."""
    return "\n".join(
        [
            "[project]",
            'name = "webhand-bundle"',
            'version = "0"',
            f'requires-python = "{python}"',
            'dependencies = ["webhand"]',
            "",
            "[tool.uv]",
            "package = false",
            "",
            "[tool.uv.sources]",
            f'webhand = {{ path = "{wheel}" }}',
            "",
        ]
    )


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"
    sys.stdout.write(f"{build(target)}\n")
