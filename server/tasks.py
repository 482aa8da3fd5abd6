"""Everything that any facade may ask of tasks. Approvals, idempotency, caps and the duplicate guard live here and nowhere else."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from agent.engine import EngineName
from server.auth import Caller
from server.guards import Guards, TaskLimits
from server.idempotency import Fingerprints, digest, once
from server.new_task import NewTask, engine_for, preview, timeout_for, validated
from storage.accounts import AccountStore
from storage.artifacts import ArtifactStore
from storage.database import Database
from storage.filters import TaskFilter
from storage.idempotency import IdempotencyClash
from storage.ids import mint, mint_uuid
from storage.states import TaskState
from storage.tables import Account, Artifact, Idempotency, Step, Task, now
from storage.tasks import QueueFull, TaskStore
from storage.vault import Vault
from tools.catalog import Catalog
from tools.errors import (
    AccountNotFound,
    AuthenticationFailed,
    BrowserFailed,
    Conflict,
    IdempotencyReused,
    InvalidParameters,
    NotCancellable,
    RateLimited,
    TaskNotFound,
)
from tools.site import Site
from tools.tool import AnyTool, Parameters

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.{0,60})?")
_FOLLOW_S = 2.0
_LANDING_S = 5.0
_FULL_S = 30
Complete = Callable[[NewTask], Awaitable[NewTask]]
"""What fills in the rest of a request that is a new one, or raises why it cannot be granted."""


@dataclass(frozen=True, slots=True)
class Created:
    """The task that answers a request, and whether this request made it."""

    task: Task
    new: bool


class TaskService:
    """Tasks, as every facade sees them. A task of another owner does not exist for the caller."""

    def __init__(
        self,
        database: Database,
        tasks: TaskStore,
        accounts: AccountStore,
        artifacts: ArtifactStore,
        vault: Vault,
        catalog: Catalog,
        limits: TaskLimits,
        trouble: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`trouble`: why nobody carries tasks out, in words; None while somebody does."""
        self._database = database
        self._tasks = tasks
        self._accounts = accounts
        self._artifacts = artifacts
        self._vault = vault
        self.catalog = catalog
        self._limits = limits
        self._trouble = trouble
        self._guards = Guards(tasks, limits)
        self._fingerprints = Fingerprints(vault)

    # -- asking -------------------------------------------------------------------------------------------------------

    async def create(self, caller: Caller, asked: NewTask, complete: Complete | None = None) -> Created:
        """Queues a task, or gives back the one that already answers the request.

        `complete` looks at whatever may have changed since an earlier request with the same idempotency key: that one is answered first.
        Raises InvalidParameters, PlatformNotFound, AccountNotFound, AuthenticationFailed, DuplicateContent, RateLimited,
        IdempotencyReused, BrowserFailed.
        """
        caller.need("write")
        fingerprint = self._fingerprints.of(asked.told())
        idempotency = once(caller, asked.idempotency_key, "", fingerprint)
        known = await self._known(idempotency)
        if known is not None:
            return Created(known, new=False)
        trouble = self._trouble()
        if trouble is not None:
            message = f"This server cannot carry tasks out: {trouble}."
            raise BrowserFailed(message)
        if complete is not None:
            asked = await complete(asked)
        tool = self.catalog.tool(asked.platform, asked.tool)
        site = self.catalog.site(tool.platform)
        parameters = validated(tool, asked.parameters)
        account = await self._account(caller, tool, site, asked.account_name)
        engine = engine_for(tool, asked.engine)
        task = self._row(caller, asked, tool, parameters, account, engine)
        task.request_hash = fingerprint
        if idempotency is not None:
            idempotency.subject = task.id
        allowed = None
        if tool.writes and account is not None and not asked.dry_run:
            allowed = self._guards.of(task, site, account, allow_duplicate=asked.allow_duplicate)
        merge = self._limits.merge_identical if asked.merge is None else asked.merge
        most = self._limits.max_pending
        try:
            stored = await self._tasks.add(task, idempotency, merge=merge, most=most, allowed=allowed)
        except IdempotencyClash:
            raise IdempotencyReused from None
        except QueueFull:
            message = "Too many tasks are waiting already: try again in a while."
            raise RateLimited(message, retry_after=_FULL_S) from None
        return Created(stored, new=stored.id == task.id)

    async def _known(self, idempotency: Idempotency | None) -> Task | None:
        """The task of an earlier request with this idempotency key: before anything that this very task may have changed since."""
        if idempotency is None:
            return None
        try:
            return await self._tasks.answered(idempotency)
        except IdempotencyClash:
            raise IdempotencyReused from None

    async def _account(self, caller: Caller, tool: AnyTool, site: Site, name: str | None) -> Account | None:
        if not tool.account:
            return None
        if not name:
            message = f"'accountName' is needed: the name of one of your accounts for platform '{site.id}'."
            raise InvalidParameters(message, details={"field": "accountName"})
        account = await self._accounts.named(caller.owner, site.id, name)
        if account is None:
            raise AccountNotFound.named(name, site.id)
        if account.status != "active" and account.credentials is None:
            why = "has not signed in yet"
            if account.status == "error":
                why = f"is not logged in any more ({account.error_message or account.error_code})"
            details = {"platform": site.id, "accountName": name, "accountId": account.id}
            message = f"Account '{name}' {why}: sign it in at its sign-in page, then try again."
            raise AuthenticationFailed(message, details=details)
        return account

    def _row(
        self,
        caller: Caller,
        asked: NewTask,
        tool: AnyTool,
        parameters: Parameters,
        account: Account | None,
        engine: EngineName,
    ) -> Task:
        sent = parameters.model_dump(mode="json", by_alias=True, exclude_unset=True)
        options = {**asked.options, **({"dry_run": True} if asked.dry_run else {})}
        wants_approval = (
            tool.effect in {"publish", "delete"} and not asked.dry_run and self._approval(caller, asked, account)
        )
        return Task(
            id=mint_uuid() if asked.dialect == "cloud" else mint("task"),
            owner=caller.owner,
            key_id=caller.key_id,
            dialect=asked.dialect,
            platform=tool.platform,
            tool=tool.action,
            effect=tool.effect,
            writes=tool.writes,
            account_id=account.id if account else None,
            account_name=account.name if account else asked.account_name,
            parameters=sent,
            options=options,
            secrets=self._vault.seal(asked.secrets) if asked.secrets else None,
            engine=engine,
            priority=asked.priority,
            timeout_ms=timeout_for(engine, asked.timeout_ms, asked.most_timeout_ms),
            state=TaskState.PAUSED if wants_approval else TaskState.PENDING,
            pause_reason="approval" if wants_approval else None,
            pause_message=preview(tool, parameters) if wants_approval else None,
            paused_at=now() if wants_approval else None,
            progress_word="waiting_for_human" if wants_approval else "queued",
            labels=dict(asked.labels) if asked.labels is not None else None,
            content_hash=digest(tool.content(parameters)) if tool.content is not None else None,
            share_token=secrets.token_urlsafe(24) if asked.share else None,
            schedule_id=asked.schedule_id,
            profile_id=asked.profile_id,
            trace=asked.trace if asked.trace and _TRACEPARENT.fullmatch(asked.trace) else None,
        )

    def _approval(self, caller: Caller, asked: NewTask, account: Account | None) -> bool:
        # A call may ask for approval; only whoever configures key, account or server can say that none is needed.
        demanded = (
            self._limits.approval or bool(caller.settings.get("approval")) or (account is not None and account.approval)
        )
        return demanded or bool(asked.approval)

    # -- looking ------------------------------------------------------------------------------------------------------

    async def get(self, caller: Caller, task_id: str) -> Task:
        """The caller's task. Raises TaskNotFound."""
        caller.need("read")
        return await self.mine(caller, task_id)

    async def mine(self, caller: Caller, task_id: str) -> Task:
        """The caller's task, for a verb that has a scope of its own. Raises TaskNotFound."""
        task = await self._tasks.get(task_id, caller.owner)
        if task is None:
            raise TaskNotFound(details={"taskId": task_id})
        return task

    async def list(
        self, caller: Caller, filters: TaskFilter, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[Task], int]:
        """One page of the caller's tasks, newest first, and how many match in all."""
        caller.need("read")
        return await self._tasks.list(caller.owner, filters, limit=limit, offset=offset)

    async def steps(self, task: Task, after: int = 0) -> Sequence[Step]:
        """The task's steps."""
        return await self._tasks.steps(task.id, after)

    async def files(self, task: Task, *kinds: str) -> Sequence[Artifact]:
        """The task's artifacts of these kinds."""
        return await self._artifacts.of(task.id, *kinds)

    async def position(self, task: Task) -> int | None:
        """Where a pending task stands in its queue."""
        return await self._tasks.position(task) if task.state is TaskState.PENDING else None

    async def shared(self, share_token: str) -> Task:
        """The task that anybody with the token may see. Raises TaskNotFound."""
        task = await self._tasks.by_share(share_token)
        if task is None:
            raise TaskNotFound
        return task

    async def waiting(self, task_id: str) -> Task | None:
        """A task that waits for a person, whoever's it is: whoever asks for it proves by other means that they were sent to it."""
        task = await self._tasks.get(task_id)
        return task if task is not None and task.state is TaskState.PAUSED else None

    def stuck(self, task: Task) -> str | None:
        """Why nobody carries a task out that waits for that; None: somebody does, or soon will."""
        return self._trouble() if task.state is TaskState.PENDING else None

    def browser_data(self, task: Task) -> dict[str, Any] | None:
        """The cookies that were kept on the caller's wish."""
        return self._vault.unseal(task.browser_data) if task.browser_data is not None else None

    async def follow(self, task_id: str, seconds: float | None = None) -> AsyncGenerator[Task]:
        """The task now and after each change, until it is final, or for so many seconds.

        The caller's right to see it was checked by `get`.
        """
        ends = now() + timedelta(seconds=seconds) if seconds is not None else None
        with self._database.changes.follow(task_id) as follower:
            while (task := await self._tasks.get(task_id)) is not None:
                yield task
                left = (ends - now()).total_seconds() if ends is not None else _FOLLOW_S
                if task.state.final or left <= 0:
                    return
                await follower.changed(min(left, _FOLLOW_S))

    async def wait(self, task: Task, seconds: float) -> Task:
        """The task once it is final or waits for a person, or as it stands after so many seconds."""
        return await self._until(task, seconds, lambda seen: seen.state.final or seen.state is TaskState.PAUSED)

    # -- steering -----------------------------------------------------------------------------------------------------

    async def cancel(self, caller: Caller, task_id: str) -> Task:
        """Cancels, and waits until it has landed. Raises TaskNotFound or NotCancellable."""
        caller.need("write")
        task = await self.mine(caller, task_id)
        asked = await self._tasks.cancel(task.id)
        if asked is None:
            message = (
                f"The task is already {task.state.value}: only a pending, processing or paused task can be cancelled."
            )
            raise NotCancellable(message, details={"taskId": task_id, "state": task.state.value})
        ended = await self._until(asked, _LANDING_S, lambda seen: seen.state.final)
        if ended.state.final and ended.state is not TaskState.CANCELLED:
            message = f"The task was {ended.state.value} before it could be cancelled."
            raise NotCancellable(message, details={"taskId": task_id, "state": ended.state.value})
        return ended

    async def pause(self, caller: Caller, task_id: str) -> Task:
        """Asks for a pause between two steps. Raises TaskNotFound or Conflict."""
        caller.need("write")
        task = await self.mine(caller, task_id)
        paused = await self._tasks.ask_pause(task.id)
        if paused is None:
            message = f"The task is {task.state.value}: only a pending or running task can be paused."
            raise Conflict(message, details={"taskId": task_id, "state": task.state.value})
        return paused

    async def resume(self, caller: Caller, task_id: str) -> Task:
        """Lets a paused task go on. Raises TaskNotFound or Conflict; a task that waits for approval needs `approve`."""
        caller.need("write")
        task = await self.mine(caller, task_id)
        if task.pause_reason == "approval":
            message = "The task waits for approval: approve or reject it."
            raise Conflict(message, details={"taskId": task_id})
        return await self._go_on(task)

    async def approve(self, caller: Caller, task_id: str) -> Task:
        """Lets a task that waits for approval into the queue. Needs the scope admin, or the caller could approve its own."""
        caller.need("admin")
        task = await self.mine(caller, task_id)
        if task.pause_reason != "approval":
            message = "The task does not wait for approval."
            raise Conflict(message, details={"taskId": task_id, "state": task.state.value})
        return await self._go_on(task)

    async def reject(self, caller: Caller, task_id: str) -> Task:
        """Cancels a task that waits for approval."""
        caller.need("admin")
        task = await self.mine(caller, task_id)
        if task.pause_reason != "approval":
            message = "The task does not wait for approval."
            raise Conflict(message, details={"taskId": task_id, "state": task.state.value})
        return await self.cancel(caller, task_id)

    async def share(self, caller: Caller, task_id: str, *, public: bool) -> Task:
        """Publishes the task under an unguessable token, or revokes that."""
        caller.need("write")
        task = await self.mine(caller, task_id)
        token = (task.share_token or secrets.token_urlsafe(24)) if public else None
        await self._tasks.share(task.id, token)
        return await self.mine(caller, task_id)

    async def _go_on(self, task: Task) -> Task:
        resumed = await self._tasks.ask_resume(task.id)
        if resumed is None:
            message = f"The task is {task.state.value}: only a paused task can be resumed."
            raise Conflict(message, details={"taskId": task.id, "state": task.state.value})
        return resumed

    async def _until(self, task: Task, seconds: float, reached: Callable[[Task], bool]) -> Task:
        ends = now() + timedelta(seconds=seconds)
        with self._database.changes.follow(task.id) as follower:
            while True:
                seen = await self._tasks.get(task.id) or task
                left = (ends - now()).total_seconds()
                if reached(seen) or left <= 0:
                    return seen
                await follower.changed(min(left, _FOLLOW_S))
