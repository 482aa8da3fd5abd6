"""The tools that look after tasks and accounts: done at once, without a browser."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import mcp_types as types

from server.accounts import AccountService
from server.mcp_facade.arguments import AccountList, TaskGet, TaskList, TaskNamed, parsed
from server.mcp_facade.results import Json, Results, plain
from server.mcp_facade.tools import Errand
from server.mcp_facade.visit import Visit
from server.tasks import TaskService
from storage.filters import TaskFilter
from storage.states import OPEN, TaskState
from storage.tables import Account, Task, now
from tools.catalog import Catalog
from tools.errors import InvalidParameters, TaskNotFound

_GLIMPSE = 160
"""Characters of an output that a list shows."""


class Errands:
    """Does them."""

    def __init__(self, tasks: TaskService, accounts: AccountService, results: Results) -> None:
        self._tasks = tasks
        self._accounts = accounts
        self._results = results

    async def run(self, visit: Visit, errand: Errand, arguments: Mapping[str, Any]) -> types.CallToolResult:
        """Does one. Raises a Failure that says what to mend."""
        match errand.name:
            case "task_list":
                return await self._list(visit, parsed(TaskList, arguments))
            case "account_list":
                return await self._list_accounts(visit, parsed(AccountList, arguments))
            case _:
                return await self._steer(visit, errand.name, parsed(TaskNamed, arguments))

    async def task(self, visit: Visit, task_id: str) -> Task:
        """A task that the visit may see. Raises TaskNotFound."""
        task = await self._tasks.get(visit.caller, task_id)
        if not visit.sees(task.platform):
            raise TaskNotFound(details={"taskId": task_id})
        return task

    async def wanted(self, visit: Visit, arguments: Mapping[str, Any]) -> tuple[Task, TaskGet]:
        """What a task_get is about. Raises InvalidParameters or TaskNotFound."""
        wish = parsed(TaskGet, arguments)
        return await self.task(visit, wish.task_id), wish

    async def _steer(self, visit: Visit, name: str, wish: TaskNamed) -> types.CallToolResult:
        visit.need_write()
        await self.task(visit, wish.task_id)
        verbs = {"task_cancel": self._tasks.cancel, "task_pause": self._tasks.pause, "task_resume": self._tasks.resume}
        task = await verbs[name](visit.caller, wish.task_id)
        told = await self._results.told(task, visit)
        if name == "task_pause" and task.state is not TaskState.PAUSED:
            told["next"] = "It pauses after the present step; task_resume lets it go on."
        return plain(told)

    async def _list(self, visit: Visit, wish: TaskList) -> types.CallToolResult:
        offset, until = cursor_read(wish.cursor) if wish.cursor else (0, now())
        platform = self._tasks.catalog.site(wish.platform).id if wish.platform else None
        states = _states(wish.status)
        filters = TaskFilter(platform=platform, states=states, until=until, platforms=visit.platforms)
        tasks, total = await self._tasks.list(visit.caller, filters, limit=wish.limit, offset=offset)
        told: Json = {"status": "ok", "tasks": [self._row(task) for task in tasks], "total": total}
        if offset + len(tasks) < total:
            told["cursor"] = cursor_write(offset + len(tasks), until)
        return plain(told)

    def _row(self, task: Task) -> Json:
        row: Json = {"task_id": task.id, "status": task.state.value, "tool": self._results.tool_name(task)}
        row["created_at"] = task.created_at.isoformat(timespec="seconds")
        if task.account_name:
            row["account"] = task.account_name
        output = (task.result or {}).get("output")
        if isinstance(output, str):
            row["output"] = output if len(output) <= _GLIMPSE else output[:_GLIMPSE] + "…"
        if task.error is not None:
            row["error"] = task.error.get("code")
        return row

    async def _list_accounts(self, visit: Visit, wish: AccountList) -> types.CallToolResult:
        found = await self._accounts.list(visit.caller, platform=wish.platform, status=wish.status)
        accounts = [_account(account) for account in found if visit.sees(account.platform)]
        told: Json = {"status": "ok", "accounts": accounts}
        if not accounts:
            kinds = ", ".join(sites_with_accounts(self._tasks.catalog, visit))
            told["next"] = f"The user makes an account with 'webhand account add PLATFORM NAME' (platforms: {kinds})."
        elif any(account["status"] != "active" for account in accounts):
            told["next"] = "An account that is not active must be signed in by the user before it can be used."
        return plain(told)


def sites_with_accounts(catalog: Catalog, visit: Visit) -> list[str]:
    """The platforms of the visit that want an account."""
    return sorted({tool.platform for tool in catalog.tools.values() if tool.account and visit.sees(tool.platform)})


def cursor_write(offset: int, until: datetime) -> str:
    """Where the next page begins. It holds when the first one was asked for, so that new tasks do not shift what follows."""
    return base64.urlsafe_b64encode(f"{offset} {until.isoformat()}".encode()).decode().rstrip("=")


def cursor_read(cursor: str) -> tuple[int, datetime]:
    """What `cursor_write` wrote. Raises InvalidParameters."""
    try:
        offset, _, until = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(" ")
        return max(0, int(offset)), datetime.fromisoformat(until).astimezone(UTC)
    except (ValueError, binascii.Error):
        message = "cursor: is not one that task_list gave: leave it out to begin with the newest task."
        raise InvalidParameters(message) from None


def _states(word: str | None) -> frozenset[TaskState] | None:
    if word is None:
        return None
    return OPEN if word == "open" else frozenset({TaskState(word)})


def _account(account: Account) -> Json:
    row: Json = {"name": account.name, "platform": account.platform, "status": account.status}
    if account.identity:
        row["identity"] = account.identity
    if account.error_message:
        row["error"] = account.error_message
    return row
