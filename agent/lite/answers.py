"""Hears the network answers that a playbook listens for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from playwright.async_api import BrowserContext, Request, Response
from playwright.async_api import Error as PlaywrightError

from agent.answers import Heard, meant
from agent.origins import Origins
from tools.errors import Failure
from tools.playbook import Listen


class Refused(Exception):
    """The site's answer said no, so nothing was done. `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass
class Wanted:
    """An answer that is listened for. `heard` becomes None when its request failed."""

    move: Listen
    heard: asyncio.Future[Heard | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def fits(self, request: Request, origins: Origins) -> bool:
        """Whether it is still open, and this is the request that was meant."""
        return not self.heard.done() and meant(self.move, request.method, request.url, origins)


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
        return [wanted for wanted in self._wanted.values() if wanted.fits(request, self._origins)]

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
        body = await response.body()
    except PlaywrightError:
        body = b""
    if not wanted.heard.done():
        wanted.heard.set_result(Heard.of(response.status, response.headers, body))
