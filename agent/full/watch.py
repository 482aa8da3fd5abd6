"""The supervisor's own eyes on a task's Chromium, over a DevTools connection that the agent knows nothing of.

browser-use does not notice a crashed renderer and waits minutes for a frozen browser; here both are seen within seconds. The same
connection carries what must work whatever the agent does: putting a login in, taking cookies out.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import structlog

from agent.cdp import Cdp, Gone, Refused
from agent.full.ear import SETUP, Ear
from agent.pulse import stop_endless_script
from tools.errors import BrowserFailed

PING_SECONDS = 5.0
FROZEN_SECONDS = 20.0
DIALOGS, DIALOG_SECONDS = 30, 20.0
"""So many dialogs within so many seconds are more than anything but a loop opens."""
STOPS = 3
"""How often a tab or frame may have to be freed of an endless script before the run is given up."""
COOKIE_FIELDS = ("name", "value", "domain", "path", "httpOnly", "secure", "sameSite")
ATTACH = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
FRAMES: tuple[str, Mapping[str, object]] = (
    "Target.setAutoAttach",
    {**ATTACH, "filter": [{"type": "iframe"}, {"type": "worker"}]},
)
"""Has a tab announce its workers, and its frames of other sites, which live in processes of their own, before they run."""
ROOTS = ("page", "service_worker", "shared_worker")
"""What the browser announces before it runs. Workers send requests of their own, which may publish."""
PAGE: tuple[str, Mapping[str, object]] = ("Page.enable", {})
# Put in before a page's own scripts run, once per origin and document, and never over what the page has stored since.
FILL_STORAGE = """((stored) => {
    const own = stored[self.origin];
    if (own && self === top) try {
        for (const {name, value} of own) if (localStorage.getItem(name) === null) localStorage.setItem(name, value);
    } catch {}
})(%s)"""
READ_STORAGE = (
    "({origin: self.origin, localStorage: Object.entries(localStorage).map(([name, value]) => ({name, value}))})"
)

_log = structlog.get_logger(__name__)


class Watch:
    """One Chromium, watched. `hosts`: those whose pages its tabs have shown or tried to.

    `pages`, `frames`, `workers`: the DevTools sessions of its tabs, of their frames that live in processes of their own, and of
    workers of every kind, with their targets.
    """

    def __init__(self) -> None:
        self.cdp: Cdp
        self.spoiled: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.dialogs: deque[float] = deque(maxlen=DIALOGS)
        self.left: dict[str | None, str] | None = None
        """The kinds of the dialogs that wait for a person, by DevTools session. None: nobody is waited for."""
        self.hosts: set[str] = set()
        self.pages: dict[str, str] = {}
        self.frames: dict[str, str] = {}
        self.workers: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self.setup: list[tuple[str, Mapping[str, object]]] = []
        self.waiting: set[asyncio.Task[None]] = set()
        self.stored: Mapping[str, Any] = {}
        self.ear: Ear | None = None

    @classmethod
    async def open(cls, cdp_url: str) -> Watch:
        """Watches the browser at that DevTools URL. Raises BrowserFailed."""
        watch = cls()
        try:
            watch.cdp = await Cdp.open(cdp_url, watch.hear)
            await watch.cdp.call("Target.setDiscoverTargets", {"discover": True})
            await watch.cdp.call("Target.setAutoAttach", {**ATTACH, "filter": [{"type": kind} for kind in ROOTS]})
        except (Gone, Refused, TimeoutError) as error:
            raise BrowserFailed from error
        return watch

    def hear(self, method: str, parameters: dict[str, Any], session: str | None) -> None:
        """Takes an event; never waits."""
        if method in {"Target.targetCreated", "Target.targetInfoChanged"}:
            target: dict[str, Any] = parameters["targetInfo"]
            self.kinds[target["targetId"]] = target["type"]
            if target["type"] == "page" and (host := urlsplit(str(target["url"])).hostname):
                self.hosts.add(host)
        elif method == "Target.targetCrashed":
            self.crashed(parameters["targetId"])
        elif method == "Target.attachedToTarget":
            self.attached(parameters["sessionId"], parameters["targetInfo"])
        elif method == "Target.detachedFromTarget":
            for kept in (self.pages, self.frames, self.workers):
                kept.pop(parameters["sessionId"], None)
            if self.ear is not None:
                self.ear.lose(parameters["sessionId"])
        elif method == "Page.javascriptDialogOpening":
            self.soon(self.answer_dialog(parameters["type"], session))
        elif method == "Fetch.requestPaused" and self.ear is not None:
            self.soon(self.ear.stop(self.cdp, parameters, session))

    def attached(self, session: str, target: Mapping[str, Any]) -> None:
        """Takes a tab, frame or worker in; a worker may be as busy as it likes."""
        kept = {"page": self.pages, "iframe": self.frames}.get(target["type"], self.workers)
        kept[session] = target["targetId"]
        self.soon(self.furnish(session))
        if kept is not self.workers:
            self.soon(self.feel(session))

    def soon(self, work: Coroutine[Any, Any, None]) -> None:
        """Does something that an event asks for, without holding the other events up."""
        task = asyncio.ensure_future(work)
        self.waiting.add(task)
        task.add_done_callback(self.waiting.discard)

    def crashed(self, target: str) -> None:
        """Notes that a page crashed, which ends the run, or a frame, which does not."""
        if self.kinds.get(target) == "page":
            self.spoil("A page crashed in the browser: try again, or give the task more memory")
        self.frames = {session: frame for session, frame in self.frames.items() if frame != target}

    async def feel(self, session: str) -> None:
        """Sees to it that no script holds a tab or frame up for ever, as long as that is there."""

        async def call(method: str, parameters: dict[str, Any]) -> None:
            try:
                await (await self.cdp.post(method, parameters, session))
            except Refused:  # between two documents, unless it is gone
                if session not in {**self.pages, **self.frames}:
                    raise

        with suppress(Gone, Refused):
            for _ in range(STOPS):
                await stop_endless_script(call)
                if session not in {**self.pages, **self.frames}:
                    return
                _log.warning("full.script_stopped", hosts=sorted(self.hosts))
            self.spoil(
                "A page stops answering again and again: its scripts run without end, or it is too large: leave it out of the task"
            )

    async def answer_dialog(self, kind: str, session: str | None) -> None:
        """Answers a page's dialog as a person in a hurry would: yes, and nothing where words are wanted."""
        self.dialogs.append(time.monotonic())
        if len(self.dialogs) == DIALOGS and self.dialogs[-1] - self.dialogs[0] < DIALOG_SECONDS:
            self.spoil("A page opens dialogs without end, so that nothing can be done in it: leave it out of the task")
        elif self.left is not None:
            self.left[session] = kind  # a tab shows one at a time
        else:
            await self.close_dialog(kind, session)

    async def close_dialog(self, kind: str, session: str | None) -> None:
        """Says yes, and nothing where words are wanted; a dialog that is answered already stays so."""
        with suppress(Gone, Refused, TimeoutError):
            await self.cdp.post("Page.handleJavaScriptDialog", {"accept": kind != "prompt"}, session)

    @asynccontextmanager
    async def dialogs_left(self) -> AsyncGenerator[None]:
        """Meanwhile a page's dialogs wait for a person; what nobody has answered by its end is answered as ever."""
        left: dict[str | None, str] = {}
        self.left = left
        try:
            yield
        finally:
            self.left = None
            for session, kind in left.items():
                await self.close_dialog(kind, session)

    def spoil(self, why: str) -> None:
        """Notes that the browser is of no more use."""
        if not self.spoiled.done():
            self.spoiled.set_result(why)

    async def furnish(self, session: str) -> None:
        """Gives a tab, frame or worker what every one of the task has, as far as its kind takes it, then lets it run."""
        with suppress(Gone, Refused, TimeoutError):
            for method, parameters in (PAGE, *self.setup, FRAMES):
                await self.cdp.post(method, parameters, session)
            await self.cdp.post("Runtime.runIfWaitingForDebugger", {}, session)

    async def restore(
        self, state: Mapping[str, Any] | None, locale: str, timezone: str, ear: Ear | None = None
    ) -> None:
        """Puts a login in, sets where in the world the browser is, and has the ear listen. Raises BrowserFailed."""
        self.stored = state or {}
        self.ear = ear
        self.setup = [*await self.world(locale, timezone), *(SETUP if ear else ())]
        if origins := self.stored.get("origins"):
            stored = {origin["origin"]: origin.get("localStorage", []) for origin in origins}
            script = FILL_STORAGE % json.dumps(stored)
            self.setup += [("Page.addScriptToEvaluateOnNewDocument", {"source": script})]
        cookies = [cookie_in(cookie) for cookie in self.stored.get("cookies", [])]
        try:
            await self.cdp.call("Storage.setCookies", {"cookies": cookies})
        except (Gone, Refused, TimeoutError) as error:
            raise BrowserFailed("The account's cookies could not be put into the browser") from error
        for session in list(self.pages):
            await self.furnish(session)

    async def world(self, locale: str, timezone: str) -> list[tuple[str, Mapping[str, object]]]:
        """The commands that set language and time zone of a tab; none where they are the usual ones."""
        commands: list[tuple[str, Mapping[str, object]]] = []
        if timezone != "UTC":
            commands.append(("Emulation.setTimezoneOverride", {"timezoneId": timezone}))
        if locale != "en-US":
            with suppress(Gone, Refused, TimeoutError):
                agent = (await self.cdp.call("Browser.getVersion"))["userAgent"]
                languages = {"userAgent": agent, "acceptLanguage": f"{locale},{locale.partition('-')[0]}"}
                commands.append(("Emulation.setUserAgentOverride", languages))
            commands.append(("Emulation.setLocaleOverride", {"locale": locale}))
        return commands

    async def cookies(self) -> list[dict[str, Any]]:
        """All cookies, as DevTools has them. Raises Gone, Refused or TimeoutError."""
        return (await self.cdp.call("Storage.getCookies", seconds=2))["cookies"]

    async def state(self) -> dict[str, Any]:
        """The browser's storage state: all cookies, and the local storage of the pages that are open and of those put in before.

        Raises Gone, Refused or TimeoutError.
        """
        cookies = await self.cookies()
        origins = {origin["origin"]: origin for origin in self.stored.get("origins", [])}
        for session in list(self.pages):
            with suppress(Refused, TimeoutError):
                answer = await self.cdp.call(
                    "Runtime.evaluate", {"expression": READ_STORAGE, "returnByValue": True}, session, seconds=0.2
                )
                found = answer["result"].get("value")
                if found and found["localStorage"] and found["origin"] != "null":
                    origins[found["origin"]] = found
        return {"cookies": [cookie_out(cookie) for cookie in cookies], "origins": list(origins.values())}

    async def trouble(self) -> None:
        """Returns never; raises BrowserFailed when a page crashes or opens dialogs without end, or the browser stops answering."""
        pinging = asyncio.ensure_future(self.ping())
        try:
            await asyncio.wait({pinging, self.spoiled}, return_when=asyncio.FIRST_COMPLETED)
            if self.spoiled.done():
                raise BrowserFailed(self.spoiled.result())
            await pinging
        finally:
            pinging.cancel()

    async def ping(self) -> None:
        """Asks the browser again and again for a sign of life. Raises BrowserFailed."""
        while True:
            try:
                await self.cdp.call("Browser.getVersion", seconds=FROZEN_SECONDS)
            except TimeoutError:
                raise BrowserFailed(
                    f"The browser froze: it did not answer for {FROZEN_SECONDS:.0f} seconds; try again"
                ) from None
            except (Gone, Refused):
                raise BrowserFailed("The browser died: try again; 'webhand doctor' checks the browser") from None
            await asyncio.sleep(PING_SECONDS)

    async def close(self) -> None:
        """Looks away."""
        for task in list(self.waiting):
            task.cancel()
        await self.cdp.close()


def cookie_in(cookie: Mapping[str, Any]) -> dict[str, Any]:
    """A cookie of a storage state as DevTools takes it."""
    found = {name: cookie[name] for name in COOKIE_FIELDS if cookie.get(name) is not None}
    if (cookie.get("expires") or -1) > 0:
        found["expires"] = cookie["expires"]
    return found


def cookie_out(cookie: Mapping[str, Any]) -> dict[str, Any]:
    """A cookie of DevTools as a storage state has it."""
    found = {name: cookie[name] for name in COOKIE_FIELDS if name in cookie}
    return {"sameSite": "Lax", **found, "expires": cookie.get("expires", -1)}
