"""What keeps a task from being created: the same text twice, a site's caps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from storage.tables import Account, Task, now
from storage.tasks import TaskStore
from tools.errors import DuplicateContent, RateLimited
from tools.site import Caps, Site

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """What the settings say of tasks."""

    max_pending: int = 10_000
    duplicate_hours: float = 24
    merge_identical: bool = False
    caps: bool = True
    approval: bool = False
    origins: Mapping[str, str] = field(default_factory=dict[str, str])


class Guards:
    """Looks at what an account did."""

    def __init__(self, tasks: TaskStore, limits: TaskLimits) -> None:
        self._tasks = tasks
        self._limits = limits

    def of(
        self, task: Task, site: Site, account: Account, *, allow_duplicate: bool
    ) -> Callable[[AsyncSession], Awaitable[None]]:
        """What looks whether the account may do this now: awaited in the transaction that adds the task."""

        async def check(session: AsyncSession) -> None:
            if not allow_duplicate:
                await self._duplicate(session, task, account)
            if self._limits.caps:
                await self._cap(session, site.engage if task.effect == "engage" else site.publish, task.effect, account)

        return check

    async def _duplicate(self, session: AsyncSession, task: Task, account: Account) -> None:
        hours = self._limits.duplicate_hours
        if task.effect != "publish" or task.content_hash is None or not hours:
            return
        since = now() - timedelta(hours=hours)
        same = await self._tasks.same_content(session, account.id, task.tool, task.content_hash, since)
        if same is not None:
            message = (
                f"Account '{account.name}' published this very text in the last {hours:g} hours, or is about to "
                f"(task {same.id}): change it, or send 'allowDuplicate': true."
            )
            raise DuplicateContent(message, details={"taskId": same.id})

    async def _cap(self, session: AsyncSession, caps: Caps, effect: str, account: Account) -> None:
        kinds = ["engage"] if effect == "engage" else ["publish", "delete"]
        moment = now()
        acts = await self._tasks.acts(session, account.id, kinds, moment - _DAY)
        for limit, window, word in ((caps.hourly, _HOUR, "hour"), (caps.daily, _DAY, "day")):
            recent = [act for act in acts if act >= moment - window]
            if len(recent) >= limit:
                wait = max(1, round((recent[-limit] + window - moment).total_seconds()))
                message = f"Account '{account.name}' may do {limit} of these per {word}: wait {wait} seconds."
                raise RateLimited(message, retry_after=wait, details={"limit": limit, "per": word})
