"""Plays a playbook's moves on a page. Each move checks that it took effect, or fails with the code that fits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import reduce, singledispatchmethod
from pathlib import Path
from typing import Protocol

from playwright.async_api import ElementHandle, Locator, expect
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from agent.answers import FAILURES, readings_of, refusal_in
from agent.lite.answers import Ear, Refused
from agent.lite.finder import Finder, UnknownReading, shown
from agent.lite.form import Form
from agent.lite.navigation import go, lost
from agent.lite.pulse import feeling
from agent.lite.untrusted import fold, plain
from agent.lite.watch import Missing
from tools.errors import BrowserFailed, Failure, InvalidParameters, PageChanged, PlatformError, WrongPage
from tools.playbook import Answer, Choose, Click, Expect, Fill, Goto, Listen, Move, Press, Read, Upload, Wait

FROZEN_SECONDS = 60.0
"""Longer than any move waits for what it needs, and for an endless script to be stopped."""
READ_SECONDS = 5.0
"""For what an element says, once it is there."""
WITHIN_REACH = """one => {
  const box = one.getClientRects()[0];
  const top = box && one.getRootNode().elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  return Boolean(top) && one.contains(top) && !one.matches(':disabled, [aria-disabled=true]');
}"""
"""Whether a click on an element would meet it, and not something that lies over it, and would count."""


class Witness(Protocol):
    """Whoever looks on while moves are played."""

    async def before(self, move: Move) -> None:
        """A move is about to be played. May raise what would stop it."""
        ...

    async def after(self, move: Move) -> None:
        """It was played."""
        ...


class Player:
    """Plays moves where `at` finds things; what they read goes into `at.readings`.

    `publish` is awaited right before a publishing move goes out, when everything else about it has been checked.
    """

    def __init__(
        self,
        at: Finder,
        ear: Ear,
        *,
        files: Sequence[Path] = (),
        publish: Callable[[], Awaitable[None]] | None = None,
        witness: Witness | None = None,
    ) -> None:
        self.at = at
        self._witness = witness
        self._ear = ear
        self._files = {file.name: file for file in files}
        self._publish = publish
        self._form = Form(at)

    @property
    def _ms(self) -> float:
        return 1000 * self.at.watch.patience.act

    def _feeling(self) -> AbstractAsyncContextManager[None]:
        session = self.at.watch.session
        return nullcontext() if session is None else feeling(self.at.page, session)

    async def play(self, move: Move) -> None:
        """Plays one move. Raises a Failure, Refused, or the watch's Detour."""
        try:
            async with asyncio.timeout(FROZEN_SECONDS + getattr(move, "seconds", 0)), self._feeling():
                if self._witness is not None:
                    await self._witness.before(move)
                await self._play(move)
                if self._witness is not None:
                    await self._witness.after(move)
        except TimeoutError:
            raise BrowserFailed("The page froze: try again") from None
        except UnknownReading as unknown:
            raise PageChanged(f"The playbook needs '{unknown}', but the site never said it") from unknown
        except PlaywrightError as error:
            broken = self._broken(error, move)
            if isinstance(error, PlaywrightTimeoutError):
                await self.at.watch.check()  # something may lie over the element that explains it
            raise broken from None  # Playwright's own text may hold what was typed

    @singledispatchmethod
    async def _play(self, move: Move) -> None:
        raise TypeError(move)

    @_play.register
    async def _goto(self, move: Goto) -> None:
        self._form.forget()
        await go(self.at, self.at.origins.resolve(self.at.url(move.url), self.at.watch.site))

    @_play.register
    async def _click(self, move: Click) -> None:
        found = await self.at.find(move.selector, within=move.within, alone=move.publishes)
        if not move.publishes:
            self._form.leave()
            await found.click(timeout=self._ms)
            return
        await self._form.restore(self._ms)
        await found.click(trial=True, timeout=self._ms)  # everything but the click itself
        await self._about_to_publish()
        target = await self._target(move)
        self._go_out()
        await target.click(timeout=self._ms)

    @_play.register
    async def _fill(self, move: Fill) -> None:
        await self._form.fill(move, self._ms)

    @_play.register
    async def _press(self, move: Press) -> None:
        found = await self.at.find(move.selector, alone=move.publishes) if move.selector is not None else None
        if not move.publishes:
            self._form.leave()
        else:
            await self._form.restore(self._ms)
            await self._about_to_publish()
            self._go_out()
        await (found.press(move.key, timeout=self._ms) if found else self.at.page.keyboard.press(move.key))

    async def _about_to_publish(self) -> None:
        """Puts the act on record, which takes its time, and sees that everything is still as it was. Nothing went out yet."""
        if self._publish is not None:
            await self._publish()
            await self.at.watch.make_sure_who()
            await self._form.check()

    async def _target(self, move: Click) -> ElementHandle:
        """The very element to click. Raises PageChanged where it has moved on, or something lies over it."""
        # It was there a moment ago; less than a glance, and a busy machine's slow answer would look like a changed page.
        glance = self.at.watch.patience.glance
        found = await self.at.find(move.selector, within=move.within, alone=True, seconds=glance)
        target = await found.element_handle(timeout=self._ms)
        if not await target.evaluate(WITHIN_REACH):
            raise PageChanged(f"On {shown(self.at.page.url)} nobody can click {self._named(move)} any more")
        return target

    def _go_out(self) -> None:
        """From now on nobody knows whether the act was done, until there is proof of it."""
        if self._publish is not None:
            self.at.watch.acted = True

    @_play.register
    async def _choose(self, move: Choose) -> None:
        found = await self.at.find(move.selector)
        await found.select_option(self.at.text(move.option), timeout=self._ms)

    @_play.register
    async def _upload(self, move: Upload) -> None:
        unknown = [name for name in move.files if name not in self._files]
        if unknown:
            raise InvalidParameters(f"The task has no file called '{plain(unknown[0], 100)}'")
        found = await self.at.find(move.selector, visible=False)
        await found.set_input_files([self._files[name] for name in move.files], timeout=self._ms)

    @_play.register
    async def _wait(self, move: Wait) -> None:
        if not move.gone:
            await self.at.find(move.selector, seconds=move.seconds)
            return
        anyone = reduce(Locator.or_, self.at.every(move.selector)).first
        try:
            await self.at.watch.until(lambda ms: anyone.wait_for(state="hidden", timeout=ms), move.seconds)
        except Missing:
            stayed = f"stayed on {shown(self.at.page.url)} for {move.seconds:g} seconds"
            raise PageChanged(f"{self._named(move)} {stayed}") from None

    @_play.register
    async def _expect(self, move: Expect) -> None:
        try:
            await self.at.watch.until(lambda ms: self._holds(move, ms), move.seconds)
        except Missing:
            raise FAILURES.get(move.failure, PageChanged)(move.message or self._unmet(move)) from None

    async def _holds(self, move: Expect, ms: float) -> None:
        """Returns when it is true, raises when it does not become so in time."""
        if move.url is not None:
            pattern = move.url
            await self.at.page.wait_for_url(lambda url: self._is_at(pattern, url), timeout=ms, wait_until="commit")
        every = [self.at.page.locator("body")] if move.selector is None else self.at.every(move.selector)
        found = reduce(Locator.or_, every).first
        if move.text is not None:
            await expect(found).to_contain_text(fold(self.at.text(move.text)), use_inner_text=True, timeout=ms)
        elif move.selector is not None:
            await expect(found).to_be_visible(timeout=ms)

    def _is_at(self, pattern: str, url: str) -> bool:
        return any(re.search(pattern, one) for one in (url, self.at.origins.document(url)))

    def _unmet(self, move: Expect) -> str:
        what = "the expected page" if move.url is not None else self._named(move)
        return f"{shown(self.at.page.url)} does not show {what}{' with the expected text' if move.text else ''}"

    def _named(self, move: Move) -> str:
        """The move's element, for a message."""
        selector = getattr(move, "selector", None)
        return "the page" if selector is None else " or ".join(self.at.selectors(selector))

    @_play.register
    async def _read(self, move: Read) -> None:
        try:
            found = await self.at.find(move.selector, visible=False, seconds=move.seconds)
            self.at.readings[move.name] = await self.at.watch.until(
                lambda ms: value_of(found, move, ms), min(move.seconds, READ_SECONDS)
            )
        except Missing:
            if not move.optional:
                where = f"{self._named(move)} on {shown(self.at.page.url)}"
                raise PageChanged(f"'{move.name}' cannot be read in {where}") from None
        except (PageChanged, WrongPage):
            if not move.optional:
                raise

    @_play.register
    async def _listen(self, move: Listen) -> None:
        self._ear.listen(move)

    @_play.register
    async def _answer(self, move: Answer) -> None:
        coming = self._ear.wanted(move.name)
        try:
            heard = await self.at.watch.until(
                lambda ms: asyncio.wait_for(asyncio.shield(coming), ms / 1000), move.seconds
            )
        except Missing:
            heard = None
        if heard is not None:
            if (refusal := refusal_in(heard, move)) is not None:
                raise Refused(refusal)
            self.at.readings.update(readings_of(heard, move))
        if move.optional:
            return
        if heard is None or heard.status >= 500:
            raise PlatformError("The site did not answer" if heard is None else f"The site answered {heard.status}")
        lacking = [name for name in move.readings if name not in self.at.readings]
        if lacking:
            raise PlatformError(f"The site's answer does not say '{lacking[0]}'")

    def _broken(self, error: PlaywrightError, move: Move) -> Failure:
        """What a Playwright error means that no move expected."""
        browser = self.at.page.context.browser
        if self.at.page.is_closed() and browser is not None and browser.is_connected():
            return WrongPage("The tab was closed while the task was at work in it")
        if "crash" in error.message or lost(self.at.page, error):
            return BrowserFailed()
        what = f"{type(move).__name__.lower()} on {self._named(move)}"
        return PageChanged(f"{shown(self.at.page.url)} did not take the {what}")


async def value_of(found: Locator, move: Read, ms: float) -> str:
    """What stands there; waits for it to fit. Raises TimeoutError."""
    async with asyncio.timeout(ms / 1000):
        while True:
            if move.attribute == "value":
                value = await found.input_value(timeout=ms)
            elif move.attribute is not None:
                value = await found.get_attribute(move.attribute, timeout=ms)
            else:
                value = await found.inner_text(timeout=ms)
            fitting = re.search(move.pattern or r"(?s)(.*)", value) if value is not None else None
            if fitting:
                return fitting[1] if fitting.re.groups else fitting[0]
            await asyncio.sleep(0.1)
