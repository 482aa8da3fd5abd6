"""One attempt to sign an account in: plain state that its browser's watcher changes and its page shows."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Literal

from agent.engine import Window
from storage.changes import Changes
from storage.ids import mint
from tools.site import Site

SignInState = Literal["waiting", "open", "connected", "failed", "cancelled", "expired"]
"""`waiting` until somebody opens the page, `open` while its browser runs; the others are ends."""
_OPEN = frozenset({"waiting", "open"})


@dataclass(eq=False)
class SignIn:
    """One attempt."""

    account_id: str
    account_name: str
    site: Site
    identity: str | None
    """Who it must be, as the site spells it; None: whoever signs in."""
    expires: float
    """Unix seconds at which the link, or the open browser, ends."""
    id: str = field(default_factory=lambda: mint("signin"))
    state: SignInState = "waiting"
    message: str = ""
    """What the person is told."""
    who: str | None = None
    window: Window | None = None
    claim: str = ""
    """By this the page's own browser is told from others that have the link."""
    people: int = 0
    """How many connections the page has."""
    ended_at: float = 0.0
    job: asyncio.Task[None] | None = None
    changes: Changes = field(default_factory=Changes)
    impatient: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the person says that they are signed in."""

    @property
    def over(self) -> bool:
        """Whether nothing can follow."""
        return self.state not in _OPEN

    def tell(self, message: str) -> None:
        """Says something to the person."""
        if message != self.message and not self.over:
            self.message = message
            self.changes.wake(self.id)

    def show(self, window: Window | None) -> None:
        """The browser has come, or gone."""
        self.window = window
        self.changes.wake(self.id)

    def end(self, state: SignInState, message: str) -> None:
        """Ends the attempt; the first ending counts."""
        if not self.over:
            self.state, self.message, self.ended_at = state, message, time.time()
            self.changes.wake(self.id)
