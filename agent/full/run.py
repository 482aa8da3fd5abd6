"""One task on the full engine, as the supervisor sees it: what the runner reports, what it is answered, and what comes of it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog
from pydantic import ValidationError

from agent.cdp import Gone, Refused
from agent.engine import Desk, NewFile, Outcome, StepReport, Window
from agent.full.brief import Brief, copies
from agent.full.checkpoint import Checkpoint
from agent.full.files import new_files
from agent.full.prices import prices
from agent.full.settings import FullSettings
from agent.full.spending import Spending
from agent.full.verdict import admitted, meant, said_result, unfounded, unproved
from agent.full.vigil import Vigil
from agent.full.warm import Pair
from agent.full.wire import (
    Answer,
    Beat,
    Failed,
    Finished,
    Log,
    Question,
    Ready,
    Spent,
    Step,
    from_runner,
    read_line,
)
from agent.lite.proving import Report
from agent.redaction import Redactor
from tools.errors import (
    AccountSuspended,
    AuthenticationFailed,
    BrowserFailed,
    Failure,
    Internal,
    Interrupted,
    every_failure,
)

EXPORT_SECONDS = 0.4
CODES = {failure.code: failure for failure in every_failure()}

_log = structlog.get_logger(__name__)

Prove = Callable[[str, Mapping[str, str], Report, str | None], Awaitable[Mapping[str, Any]]]
"""Reads a result back in the browser at that DevTools URL, starting with the agent's own readings; reports it as steps. Told as well:
who was logged in."""


class Run:
    """One task in one pair."""

    def __init__(self, settings: FullSettings, brief: Brief, desk: Desk, pair: Pair, prove: Prove) -> None:
        self.settings = settings
        self.brief = brief
        self.assignment = brief.assignment
        self.desk = desk
        self.pair = pair
        self.prove = prove
        self.vigil = Vigil(settings, pair)
        self.redactor = Redactor(grant for grant in brief.grants if grant.name != "account_username")
        self.model = self.assignment.options.model or settings.model or ""
        self.spending = Spending(prices(settings.prices).find(self.model), settings.budget)
        self.log = _log.bind(task=self.assignment.task_id)
        self.messages: asyncio.Queue[Step | Question | Finished | Failed | Failure | None] = asyncio.Queue()
        self.checkpoint = Checkpoint(
            brief, desk, pair.watch, self.spending, self.redactor, stop=self.messages.put_nowait
        )
        self.broken: Failure | None = None
        """What ended the agent's work before it had said how it went."""

    # -- the whole of it ------------------------------------------------------------------------------------------------

    async def carry_out(self) -> Outcome:
        """Carries the task out. Raises a Failure. The browser's login is handed to the desk however it ends."""
        try:
            return await self.vigil.over(self.whole())
        except Failure as failure:
            if not isinstance(failure, AuthenticationFailed | AccountSuspended):
                await self.keep_login()
            understood = meant(failure, self.brief, self.pair, armed=self.checkpoint.armed)
            if understood is failure:
                raise
            raise understood from failure
        except asyncio.CancelledError:
            await self.keep_login()
            raise

    async def whole(self) -> Outcome:
        """The agent's work, and what comes of it."""
        finished = await self.work()
        self.vigil.dismissed = True
        return await self.conclude(finished)

    async def work(self) -> Finished:
        """Tells the runner its task and serves it until it is finished. Raises the Failure that it reports."""
        await self.prepare()
        reading = asyncio.ensure_future(self.read())
        try:
            while True:
                message = await self.messages.get()
                match message:
                    case Step():
                        await self.record(message)
                    case Question():
                        await self.checkpoint.hold(message)
                        self.pair.runner.send(Answer(id=message.id))
                    case Finished():
                        return message
                    case Failed():
                        failure = CODES.get(message.code, Internal)(message.message, retry_after=message.retry_after)
                        return await self.broken_off(failure)
                    case Failure():
                        raise message
                    case None:
                        return await self.broken_off(await self.lost())
        finally:
            reading.cancel()

    async def broken_off(self, failure: Failure) -> Finished:
        """An end without the agent's word: raises the failure, unless the site may have taken the act, which can be looked up."""
        await self.checkpoint.check_refusal()
        if not self.checkpoint.ear.taken or isinstance(failure, BrowserFailed):
            raise failure
        self.broken = failure
        return Finished(done=False)

    async def prepare(self) -> None:
        """Makes the pair this task's own, and begins."""
        brief, site = self.brief, self.brief.site
        login = self.assignment.login
        self.pair.gate.wall = brief.wall
        self.pair.gate.blocked.clear()
        self.pair.gate.ads.clear()
        locale, timezone = (site.locale, site.timezone) if site else ("en-US", "UTC")
        ear = self.checkpoint.ear if self.checkpoint.ear.publishing else None
        await self.pair.watch.restore(login.state if login else None, locale, timezone, ear)
        files = await asyncio.to_thread(copies, self.assignment.files, self.pair.folder / "input")
        self.pair.runner.send(brief.begin(self.settings, self.model, files, self.pair.folder / "sandbox"))
        self.desk.show(Window(self.pair.chromium.cdp_url))
        await self.desk.progress("working", 1)

    # -- what the runner says -------------------------------------------------------------------------------------------

    async def read(self) -> None:
        """Takes what the runner says as it comes, so that its signs of life are never late."""
        while (line := await read_line(self.pair.runner.reader)) is not None:
            self.vigil.hear()
            try:
                message = from_runner.validate_json(line)
            except ValidationError:
                self.messages.put_nowait(Failed(code=Internal.code, message="The agent's process spoke nonsense"))
                return
            match message:
                case Spent():
                    self.spending.add(message)
                case Log():
                    self.log.error("full.runner", said=self.redactor.text(message.event))
                case Beat() | Ready():
                    pass
                case _:
                    self.messages.put_nowait(message)
        self.messages.put_nowait(None)

    async def record(self, step: Step) -> None:
        """Reports a step of the agent's to the desk, with what it cost."""
        tokens, cost = self.spending.since_last()
        await self.report(
            StepReport(
                kind="agent",
                next_goal=step.next_goal,
                evaluation_previous_goal=step.evaluation_previous_goal,
                memory=step.memory,
                url=step.url,
                title=step.title,
                actions=step.actions,
                results=step.results,
                duration_ms=step.duration_ms,
                tokens=tokens,
                cost=cost,
                screenshot=base64.b64decode(step.screenshot) if step.screenshot else None,
                media_type="image/png",
            )
        )
        await self.desk.progress("working", min(95, round(100 * step.number / self.assignment.options.max_steps)))

    async def report(self, step: StepReport) -> None:
        """Reports a step to the desk, without secrets."""
        texts = ("next_goal", "evaluation_previous_goal", "memory", "url", "title")
        clean = {name: self.redactor.text(getattr(step, name)) for name in texts}
        kept = {"actions": self.redactor.tree(step.actions), "results": self.redactor.tree(step.results)}
        await self.desk.step(replace(step, **clean, **kept))

    async def lost(self) -> Failure:
        """What it means that the runner is gone."""
        await asyncio.sleep(0)
        if not self.pair.chromium.alive:
            return BrowserFailed()
        if self.vigil.frozen:
            return Interrupted(self.vigil.frozen)
        return Interrupted(
            "The agent's process ended before anything was published: it is safe to create the task again"
        )

    # -- what comes of it -----------------------------------------------------------------------------------------------

    async def conclude(self, finished: Finished) -> Outcome:
        """The outcome of what the agent says. A result that can be read back counts only when it was."""
        options = self.assignment.options
        await self.checkpoint.check_refusal()
        verdict = self.broken or admitted(finished, self.redactor)
        if self.checkpoint.standing is not None:
            await self.checkpoint.standing.look(self.checkpoint.tab)
        proven = self.brief.site is not None and self.assignment.tool.proof is not None
        if proven and not options.dry_run and (verdict is None or self.checkpoint.armed):
            result = await self.proof(finished, verdict)
        elif verdict is not None:
            raise verdict
        else:
            result = said_result(finished, self.brief, self.redactor)
        state = await self.login_state()
        return Outcome(
            result=result,
            login_state=state,
            identity=self.checkpoint.standing.identity if self.checkpoint.standing else None,
            files=await asyncio.to_thread(self.files),
            cookies=state["cookies"] if state and options.save_browser_data else None,
        )

    async def proof(self, finished: Finished, verdict: Failure | None) -> Mapping[str, Any]:
        """The result as it was read back. Raises OutcomeUncertain where the act was armed, else why nothing was published."""
        await self.pair.runner.kill()
        data: dict[str, Any] = finished.output or {}
        known = self.assignment.tool.result.model_json_schema()["properties"]  # only the site itself says the rest
        told = {name: str(value) for name, value in data.items() if value is not None and name in known}
        readings = {**told, **self.checkpoint.ear.readings}  # what the site said counts more
        try:
            return await self.prove(self.pair.chromium.cdp_url, readings, self.report, self.member)
        except Failure as failure:
            raise (
                unproved(verdict or failure) if self.checkpoint.armed else verdict or unfounded(finished, self.redactor)
            ) from failure

    @property
    def member(self) -> str | None:
        """Who is logged in, as far as it is known."""
        login = self.assignment.login if self.assignment.tool.account else None
        return (login and login.identity) or (self.checkpoint.standing and self.checkpoint.standing.identity) or None

    async def login_state(self) -> Mapping[str, Any] | None:
        """The browser's storage state, where somebody wants it."""
        if self.assignment.login is None and not self.assignment.options.save_browser_data:
            return None
        with suppress(Gone, Refused, TimeoutError):
            return await self.pair.watch.state()
        return None

    async def keep_login(self) -> None:
        """Hands the login to the desk when there is no outcome to carry it; quick, for a cancellation waits for it."""
        if self.assignment.login is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(EXPORT_SECONDS):
                state = await self.login_state()
                if state is not None:
                    await self.desk.keep_login(state)

    def files(self) -> list[NewFile]:
        """The files that the run made, moved to the task's own folder."""
        return list(new_files(self.pair.folder, self.assignment.folder / "output", self.settings, self.redactor))
