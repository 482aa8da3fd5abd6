"""One task on the full engine, as the supervisor sees it: what the runner reports, what watches over it, and what comes of it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import structlog
from pydantic import ValidationError

from agent.cdp import Gone, Refused
from agent.engine import Desk, NewFile, Outcome, StepReport, Window
from agent.full.brief import Brief, copies
from agent.full.files import new_files
from agent.full.prices import prices
from agent.full.redaction import Redactor
from agent.full.settings import FullSettings
from agent.full.warm import Pair
from agent.full.wire import (
    Answer,
    Beat,
    Begin,
    Failed,
    Finished,
    Log,
    ModelChoice,
    Question,
    Ready,
    Spent,
    Step,
    from_runner,
    read_line,
)
from tools.errors import (
    AccountSuspended,
    AgentFailed,
    AgentGaveUp,
    BlockedByWall,
    BrowserFailed,
    BudgetExceeded,
    ChallengeRequired,
    Failure,
    Internal,
    Interrupted,
    OutcomeUncertain,
    every_failure,
)

OPENAI = "https://api.openai.com/v1"
EXPORT_SECONDS = 0.4
MEMORY_SECONDS = 3.0
CODES = {failure.code: failure for failure in every_failure()}

_log = structlog.get_logger(__name__)

Prove = Callable[[str, Mapping[str, str]], Awaitable[Mapping[str, Any]]]
"""Reads a result back in the browser at that DevTools URL, starting with the agent's own readings."""


class Run:
    """One task in one pair."""

    def __init__(self, settings: FullSettings, brief: Brief, desk: Desk, pair: Pair, prove: Prove) -> None:
        self.settings = settings
        self.brief = brief
        self.assignment = brief.assignment
        self.desk = desk
        self.pair = pair
        self.prove = prove
        self.redactor = Redactor(grant for grant in brief.grants if grant.name != "account_username")
        self.model = self.assignment.options.model or settings.model or ""
        self.price = prices(settings.prices).find(self.model)
        self.log = _log.bind(task=self.assignment.task_id)
        self.messages: asyncio.Queue[Step | Question | Finished | Failed | None] = asyncio.Queue()
        self.heard = time.monotonic()
        self.armed = self.finished = False
        self.tokens = self.told_tokens = 0
        self.cost = self.told_cost = 0.0
        self.allowance = settings.budget
        self.steps = 0
        self.url = ""

    # -- the whole of it ------------------------------------------------------------------------------------------------

    async def carry_out(self) -> Outcome:
        """Carries the task out. Raises a Failure. The browser's login is handed to the desk however it ends."""
        try:
            return await self.watched(self.whole())
        except Failure as failure:
            await self.keep_login()
            meant = self.meant(failure)
            if meant is failure:
                raise
            raise meant from failure
        except asyncio.CancelledError:
            await self.keep_login()
            raise

    async def whole(self) -> Outcome:
        """The agent's work, and what comes of it."""
        finished = await self.work()
        self.finished = True
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
                        await self.answer(message)
                    case Finished():
                        return message
                    case Failed():
                        raise CODES.get(message.code, Internal)(message.message, retry_after=message.retry_after)
                    case None:
                        raise await self.lost()
        finally:
            reading.cancel()

    async def prepare(self) -> None:
        """Makes the pair this task's own, and begins."""
        brief, site = self.brief, self.brief.site
        login = self.assignment.login
        self.pair.gate.wall = brief.wall
        self.pair.gate.blocked.clear()
        locale, timezone = (site.locale, site.timezone) if site else ("en-US", "UTC")
        await self.pair.watch.restore(login.state if login else None, locale, timezone)
        files = await asyncio.to_thread(copies, self.assignment.files, self.pair.folder / "input")
        self.pair.runner.send(self.begin(files))
        self.desk.show(Window(self.pair.chromium.cdp_url))
        await self.desk.progress("working", 1)

    def begin(self, files: list[Path]) -> Begin:
        """What the runner is told."""
        brief, options, settings = self.brief, self.assignment.options, self.settings
        return Begin(
            task=brief.task,
            instructions=brief.instructions,
            model=ModelChoice(
                base_url=settings.base_url or OPENAI,
                name=self.model,
                api_key=settings.api_key,
                method=settings.method,
                timeout=settings.model_timeout,
                retries=settings.model_retries,
            ),
            start_url=brief.start_url,
            max_steps=options.max_steps,
            max_failures=settings.max_failures,
            width=options.viewport.width,
            height=options.viewport.height,
            highlight=options.highlight_elements,
            vision=settings.vision,
            actions=brief.actions,
            grants=brief.grants,
            output_schema=dict(brief.output_schema) if brief.output_schema is not None else None,
            files=tuple(map(str, files)),
            sandbox=str(self.pair.folder / "sandbox"),
            arming=brief.arming,
        )

    # -- what the runner says -------------------------------------------------------------------------------------------

    async def read(self) -> None:
        """Takes what the runner says as it comes, so that its signs of life are never late."""
        while (line := await read_line(self.pair.runner.reader)) is not None:
            self.heard = time.monotonic()
            try:
                message = from_runner.validate_json(line)
            except ValidationError:
                self.messages.put_nowait(Failed(code=Internal.code, message="The agent's process spoke nonsense"))
                return
            match message:
                case Spent():
                    self.count(message)
                case Log():
                    self.log.error("full.runner", said=self.redactor.text(message.event))
                case Beat() | Ready():
                    pass
                case _:
                    self.messages.put_nowait(message)
        self.messages.put_nowait(None)

    def count(self, spent: Spent) -> None:
        """Adds up what one answer of the model used."""
        self.tokens += spent.prompt + spent.completion
        if self.price is not None:
            self.cost += self.price.of(prompt=spent.prompt, cached=spent.cached, completion=spent.completion)

    async def record(self, step: Step) -> None:
        """Reports a step to the desk, without secrets."""
        clean: dict[str, Any] = self.redactor.tree(step.model_dump(exclude={"screenshot"}))
        self.steps, self.url = step.number, step.url
        await self.desk.step(
            StepReport(
                kind="agent",
                next_goal=clean["next_goal"],
                evaluation_previous_goal=clean["evaluation_previous_goal"],
                memory=clean["memory"],
                url=clean["url"],
                title=clean["title"],
                actions=clean["actions"],
                results=clean["results"],
                duration_ms=step.duration_ms,
                tokens=self.tokens - self.told_tokens,
                cost=self.cost - self.told_cost,
                screenshot=base64.b64decode(step.screenshot) if step.screenshot else None,
                media_type="image/png",
            )
        )
        self.told_tokens, self.told_cost = self.tokens, self.cost
        await self.desk.progress("working", min(95, round(100 * step.number / self.assignment.options.max_steps)))

    async def answer(self, question: Question) -> None:
        """Answers the runner when it may go on."""
        match question.about:
            case "gate":
                await self.look_for_signs()
                await self.check_budget()
                await self.desk.gate()
            case "arm":
                await self.desk.arm()
                self.armed = True
            case "person":
                reason = (
                    "two_factor"
                    if question.reason == "two_factor"
                    else "sign_in"
                    if question.reason == "sign_in"
                    else "challenge"
                )
                await self.desk.ask(reason, self.redactor.text(question.message))
        self.pair.runner.send(Answer(id=question.id))

    async def look_for_signs(self) -> None:
        """Whether the last page says that the account is locked, or that a person is wanted. Raises AccountSuspended."""
        if self.brief.site is None:
            return
        url = self.brief.origins.document(self.url)
        if any(re.search(sign, url) for sign in self.brief.site.suspended.urls):
            raise AccountSuspended
        if any(re.search(sign, url) for sign in self.brief.site.challenge.urls):
            self.url = ""
            await self.desk.ask("challenge", f"{self.brief.site.name} asks for a person: please answer its check.")

    async def check_budget(self) -> None:
        """Waits for a person's leave when the budget is used up. Raises BudgetExceeded when nobody gives it."""
        if self.allowance is None or self.cost <= self.allowance:
            return
        message = f"The task has cost {self.cost:.2f} US dollars; its budget is {self.allowance:.2f}."
        try:
            await self.desk.ask("budget", f"{message} Continue to give it as much again.")
        except ChallengeRequired as nobody:
            raise BudgetExceeded(f"{message} Raise the budget, or make the task smaller.") from nobody
        self.allowance += self.settings.budget or 0.0

    async def lost(self) -> Failure:
        """What it means that the runner is gone."""
        await asyncio.sleep(0)
        if not self.pair.chromium.alive:
            return BrowserFailed()
        return Interrupted(
            "The agent's process ended before anything was published: it is safe to create the task again"
        )

    # -- what watches over it -------------------------------------------------------------------------------------------

    async def watched(self, work: Coroutine[Any, Any, Outcome]) -> Outcome:
        """The work's result, or the trouble that came first."""
        working = asyncio.ensure_future(work)
        watching = [
            asyncio.ensure_future(one)
            for one in (self.silence(), self.memory(), self.gone(), self.pair.watch.trouble())
        ]
        try:
            await asyncio.wait({working, *watching}, return_when=asyncio.FIRST_COMPLETED)
            for troubled in watching:
                if troubled.done():
                    troubled.result()
            return await working
        finally:
            for task in (working, *watching):
                task.cancel()
            await asyncio.gather(working, *watching, return_exceptions=True)

    async def gone(self) -> None:
        """Raises BrowserFailed when Chromium ends."""
        await self.pair.chromium.wait_gone()
        raise BrowserFailed("The browser died: try again; 'webhand doctor' checks the browser")

    async def silence(self) -> None:
        """Raises Interrupted when the runner shows no life for too long."""
        while True:
            quiet = time.monotonic() - self.heard
            if quiet > self.settings.silence and not self.finished:
                raise Interrupted(f"The agent's process froze: it showed no life for {quiet:.0f} seconds")
            await asyncio.sleep(min(1.0, self.settings.silence))

    async def memory(self) -> None:
        """Raises BrowserFailed when the browser and the runner use more than they may."""
        while True:
            used = await asyncio.to_thread(megabytes, self.pair.chromium.pid, self.pair.runner.process.pid)
            if used > self.settings.memory_mb:
                raise BrowserFailed(
                    f"The browser used {used} MB, more than the {self.settings.memory_mb} MB that a task may: make the task smaller"
                )
            await asyncio.sleep(MEMORY_SECONDS)

    # -- what comes of it -----------------------------------------------------------------------------------------------

    async def conclude(self, finished: Finished) -> Outcome:
        """The outcome of what the agent says. A result that can be read back counts only when it was."""
        verdict = self.verdict(finished)
        proven = self.brief.site is not None and self.assignment.tool.proof is not None
        if proven and not self.assignment.options.dry_run and (verdict is None or self.armed):
            result = await self.proof(finished, verdict)
        elif verdict is not None:
            raise verdict
        else:
            result = self.result(finished)
        state = await self.login_state()
        files = await asyncio.to_thread(self.files)
        cookies = state["cookies"] if state and self.assignment.options.save_browser_data else None
        return Outcome(result=result, login_state=state, files=files, cookies=cookies)

    def verdict(self, finished: Finished) -> Failure | None:
        """The failure that the agent itself admits to."""
        if finished.done and finished.success:
            return None
        said = self.redactor.text(finished.text or finished.last_error)
        if not finished.done or finished.forced:
            why = f"after {finished.steps} steps" + (f": {said}" if said else "")
            return AgentGaveUp(f"The agent gave up {why}. Allow more steps, or say the task more plainly.")
        return AgentFailed(said or None)

    def result(self, finished: Finished) -> Mapping[str, Any]:
        """The result in the tool's form, from what the agent says alone."""
        text = self.redactor.text(finished.text)
        if self.brief.output_schema is None or self.assignment.options.dry_run:
            return {"output": text}
        data = self.redactor.tree(finished.output)
        if self.brief.site is None:
            return {"output": json.dumps(data, ensure_ascii=False)}
        return self.assignment.tool.result.model_validate(data).model_dump(mode="json", exclude_none=True)

    async def proof(self, finished: Finished, verdict: Failure | None) -> Mapping[str, Any]:
        """The result as it was read back. Raises the agent's own failure where nothing was published, else OutcomeUncertain."""
        await self.pair.runner.kill()
        data: dict[str, Any] = finished.output or {}
        readings = {name: str(value) for name, value in data.items() if value is not None}
        try:
            return await self.prove(self.pair.chromium.cdp_url, readings)
        except Failure as failure:
            if not self.armed:
                raise verdict or failure from failure
            said = (verdict or failure).message
            raise OutcomeUncertain(
                f"The publishing act may have gone out, but no proof of it was found ({said}): look at the site before you try again.",
                details={"cause": (verdict or failure).code},
            ) from failure

    def meant(self, failure: Failure) -> Failure:
        """What a failure means, seen from outside: the wall behind an agent's defeat, the doubt behind a broken publishing act."""
        needed = sorted(self.pair.watch.hosts.intersection(self.pair.gate.blocked))
        if isinstance(failure, AgentFailed) and needed:
            hosts = ", ".join(needed)
            failure = BlockedByWall(
                f"The task needed {hosts}, outside its allowed domains: allow it, or change the task. {failure.message}",
                details={"hosts": needed},
            )
        broken = isinstance(failure, Interrupted | BrowserFailed) or self.brief.site is not None
        if self.armed and broken and not isinstance(failure, OutcomeUncertain):
            return OutcomeUncertain(
                f"The run ended after the publishing act may have gone out, without proof of it: look at the site before you try again. "
                f"{failure.message}",
                details={"cause": failure.code},
            )
        return failure

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
        folder, settings = self.pair.folder, self.settings
        return list(
            new_files(
                folder / "downloads",
                folder / "sandbox" / "browseruse_agent_data",
                self.assignment.folder / "output",
                most=settings.max_files,
                largest=settings.max_file_mb * 1024 * 1024,
                redactor=self.redactor,
            )
        )


def megabytes(*roots: int) -> int:
    """What the processes and all below them use, shared memory counted once (Linux) or as resident (elsewhere)."""
    total = 0
    for root in roots:
        with suppress(psutil.Error):
            process = psutil.Process(root)
            for one in (process, *process.children(recursive=True)):
                with suppress(psutil.Error):
                    used = one.memory_full_info()
                    total += getattr(used, "pss", used.rss)
    return total // (1024 * 1024)
