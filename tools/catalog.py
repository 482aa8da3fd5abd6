"""The only list of tools and sites there is, found by walking the platform folders.

Aliases are resolved here and nowhere else.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from types import ModuleType

import tools
from tools.errors import InvalidParameters, PlatformNotFound
from tools.site import Site
from tools.tool import AnyTool, Tool


@dataclass(frozen=True)
class Catalog:
    """Every site and every tool, by canonical name."""

    sites: dict[str, Site]
    tools: dict[str, AnyTool]

    def site(self, name: str) -> Site:
        """The platform of that id or alias, whatever its case. Raises PlatformNotFound."""
        wanted = name.strip().casefold()
        for site in self.sites.values():
            if wanted == site.id or wanted in site.aliases:
                return site
        raise PlatformNotFound(
            f"Platform '{name}' is not known: use one of {', '.join(self.sites)}", details={"platform": name}
        )

    def tool(self, platform: str, action: str) -> AnyTool:
        """The platform's tool of that name. Raises PlatformNotFound or InvalidParameters."""
        site = self.site(platform)
        found = self.tools.get(f"{site.id}.{action}")
        if found is None:
            known = ", ".join(tool.action for tool in self.of(site.id))
            raise InvalidParameters(
                f"Platform '{site.id}' has no tool '{action}': use one of {known}",
                details={"platform": site.id, "tool": action},
            )
        return found

    def of(self, platform: str) -> list[AnyTool]:
        """The tools of one platform."""
        return [tool for tool in self.tools.values() if tool.platform == platform]


def modules(package: ModuleType) -> Iterable[ModuleType]:
    """Each module inside the platform folders."""
    for folder in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if folder.ispkg:
            room = importlib.import_module(folder.name)
            for item in pkgutil.iter_modules(room.__path__, room.__name__ + "."):
                yield importlib.import_module(item.name)


def collect(found: Iterable[ModuleType]) -> Catalog:
    """A catalog of what the modules hold: `site` in a site.py, `tool` in every other file that has one."""
    sites: dict[str, Site] = {}
    tools_: dict[str, AnyTool] = {}
    for module in found:
        site, tool = getattr(module, "site", None), getattr(module, "tool", None)
        if isinstance(site, Site) and module.__name__.endswith(".site"):
            sites[site.id] = site
        if isinstance(tool, Tool):
            tools_[tool.name] = tool
    return Catalog(sites=dict(sorted(sites.items())), tools=dict(sorted(tools_.items())))


@cache
def catalog() -> Catalog:
    """The catalog of this installation."""
    return collect(modules(tools))
