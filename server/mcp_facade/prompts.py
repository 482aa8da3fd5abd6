"""Prompts that people pick from a menu, and what completes their arguments and the addresses of tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template

import mcp_types as types
from mcp.shared.exceptions import MCPError

from server.accounts import AccountService
from server.mcp_facade.errands import sites_with_accounts
from server.mcp_facade.visit import Context, Visit, visit_of
from server.tasks import TaskService
from storage.filters import TaskFilter

_MOST = 100
"""Values that the protocol lets a completion have."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One prompt. `text`: what is said for the user, with `$argument` filled in."""

    name: str
    description: str
    arguments: Mapping[str, tuple[str, bool]]
    """Name to (description, required)."""
    text: str


PROMPTS: Mapping[str, Wording] = {
    wording.name: wording
    for wording in (
        Wording(
            "publish",
            "Publish a text on a platform, and show the proof.",
            {
                "platform": ("Where, for example twitter", True),
                "account_name": ("Which of your accounts", True),
                "text": ("What to publish, word for word", True),
            },
            "Publish the text between the lines on $platform with my account '$account_name', word for word and once. Use the "
            "platform's own tool. When it has ended, tell me the address at which it was read back. When it failed, tell me why "
            "and do what 'next' says; do not publish twice.\n---\n$text\n---",
        ),
        Wording(
            "browse",
            "Do something on any website.",
            {"task": ("What to do and what to report", True), "start_url": ("Where to begin", False)},
            "Do this in a browser with browser_run_task and report what came of it. Begin at: $start_url\n\n$task",
        ),
        Wording(
            "look_into_task",
            "Find out how a task stands and what it needs.",
            {"task_id": ("The task", True)},
            "Look at the task $task_id with task_get and a screenshot. Tell me in two sentences how it stands, and what I or you "
            "should do next. Do not repeat what it was meant to do before I agree.",
        ),
    )
}


class Prompts:
    """Lists, fills and completes them."""

    def __init__(self, tasks: TaskService, accounts: AccountService) -> None:
        self._tasks = tasks
        self._accounts = accounts

    async def list(self, ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        """All of them."""
        del ctx, params
        return types.ListPromptsResult(prompts=[listed(wording) for wording in PROMPTS.values()])

    async def get(self, ctx: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        """One with its arguments filled in. Raises MCPError."""
        del ctx
        wording = PROMPTS.get(params.name)
        if wording is None:
            message = f"There is no prompt '{params.name}': use one of {', '.join(PROMPTS)}."
            raise MCPError(types.INVALID_PARAMS, message)
        given = params.arguments or {}
        missing = [name for name, (_, required) in wording.arguments.items() if required and not given.get(name)]
        if missing:
            message = f"The prompt '{params.name}' needs: {', '.join(missing)}."
            raise MCPError(types.INVALID_PARAMS, message)
        filled = Template(wording.text).substitute({name: given.get(name) or "-" for name in wording.arguments})
        message = types.PromptMessage(role="user", content=types.TextContent(text=filled))
        return types.GetPromptResult(description=wording.description, messages=[message])

    async def complete(self, ctx: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
        """What the argument's value may become."""
        context = (params.context.arguments if params.context is not None else None) or {}
        values = await self._values(visit_of(ctx), params.argument.name, context)
        begun = params.argument.value.casefold()
        fitting = [value for value in values if value.casefold().startswith(begun)]
        completion = types.Completion(values=fitting[:_MOST], total=len(fitting), has_more=len(fitting) > _MOST)
        return types.CompleteResult(completion=completion)

    async def _values(self, visit: Visit, argument: str, context: Mapping[str, str]) -> Sequence[str]:
        match argument:
            case "platform":
                return sites_with_accounts(self._tasks.catalog, visit)
            case "account_name":
                found = await self._accounts.list(visit.caller, platform=context.get("platform"))
                return sorted({account.name for account in found if visit.sees(account.platform)})
            case "task_id" | "id":
                filters = TaskFilter(platforms=visit.platforms)
                tasks, _ = await self._tasks.list(visit.caller, filters, limit=_MOST)
                return [task.id for task in tasks]
            case _:
                return ()


def listed(wording: Wording) -> types.Prompt:
    """The prompt as it is listed."""
    return types.Prompt(
        name=wording.name,
        description=wording.description,
        arguments=[
            types.PromptArgument(name=name, description=description, required=required)
            for name, (description, required) in wording.arguments.items()
        ],
    )
