"""One agent in a process of its own: browser-use drives the Chromium that the supervisor launched.

browser-use shares a lock among all agents of a process, computes for seconds inside the event loop and can hang; here it can only
harm its own run. What it must not do is kept from it: `guard` decides on every action, secrets are typed without it. Only the child's
own modules (this one, `model`, `actions`) import browser_use.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import pkgutil
import socket
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from browser_use.agent.cloud_events import CreateAgentSessionEvent, CreateAgentStepEvent, CreateAgentTaskEvent
from browser_use.agent.service import Agent
from browser_use.agent.views import ActionResult, AgentOutput
from browser_use.browser import watchdogs
from browser_use.browser.events import TabCreatedEvent
from browser_use.browser.profile import BrowserProfile
from browser_use.browser.session import BrowserSession
from browser_use.browser.views import BrowserStateSummary
from browser_use.browser.watchdogs.aboutblank_watchdog import AboutBlankWatchdog
from browser_use.browser.watchdogs.popups_watchdog import PopupsWatchdog
from bubus import BaseEvent
from cdp_use.cdp.page.events import JavascriptDialogOpeningEvent
from websockets import WebSocketException

from agent.full.actions import GuardedTools
from agent.full.channel import Channel, LogLines
from agent.full.guard import Guard
from agent.full.model import AgentModel
from agent.full.wire import LONGEST_LINE, Begin, Failed, Finished, Prepare, Ready, Step
from agent.redaction import Redactor, mapped
from tools.errors import BrowserFailed, Failure, Internal

# Agent() imports the whole Anthropic SDK (2,300 modules) only to ask whether the model is one of its clients: a name is enough.
stand_in = ModuleType("browser_use.llm.anthropic.chat")
stand_in.ChatAnthropic = type("ChatAnthropic", (), {})  # pyright: ignore[reportAttributeAccessIssue]  # a module made by hand
sys.modules.setdefault(stand_in.__name__, stand_in)

LONGEST_TEXT = 4000
"""Characters of an action's or result's text that a step keeps."""
STEP_SECONDS = 180
TITLE_SECONDS = 1.0
DIALOGS_TOLD, DIALOG_CHARS = 10, 500
"""How many of a page's last dialogs the agent is told, and how much of each."""


for module in (
    *(f"browser_use.browser.watchdogs.{found.name}" for found in pkgutil.iter_modules(watchdogs.__path__)),
    "browser_use.actor.page",
    "browser_use.browser.session_manager",
    "browser_use.screenshots.service",
    "langchain_core.tracers.langchain",
    "openai.resources.chat.completions",
):
    importlib.import_module(module)  # what would otherwise be imported in each fork, at its first use


async def nothing(*_: object) -> None:
    """Stands in for browser-use's screensaver on empty tabs, which loads a picture from its maker's server."""


AboutBlankWatchdog._show_dvd_screensaver_loading_animation_cdp = nothing  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]  # there is no setting for it


async def on_TabCreatedEvent(self: PopupsWatchdog, event: TabCreatedEvent) -> None:  # noqa: N802  # bubus goes by the name
    """Has a tab's dialogs told to the agent. The supervisor answers them: browser-use waits for its own answer for a second."""
    told = self.browser_session._closed_popup_messages  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # there is no public way
    tab = await self.browser_session.get_or_create_cdp_session(event.target_id, focus=False)

    def hear(dialog: JavascriptDialogOpeningEvent, _session: str | None) -> None:
        told.append(f"[{dialog['type']}] {dialog['message'][:DIALOG_CHARS]}")
        del told[:-DIALOGS_TOLD]

    tab.cdp_client.register.Page.javascriptDialogOpening(hear)
    await tab.cdp_client.send.Page.enable(session_id=tab.session_id)


PopupsWatchdog.on_TabCreatedEvent = on_TabCreatedEvent


class Told(BaseEvent[None]):
    """Stands in for what browser-use would tell its maker: nobody listens, and a page's address that is too long for it ends the run."""


for event, maker in (
    (CreateAgentSessionEvent, "from_agent"),
    (CreateAgentTaskEvent, "from_agent"),
    (CreateAgentStepEvent, "from_agent_step"),
):
    setattr(event, maker, staticmethod(lambda *_: Told()))


def main(line: socket.socket) -> None:
    """Runs one task over the line; the process ends with it."""
    asyncio.run(serve(line))


async def serve(line: socket.socket) -> None:
    """Prepares, says so, takes the task, carries it out, and stays until it is ended."""
    reader, writer = await asyncio.open_connection(sock=line, limit=LONGEST_LINE)
    channel = Channel(reader, writer)
    listening = asyncio.create_task(channel.listen())
    session = await connect(await channel.prepare)
    channel.send(Ready(pid=os.getpid()))
    beating = asyncio.create_task(channel.beat())
    run = asyncio.create_task(Run(channel, session, await channel.begin).carry_out())
    await asyncio.wait({run})
    error = run.exception()
    logging.getLogger(__name__).error("the run broke", exc_info=error)
    channel.send(Failed(code=Internal.code, message=f"The agent broke: {type(error).__name__}"))
    await asyncio.gather(listening, beating)


async def connect(prepare: Prepare) -> BrowserSession:
    """A session on the supervisor's Chromium. Everything that browser-use would start, fetch or leave behind is off."""
    folder = Path(prepare.folder)
    tempfile.tempdir = str(folder)
    os.chdir(folder)
    profile = BrowserProfile(
        cdp_url=prepare.cdp_url,
        is_local=True,  # else it takes the browser for a remote one and lets any path of this machine be uploaded
        keep_alive=True,
        enable_default_extensions=False,
        captcha_solver=False,
        permissions=[],  # it would let every page read the clipboard
        auto_download_pdfs=False,  # it would fetch every attachment a second time, next to the browser's own download
        downloads_path=folder / "downloads",
        user_data_dir=None,
        viewport={"width": 1280, "height": 960},  # pyright: ignore[reportArgumentType]  # validated into its own type
        highlight_elements=False,
    )
    session = BrowserSession(browser_profile=profile)
    await session.start()
    return session


class Run:
    """One task: the agent, its rules, and its reports."""

    def __init__(self, channel: Channel, session: BrowserSession, begin: Begin) -> None:
        self.channel = channel
        self.session = session
        self.begin = begin
        self.model = AgentModel(begin.model, Redactor(begin.grants), channel.send)
        self.tools = GuardedTools(begin, Guard(begin.grants, begin.arming), channel)
        self.steps = 0
        self.forced = False
        """Whether the agent may only finish in this round."""
        self.mishap = ""
        """What went wrong in the last step that the agent took."""
        self.started = time.monotonic()
        self.seen: tuple[BrowserStateSummary, AgentOutput] | None = None
        handler = LogLines(channel, Redactor(begin.grants))
        logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)

    async def carry_out(self) -> None:
        """Runs the agent to its end and reports that."""
        await self.resize()
        agent = self.agent()
        await agent.run(  # pyright: ignore[reportUnknownMemberType]  # its own hook type says Agent without parameters
            self.begin.max_steps, on_step_start=self.before_step, on_step_end=self.after_step
        )
        await self.end(self.given_up(agent))

    async def resize(self) -> None:
        """Gives the warm browser the task's own settings."""
        width, height = self.begin.width, self.begin.height
        profile = self.session.browser_profile
        profile.highlight_elements = self.begin.highlight
        profile.viewport = {"width": width, "height": height}  # pyright: ignore[reportAttributeAccessIssue]  # validated into its own type
        await self.session._cdp_set_viewport(width, height, 1.0)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # there is no public way

    def agent(self) -> Agent[Any, Any]:
        """The agent, with everything off that asks somebody else, prints, judges, or guesses."""
        begin = self.begin
        agent: Agent[Any, Any] = Agent(
            task=begin.task,
            llm=self.model,
            browser_session=self.session,
            tools=self.tools,
            extend_system_message=begin.instructions,
            sensitive_data={  # names only: the values never enter the agent
                f"http*://{host}": {grant.name: "" for grant in begin.grants if host in grant.hosts}
                for host in dict.fromkeys(host for grant in begin.grants for host in grant.hosts)
            },
            initial_actions=[{"navigate": {"url": begin.start_url}}] if begin.start_url else None,
            register_new_step_callback=self.on_thought,
            use_vision=begin.vision,
            max_failures=begin.max_failures,
            available_file_paths=list(begin.files),
            file_system_path=begin.sandbox,
            step_timeout=STEP_SECONDS,
            llm_timeout=STEP_SECONDS,
            use_judge=False,
            calculate_cost=False,
            directly_open_url=False,
            enable_signal_handler=False,
        )
        agent.logger.setLevel(logging.WARNING)
        return agent

    async def before_step(self, agent: Agent[Any, Any]) -> None:
        """Waits at the gate: here a pause lands, and nothing is lost by it."""
        await self.channel.ask("gate", tab=self.session.agent_focus_target_id or "")
        self.started = time.monotonic()
        self.seen = None
        self.forced = (
            agent.state.consecutive_failures >= self.begin.max_failures or agent.state.n_steps >= self.begin.max_steps
        )

    async def on_thought(self, state: BrowserStateSummary, output: AgentOutput, number: int) -> None:
        """Keeps what the agent saw and wants, until its actions have results."""
        state.title = await self.title() or state.title
        self.seen = state, output

    async def title(self) -> str:
        """The page's title as Chromium has it: browser-use's own is often still the address. Empty where it is not known."""
        target = self.session.agent_focus_target_id
        with contextlib.suppress(RuntimeError, ValueError, OSError, TimeoutError, WebSocketException):
            tab = await self.session.get_or_create_cdp_session(target, focus=False)
            async with asyncio.timeout(TITLE_SECONDS):
                found = await tab.cdp_client.send.Target.getTargetInfo(params={"targetId": tab.target_id})
                return found["targetInfo"]["title"]
        return ""

    async def after_step(self, agent: Agent[Any, Any]) -> None:
        """Reports the step; ends the run when it is over."""
        results = agent.state.last_result or []
        if self.seen is not None:
            self.steps += 1
            self.mishap = next((result.error for result in reversed(results) if result.error), "")
            self.channel.send(self.step(*self.seen, results))
        if self.model.fatal is not None:
            await self.end(failed(self.model.fatal))
        if results and results[-1].is_done:
            await self.end(self.finished(results[-1]))
        await self.tools.help_wanted()

    async def end(self, message: Finished | Failed) -> None:
        """Tells how it ended and waits: the supervisor ends this process, whatever browser-use would still like to do."""
        self.channel.send(message)
        await self.channel.writer.drain()
        await asyncio.Event().wait()

    def step(self, state: BrowserStateSummary, output: AgentOutput, results: list[ActionResult]) -> Step:
        """The step as it is told."""
        return Step(
            number=self.steps,
            next_goal=shortened(output.next_goal or ""),
            evaluation_previous_goal=shortened(output.evaluation_previous_goal or ""),
            memory=shortened(output.memory or ""),
            url=shortened(state.url),
            title=shortened(state.title),
            actions=[shortened(action.model_dump(exclude_unset=True)) for action in output.action],
            results=[shortened(result_of(result)) for result in results],
            duration_ms=round((time.monotonic() - self.started) * 1000),
            screenshot=state.screenshot,
        )

    def finished(self, result: ActionResult) -> Finished:
        """What the agent said at the end."""
        return Finished(
            done=True,
            success=bool(result.success),
            text=result.extracted_content or "",
            output=cast("dict[str, Any]", result.metadata or {}).get("output"),  # pyright: ignore[reportUnknownMemberType]  # a bare dict there
            steps=self.steps,
            forced=self.forced,
        )

    def given_up(self, agent: Agent[Any, Any]) -> Finished | Failed:
        """Why the agent stopped without being done, as far as it is known."""
        if agent.state.stopped:
            return failed(BrowserFailed("The agent lost its browser: try again; 'webhand doctor' checks the browser"))
        if self.model.failure and self.model.failed_in_a_row >= min(self.begin.max_failures, self.begin.max_steps):
            return failed(self.model.failure)
        if self.model.failure and self.forced:  # that it would not finish when it had to is not what it failed at
            return Finished(done=False, steps=self.steps, last_error=self.mishap)
        errors = [result.error for result in agent.state.last_result or [] if result.error]
        if errors and "BrowserStateRequestEvent" in errors[-1]:
            return failed(BrowserFailed("A page did not let itself be looked at: it is frozen, or too large"))
        return Finished(done=False, steps=self.steps, last_error=errors[-1] if errors else "")


def failed(failure: Failure) -> Failed:
    """The failure as it is told."""
    return Failed(code=failure.code, message=failure.message, retry_after=failure.retry_after)


def result_of(result: ActionResult) -> dict[str, Any]:
    """What is kept of an action's result."""
    kept = {"text": result.extracted_content, "error": result.error, "done": result.is_done or None}
    return {name: value for name, value in kept.items() if value is not None}


def shortened(value: Any) -> Any:
    """The same JSON with long texts cut."""
    return mapped(value, lambda text: text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…")
