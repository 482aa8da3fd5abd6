"""Everything that any facade may ask of tasks. Approvals, idempotency, caps and the duplicate guard live here and nowhere else."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from pydantic import ValidationError

from agent.engine import EngineName
from server.auth import Caller
from storage.accounts import AccountStore
from storage.artifacts import ArtifactStore
from storage.database import Database
from storage.ids import mint, mint_uuid
from storage.states import TaskState
from storage.tables import Account, Artifact, Idempotency, Step, Task, now
from storage.tasks import IdempotencyClash, TaskFilter, TaskStore
from storage.vault import Vault
from tools.catalog import Catalog
from tools.errors import (
    AccountNotFound,
    AuthenticationFailed,
    Conflict,
    DuplicateContent,
    IdempotencyReused,
    InvalidParameters,
    NotCancellable,
    RateLimited,
    TaskNotFound,
)
from tools.site import Caps, Site
from tools.tool import AnyTool, Parameters

Dialect = Literal["browserman", "cloud", "mcp", "command", "schedule"]
DEFAULT_TIMEOUT_MS: Mapping[EngineName, int] = {"lite": 120_000, "full": 300_000}
MAX_TIMEOUT_MS: Mapping[EngineName, int] = {"lite": 300_000, "full": 600_000}
_LEAST_TIMEOUT_MS = 1000
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_FOLLOW_S = 2.0
_LANDING_S = 5.0


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """What the settings say of tasks."""

    max_pending: int = 10_000
    duplicate_hours: float = 24
    merge_identical: bool = False
    caps: bool = True
    approval: bool = False
    origins: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """What is asked for, whichever facade it came through."""

    dialect: Dialect
    platform: str
    tool: str
    parameters: Mapping[str, Any]
    account_name: str | None = None
    engine: EngineName | None = None
    timeout_ms: int | None = None
    most_timeout_ms: int | None = None
    """How long it may take at the most, where the dialect does not have the Tasks API's limits (contract 1.3)."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    secrets: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    profile_id: str | None = None
    schedule_id: str | None = None
    share: bool = False
    dry_run: bool = False
    approval: bool | None = None
    """None: as the account, the key and the settings say."""
    allow_duplicate: bool = False
    priority: int = 100
    idempotency_key: str | None = None
    merge: bool | None = None
    """Whether an identical task of the same key that is still open is answered with; None: as the settings say."""
    trace: str | None = None


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
    ) -> None:
        self._database = database
        self._tasks = tasks
        self._accounts = accounts
        self._artifacts = artifacts
        self._vault = vault
        self.catalog = catalog
        self._limits = limits

    # -- asking -------------------------------------------------------------------------------------------------------

    async def create(self, caller: Caller, asked: NewTask) -> Created:
        """Queues a task, or gives back the one that already answers the request.

        Raises InvalidParameters, PlatformNotFound, AccountNotFound, AuthenticationFailed, DuplicateContent, RateLimited,
        IdempotencyReused.
        """
        caller.need("write")
        tool = self.catalog.tool(asked.platform, asked.tool)
        site = self.catalog.site(tool.platform)
        parameters = validated(tool, asked.parameters)
        account = await self._account(caller, tool, site, asked.account_name)
        engine = engine_for(tool, asked.engine)
        task = self._row(caller, asked, tool, parameters, account, engine)
        idempotency = self._idempotency(caller, asked, task)
        known = await self._known(task, idempotency)
        if known is not None:
            return Created(known, new=False)
        if tool.writes and account is not None and not asked.dry_run:
            await self._guard(task, site, account, allow_duplicate=asked.allow_duplicate)
        await self._admit(engine)
        merge = self._limits.merge_identical if asked.merge is None else asked.merge
        try:
            stored = await self._tasks.add(task, idempotency, merge=merge)
        except IdempotencyClash:
            raise IdempotencyReused from None
        return Created(stored, new=stored.id == task.id)

    async def _known(self, task: Task, idempotency: Idempotency | None) -> Task | None:
        """The task of an earlier request with this idempotency key: before the guards, which that very task would trip."""
        if idempotency is None:
            return None
        try:
            return await self._tasks.answered(task, idempotency)
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
            request_hash=digest([asked.dialect, tool.name, account.id if account else None, sent, options, engine]),
            content_hash=digest(tool.content(parameters)) if tool.content is not None else None,
            share_token=secrets.token_urlsafe(24) if asked.share else None,
            schedule_id=asked.schedule_id,
            profile_id=asked.profile_id,
            trace=asked.trace,
        )

    def _approval(self, caller: Caller, asked: NewTask, account: Account | None) -> bool:
        # A call may ask for approval; only whoever configures key, account or server can say that none is needed.
        demanded = (
            self._limits.approval or bool(caller.settings.get("approval")) or (account is not None and account.approval)
        )
        return demanded or bool(asked.approval)

    def _idempotency(self, caller: Caller, asked: NewTask, task: Task) -> Idempotency | None:
        if asked.idempotency_key is None:
            return None
        if not 0 < len(asked.idempotency_key) <= 255:  # as the column
            message = "An Idempotency-Key has 1 to 255 characters."
            raise InvalidParameters(message)
        return Idempotency(
            key_id=caller.key_id,
            idempotency_key=asked.idempotency_key,
            request_hash=task.request_hash or "",
            subject=task.id,
        )

    async def _guard(self, task: Task, site: Site, account: Account, *, allow_duplicate: bool) -> None:
        hours = self._limits.duplicate_hours
        if task.effect == "publish" and task.content_hash is not None and hours and not allow_duplicate:
            since = now() - timedelta(hours=hours)
            same = await self._tasks.same_content(account.id, task.tool, task.content_hash, since)
            if same is not None and not same.options.get("dry_run"):
                message = (
                    f"Account '{account.name}' published this very text in the last {hours:g} hours, or is about to "
                    f"(task {same.id}): change it, or send 'allowDuplicate': true."
                )
                raise DuplicateContent(message, details={"taskId": same.id})
        if self._limits.caps:
            await self._cap(site.engage if task.effect == "engage" else site.publish, task.effect, account)

    async def _cap(self, caps: Caps, effect: str, account: Account) -> None:
        kinds = ["engage"] if effect == "engage" else ["publish", "delete"]
        moment = now()
        acts = await self._tasks.acts(account.id, kinds, moment - _DAY)
        for limit, window, word in ((caps.hourly, _HOUR, "hour"), (caps.daily, _DAY, "day")):
            recent = [act for act in acts if act >= moment - window]
            if len(recent) >= limit:
                wait = max(1, round((recent[-limit] + window - moment).total_seconds()))
                message = f"Account '{account.name}' may do {limit} of these per {word}: wait {wait} seconds."
                raise RateLimited(message, retry_after=wait, details={"limit": limit, "per": word})

    async def _admit(self, engine: EngineName) -> None:
        if (await self._tasks.waiting()).get(engine, 0) >= self._limits.max_pending:
            message = "Too many tasks are waiting already: try again in a while."
            raise RateLimited(message, retry_after=30)

    # -- looking ------------------------------------------------------------------------------------------------------

    async def get(self, caller: Caller, task_id: str) -> Task:
        """The caller's task. Raises TaskNotFound."""
        caller.need("read")
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
        task = await self.get(caller, task_id)
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
        task = await self.get(caller, task_id)
        paused = await self._tasks.ask_pause(task.id)
        if paused is None:
            message = f"The task is {task.state.value}: only a pending or running task can be paused."
            raise Conflict(message, details={"taskId": task_id, "state": task.state.value})
        return paused

    async def resume(self, caller: Caller, task_id: str) -> Task:
        """Lets a paused task go on. Raises TaskNotFound or Conflict; a task that waits for approval needs `approve`."""
        caller.need("write")
        task = await self.get(caller, task_id)
        if task.pause_reason == "approval":
            message = "The task waits for approval: approve or reject it."
            raise Conflict(message, details={"taskId": task_id})
        return await self._go_on(task)

    async def approve(self, caller: Caller, task_id: str) -> Task:
        """Lets a task that waits for approval into the queue. Needs the scope admin, or the caller could approve its own."""
        caller.need("admin")
        task = await self.get(caller, task_id)
        if task.pause_reason != "approval":
            message = "The task does not wait for approval."
            raise Conflict(message, details={"taskId": task_id, "state": task.state.value})
        return await self._go_on(task)

    async def reject(self, caller: Caller, task_id: str) -> Task:
        """Cancels a task that waits for approval."""
        caller.need("admin")
        task = await self.get(caller, task_id)
        if task.pause_reason != "approval":
            message = "The task does not wait for approval."
            raise Conflict(message, details={"taskId": task_id, "state": task.state.value})
        return await self.cancel(caller, task_id)

    async def share(self, caller: Caller, task_id: str, *, public: bool) -> Task:
        """Publishes the task under an unguessable token, or revokes that."""
        caller.need("write")
        task = await self.get(caller, task_id)
        token = (task.share_token or secrets.token_urlsafe(24)) if public else None
        await self._tasks.share(task.id, token)
        return await self.get(caller, task_id)

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


def validated(tool: AnyTool, parameters: Mapping[str, Any]) -> Parameters:
    """The parameters as the tool's model. Raises InvalidParameters that names each field and what is wrong with it."""
    try:
        model: Parameters = tool.parameters.model_validate(dict(parameters))
    except ValidationError as error:
        raise invalid(error) from None
    if tool.check is not None:
        tool.check(model)
    return model


def invalid(error: ValidationError, where: str = "parameters") -> InvalidParameters:
    """A validation error as one sentence a field, without the values, which may be secret."""
    fields = {".".join(map(str, item["loc"])) or where: complaint(item) for item in error.errors(include_input=False)}
    message = "; ".join(f"{name}: {what}" for name, what in fields.items())
    return InvalidParameters(message, details={"fields": fields})


def complaint(item: Any) -> str:
    """Pydantic's words for one fault, without its prefix for our own."""
    if item["type"] == "extra_forbidden":
        return "is not known here: check the spelling"
    return str(item["msg"]).removeprefix("Value error, ")


def engine_for(tool: AnyTool, wished: EngineName | None) -> EngineName:
    """The engine: the wished one, else lite where there is a playbook. Raises InvalidParameters where lite cannot do it."""
    if wished == "lite" and tool.playbook is None:
        message = f"'{tool.name}' has no playbook: only the engine 'full' can do it."
        raise InvalidParameters(message, details={"field": "preferredEngine"})
    return wished or ("full" if tool.playbook is None else "lite")


def timeout_for(engine: EngineName, wished: int | None, most: int | None = None) -> int:
    """The time-out in ms (contract 1.3). More than the most is brought down to it: the documents name no error for it."""
    if wished is None:
        return DEFAULT_TIMEOUT_MS[engine]
    if wished < _LEAST_TIMEOUT_MS:
        message = f"'timeout' is in milliseconds and must be at least {_LEAST_TIMEOUT_MS}."
        raise InvalidParameters(message, details={"field": "timeout"})
    return min(wished, most or MAX_TIMEOUT_MS[engine])


def preview(tool: AnyTool, parameters: Parameters) -> str:
    """What a person sees who must approve."""
    content = tool.content(parameters) if tool.content is not None else tool.goal(parameters)
    return f"{tool.summary} {content}"


def digest(value: Any) -> str:
    """A hash of a JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
