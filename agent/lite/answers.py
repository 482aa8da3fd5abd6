"""Hears the network answers that a playbook listens for, and reads in them what the site said."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from playwright.async_api import BrowserContext, Request, Response
from playwright.async_api import Error as PlaywrightError

from agent.lite.untrusted import plain
from agent.lite.watch import RATE_SECONDS
from agent.origins import Origins
from tools.errors import AuthenticationFailed, Failure, PlatformError, RateLimited, every_failure
from tools.patience import seconds_to_wait
from tools.playbook import Answer, Listen, Refusal

READING_CHARS = 20_000
FAILURES: Mapping[str, type[Failure]] = {failure.code: failure for failure in every_failure()}


class Refused(Exception):
    """The site's answer said no, so nothing was done. `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True)
class Heard:
    """An answer: its status, headers (lower case) and JSON; {} for what is no JSON."""

    status: int
    headers: Mapping[str, str]
    said: Any

    def at(self, path: str) -> Any:
        """What stands at a dotted path (`data.items.0.id`); None where there is nothing."""
        value = self.said
        for part in path.split("."):
            if isinstance(value, dict):
                value = cast("dict[str, Any]", value).get(part)
            elif isinstance(value, list) and part.isdigit():
                items = cast("list[Any]", value)
                value = items[int(part)] if int(part) < len(items) else None
            else:
                return None
        return value


@dataclass
class Wanted:
    """An answer that is listened for. `heard` becomes None when its request failed."""

    move: Listen
    heard: asyncio.Future[Heard | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def fits(self, request: Request, urls: Sequence[str]) -> bool:
        """Whether it is still open, and this is the request that was meant."""
        meant = request.method == self.move.method and any(re.search(self.move.url, url) for url in urls)
        return meant and not self.heard.done()


class Ear:
    """Listens to everything that a context loads. `close` ends it."""

    def __init__(self, context: BrowserContext, origins: Origins) -> None:
        self._context = context
        self._origins = origins
        self._wanted: dict[str, Wanted] = {}
        self._taking: set[asyncio.Task[None]] = set()

    def listen(self, move: Listen) -> None:
        """From now on the next such answer is kept."""
        if not self._wanted:
            self._context.on("response", self._on_response)
            self._context.on("requestfailed", self._on_failure)
        self._wanted[move.name] = Wanted(move)

    def wanted(self, name: str) -> asyncio.Future[Heard | None]:
        """The answer to come. Raises KeyError when nobody listened for it."""
        return self._wanted[name].heard

    def close(self) -> None:
        """Stops listening."""
        for task in self._taking:
            task.cancel()
        if self._wanted:
            self._context.remove_listener("response", self._on_response)
            self._context.remove_listener("requestfailed", self._on_failure)

    def _meant(self, request: Request) -> list[Wanted]:
        urls = (request.url, self._origins.document(request.url))
        return [wanted for wanted in self._wanted.values() if wanted.fits(request, urls)]

    def _on_response(self, response: Response) -> None:
        for wanted in self._meant(response.request):
            task = asyncio.create_task(take(wanted, response))
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)

    def _on_failure(self, request: Request) -> None:
        for wanted in self._meant(request):
            wanted.heard.set_result(None)


async def take(wanted: Wanted, response: Response) -> None:
    """Reads the answer at once: a navigation may take its body away."""
    try:
        said = json.loads(await response.body())
    except (PlaywrightError, ValueError):
        said = {}
    if not wanted.heard.done():
        wanted.heard.set_result(Heard(response.status, response.headers, said))


def check_refusals(heard: Heard, move: Answer) -> None:
    """Raises Refused when the answer says no: one of the playbook's refusals, or a status that cannot mean yes."""
    for refusal in move.refusals:
        if fits(refusal, heard):
            raise Refused(failure(refusal, heard))
    if heard.status == 429:
        wait = seconds_to_wait(heard.headers.get("retry-after"))
        raise Refused(RateLimited(retry_after=wait or RATE_SECONDS))
    if heard.status == 401:
        raise Refused(AuthenticationFailed("The site answered that nobody is logged in: reconnect the account"))
    if 400 <= heard.status < 500:
        raise Refused(PlatformError(f"The site refused the request with status {heard.status}"))


def fits(refusal: Refusal, heard: Heard) -> bool:
    """Whether the answer says this no."""
    if refusal.statuses and heard.status not in refusal.statuses:
        return False
    if refusal.unless is not None and heard.at(refusal.unless):
        return False
    if not refusal.path:
        return True
    value = heard.at(refusal.path)
    if not (bool(value) if refusal.values is None else any(alike(value, one) for one in refusal.values)):
        return False
    return refusal.pattern is None or re.search(refusal.pattern, str(value)) is not None


def alike(value: Any, wanted: str | int | bool) -> bool:
    """Whether both are the same value; a number may be written as text, but true is not 1."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return isinstance(value, str | int | float) and str(value) == str(wanted)


def failure(refusal: Refusal, heard: Heard) -> Failure:
    """The refusal as the task's failure."""
    kind = FAILURES.get(refusal.code, PlatformError)
    if refusal.message is not None and refusal.message.startswith("="):
        message = refusal.message[1:]
    else:
        said = heard.at(refusal.message or refusal.path) if refusal.message or refusal.path else None
        message = f"The site answered: {plain(said, 300)}" if said else None
    wait = None
    if refusal.retry_after is not None:
        asked = refusal.retry_after
        wait = seconds_to_wait(heard.headers.get(asked[1:].lower()) if asked.startswith("@") else heard.at(asked))
    if issubclass(kind, RateLimited):
        wait = wait or RATE_SECONDS
    return kind(message, retry_after=wait)


def readings_of(heard: Heard, move: Answer) -> dict[str, str]:
    """The readings that the answer holds; those it lacks are left out."""
    found: dict[str, str] = {}
    for name, paths in move.readings.items():
        for path in (paths,) if isinstance(paths, str) else paths:
            value = heard.at(path)
            if isinstance(value, str | int | float) and value != "":
                found[name] = str(value)[:READING_CHARS]
                break
    return found
