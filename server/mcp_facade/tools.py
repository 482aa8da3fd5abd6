"""The tools as MCP shows them: one for each tool of the catalogue, and those that look after tasks and accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import mcp_types as types
from pydantic import BaseModel

from server.mcp_facade.app import APP_URI
from server.mcp_facade.arguments import AccountList, TaskGet, TaskList, TaskNamed, input_schema
from server.mcp_facade.schema import cleaned
from server.mcp_facade.visit import Visit
from tools.catalog import Catalog
from tools.tool import AnyTool

_NAMES = {"browser.runTask": "browser_run_task"}
"""The one tool whose name is not simply its catalogue name with an underscore."""
_ONCE = {"engage", "delete"}
"""Effects that a second call does not add to: the post is liked, or gone, already."""
OUTPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "task_id": {"type": "string"},
        "status": {"type": "string"},
        "progress": {"type": "object"},
        "result": {"type": "object"},
        "error": {"type": "object"},
        "next": {"type": "string"},
        "live_url": {"type": "string"},
    },
    "required": ["status"],
}
"""What every tool that acts answers. Shown once, with task_get: clients do not pass it to their models, and it is as long as a tool."""


@dataclass(frozen=True, slots=True)
class Errand:
    """A tool that looks after tasks or accounts, and needs no browser."""

    name: str
    description: str
    arguments: type[BaseModel]
    read_only: bool


ERRANDS: Sequence[Errand] = (
    Errand(
        "account_list",
        "Your accounts: the names that accountName takes.",
        AccountList,
        read_only=True,
    ),
    Errand("task_cancel", "Stops a task for good.", TaskNamed, read_only=False),
    Errand(
        "task_get",
        "A task's status, progress and result. Waits up to wait_seconds for its end; screenshot=true adds a picture.",
        TaskGet,
        read_only=True,
    ),
    Errand("task_list", "Your tasks, newest first.", TaskList, read_only=True),
    Errand("task_pause", "Pauses a task between two steps.", TaskNamed, read_only=False),
    Errand("task_resume", "Lets a paused task go on.", TaskNamed, read_only=False),
)


def mcp_name(tool: AnyTool) -> str:
    """The tool's name over MCP: letters, digits and underscores."""
    return _NAMES.get(tool.name, tool.mcp_name)


class Toolbox:
    """Every tool, by name and as lists for visits. Built once: some requests read the whole list before they call one tool."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.tools = {mcp_name(tool): tool for tool in catalog.tools.values()}
        self.errands = {errand.name: errand for errand in ERRANDS}
        self._listed = lru_cache(maxsize=64)(self._list)

    def seen(self, visit: Visit, *, app: bool = False) -> list[types.Tool]:
        """What the visit may use, by name. `app`: the client shows MCP Apps."""
        return self._listed(visit.platforms, visit.writes, app)

    def tool(self, name: str, visit: Visit) -> AnyTool | None:
        """The catalogue's tool of that name, if the visit may use it. The catalogue's own spelling is understood too."""
        tool = self.tools.get(name) or next((tool for tool in self.tools.values() if tool.mcp_name == name), None)
        allowed = tool is not None and visit.sees(tool.platform) and (visit.writes or not tool.writes)
        return tool if allowed else None

    def errand(self, name: str, visit: Visit) -> Errand | None:
        """The errand of that name, if the visit may use it."""
        errand = self.errands.get(name)
        return errand if errand is not None and (errand.read_only or visit.writes) else None

    def unknown(self, name: str, visit: Visit) -> str:
        """Why there is no such tool here, and which ones may have been meant."""
        if name in self.tools or name in self.errands:
            limits = "is read-only" if not visit.writes else f"is limited to {', '.join(sorted(visit.platforms or ()))}"
            return f"The tool '{name}' cannot be used here: this connection {limits}."
        names = [tool.name for tool in self.seen(visit)]
        close = get_close_matches(name, names, n=3, cutoff=0.5)
        return (
            f"There is no tool '{name}'. {'Did you mean ' + ' or '.join(close) if close else 'tools/list names them'}."
        )

    def _list(self, platforms: frozenset[str] | None, writes: bool, app: bool) -> list[types.Tool]:
        acting = [
            acting_tool(tool, app=app)
            for tool in self.tools.values()
            if (platforms is None or tool.platform in platforms) and (writes or not tool.writes)
        ]
        looking = [errand_tool(errand) for errand in ERRANDS if writes or errand.read_only]
        return sorted([*acting, *looking], key=lambda tool: tool.name)


def acting_tool(tool: AnyTool, *, app: bool) -> types.Tool:
    """A tool of the catalogue as it is listed."""
    return types.Tool(
        name=mcp_name(tool),
        description=tool.summary.rstrip("."),
        input_schema=input_schema(tool),
        annotations=_annotations(
            read_only=not tool.writes,
            # What is published or liked is added, and takes nothing away; only plain words may mean anything.
            destructive=tool.effect == "delete" or (tool.writes and not tool.account),
            idempotent=not tool.writes or tool.effect in _ONCE,
            open_world=True,
        ),
        _meta={"ui": {"resourceUri": APP_URI}} if app else None,
    )


def errand_tool(errand: Errand) -> types.Tool:
    """An errand as it is listed."""
    return types.Tool(
        name=errand.name,
        description=errand.description,
        input_schema=cleaned(errand.arguments),
        output_schema=OUTPUT_SCHEMA if errand.name == "task_get" else None,
        annotations=_annotations(
            read_only=errand.read_only, destructive=errand.name == "task_cancel", idempotent=True, open_world=False
        ),
    )


def _annotations(*, read_only: bool, destructive: bool, idempotent: bool, open_world: bool) -> types.ToolAnnotations:
    """The four hints. What a client assumes anyway (the specification says what) is left out, for every byte is read at each turn."""
    return types.ToolAnnotations(
        read_only_hint=read_only,
        destructive_hint=None if read_only else destructive,
        idempotent_hint=True if idempotent and not read_only else None,
        open_world_hint=None if open_world else False,
    )
