"""What is made from the code: pages of docs/, the MCP introduction, and the script of the newest tables.

`make docs` writes it, `make check` finds what is stale.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from server.settings import Settings
from storage.upgrades import whole
from tools.catalog import catalog
from tools.errors import every_failure
from tools.tool import AnyTool

_ROOT = Path(__file__).resolve().parent.parent
_MADE = "<!-- Made by `make docs`; change the code instead. -->\n"


def settings_page() -> str:
    """docs/settings.md: every setting."""
    lines = [
        _MADE,
        "# Settings\n",
        (
            "Each setting is an environment variable, or a line of a file `.env` in the working directory. "
            "Durations are in seconds unless the name says otherwise.\n"
        ),
        "| Variable | Default | Meaning |",
        "| --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default_factory is not None else _shown(field.default)
        lines.append(f"| `WEBHAND_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    if value is None:
        return "unset"
    return f"`{json.dumps(value)}`" if isinstance(value, bool) else f"`{value}`"


def tools_page() -> str:
    """docs/tools.md: every platform and tool."""
    found = catalog()
    lines = [
        _MADE,
        "# Tools\n",
        "Every platform and what can be asked of it, through REST, MCP and the command line alike.\n",
    ]
    for site in found.sites.values():
        lines += [f"## {site.name} (`{site.id}`)\n"]
        if site.aliases:
            lines += [f"Also known as {', '.join(f'`{alias}`' for alias in site.aliases)}.\n"]
        lines += [f"Proved on: {site.verified}. {site.policy}".strip() + "\n"]
        for tool in found.of(site.id):
            lines += _tool(tool)
    lines += ["## Error codes\n", "| Code | Meaning |", "| --- | --- |"]
    for failure in sorted(every_failure(), key=lambda kind: kind.code):
        lines.append(f"| `{failure.code}` | {' '.join((failure.__doc__ or '').split())} |")
    return "\n".join(lines) + "\n"


def _tool(tool: AnyTool) -> list[str]:
    schema: dict[str, Any] = tool.parameters.model_json_schema(by_alias=True)
    needed: list[str] = schema.get("required", [])
    engines = "lite and full" if tool.playbook is not None else "full"
    lines = [f"### `{tool.name}`\n", f"{tool.summary} Effect: {tool.effect}; engines: {engines}.\n"]
    lines += ["| Parameter | Type | Needed | Meaning |", "| --- | --- | --- | --- |"]
    properties: dict[str, dict[str, Any]] = schema.get("properties", {})
    for name, field in properties.items():
        lines.append(
            f"| `{name}` | {_type(field)} | {'yes' if name in needed else 'no'} | {field.get('description', '')} |"
        )
    example = tool.example.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return [*lines, "", f"Example: `{json.dumps(example, ensure_ascii=False)}`\n"]


def _type(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(
            str(option.get("type", "object")) for option in field["anyOf"] if option.get("type") != "null"
        )
    return str(field.get("type", "object"))


CHOICES = """\
## The Tasks API where its documents are silent

- Statuses: 200 for every success, create included; errors as in the table of [codes](tools.md#error-codes), in the envelope on every path.
- `tool` and `action`, both views' field names, and `accountName` at the top or among the parameters: both spellings are taken and given.
- A `timeout` above the limit is brought down to it; every view shows the `timeout` in force.
- A paused task is `processing`, with `waiting_for_human` as `progress.step`, and `progress.reason` and `progress.message` beside it.
- A task cancelled after its publishing act went out is `cancelled` and carries `error` with `OUTCOME_UNCERTAIN`.
- `dryRun: true` does everything but the last click and keeps a screenshot of the filled form. On the full engine clicks on what
  publishes and keys are refused, and no request leaves the browser that could change anything.
- A date of `endDate` without a time means the end of that day.
- `GET /api/tasks/:taskId?wait=30` answers when the task ends or pauses, or after so many seconds (at most 55); an `ETag`
  spares unchanged answers.
- `Idempotency-Key` on every create: the same answer for 24 hours; the same key with any other body is `IDEMPOTENCY_KEY_REUSED` (409).
- A `limit` above 100 means 100, and the answer says so. A fault of our own is `PLATFORM_ERROR` (500) with `cause` in its details.
- While the database is away: `DATABASE_UNAVAILABLE` (503) with `retryAfter`. Whether a create was carried out is then unknown; the same
  `Idempotency-Key` finds out.
- `POST /api/accounts/oauth/authorize` takes `platform` and maybe `name`, and answers with the account and the page to sign in at.
- A key that may only read gets a `liveUrl` that may only watch. Each call needs the scope that stands above, and no other.
- A slash at the end of a path changes nothing; null in an optional member means that nothing is said.
- Totals are exact. Unfiltered ones and those by platform, action and account cost the same however many tasks there are, as do pages by
  platform, account and status.
- The same text is not published twice by an account within `WEBHAND_DUPLICATE_HOURS` unless the call says
  `allowDuplicate`: `DUPLICATE_CONTENT` (409).
- `X-RateLimit-Reset` is Unix time in seconds, of the hourly window.

Cloud v1's choices: [rest-cloud.md](rest-cloud.md). Webhooks of both: [webhooks.md](webhooks.md).
"""


def rest_page() -> str:
    """docs/rest.md: every endpoint of both dialects."""
    from server.rest.apis import cloud_api, tasks_api  # only this page needs the web framework

    lines = [
        _MADE,
        "# REST\n",
        "The documents for programs are at `/openapi.json`, `/api/v1/openapi.json` and `/api/platforms/schema`; `/docs` shows them.\n",
    ]
    for api in (tasks_api(), cloud_api()):
        lines += [
            f"## {api.title}\n",
            f"{api.description}\n",
            "| Method | Path | What | Scope |",
            "| --- | --- | --- | --- |",
        ]
        for one in api.endpoints:
            if one.documented:
                lines.append(f"| {one.method} | `{api.prefix}{one.path}` | {one.summary} | {one.scope or ''} |")
        lines.append("")
    return "\n".join(lines) + "\n" + CHOICES


def introduction_page() -> str:
    """server/mcp_facade/introduction.json: what the MCP server answers to those who introduce themselves."""
    from server.introductions import take_down  # only this page needs the whole server

    return json.dumps(take_down(), ensure_ascii=False, indent=1) + "\n"


def undocumented_dependencies() -> list[str]:
    """The run-time dependencies that docs/dependencies.md has no line for."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[^\w-]", line, maxsplit=1)[0] for line in project["dependencies"]]
    page = (_ROOT / "docs" / "dependencies.md").read_text()
    return [name for name in names if f"\n| {name} |" not in page]


PAGES: Mapping[str, Callable[[], str]] = {
    "docs/rest.md": rest_page,
    "docs/settings.md": settings_page,
    "docs/tools.md": tools_page,
    "server/mcp_facade/introduction.json": introduction_page,
    "storage/migrations/newest.sql": whole,
}


def main(arguments: list[str]) -> int:
    """Writes the pages (`--write`), or says which are stale."""
    stale: list[str] = []
    for name, page in PAGES.items():
        path = _ROOT / name
        fresh = page()
        if "--write" in arguments:
            path.write_text(fresh)
        elif not path.exists() or path.read_text() != fresh:
            stale.append(name)
    unjustified = undocumented_dependencies()
    if stale:
        sys.stderr.write(f"Stale: {', '.join(stale)}. Run 'make docs'.\n")
    if unjustified:
        sys.stderr.write(f"Without a line in docs/dependencies.md: {', '.join(unjustified)}.\n")
    return 1 if stale or unjustified else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
