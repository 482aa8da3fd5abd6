"""Opens pages, and says why one could not be opened."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, Response
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from agent.lite.finder import Finder, shown
from agent.lite.untrusted import plain
from agent.wall import Gate
from tools.errors import BlockedByWall, Failure, Unreachable, WrongPage


async def go(at: Finder, url: str) -> None:
    """Opens a URL and looks for signs there. Raises Unreachable, WrongPage, BlockedByWall, or what the signs mean."""
    blocked = len(at.gate.blocked) if at.gate else 0
    await keep_gap(at)
    at.went = url
    try:
        answer = await opened(at, url)
    except PlaywrightTimeoutError:
        raise Unreachable(f"{shown(url)} did not load within {at.watch.patience.navigation:.0f} seconds") from None
    except PlaywrightError as error:
        if "crash" in error.message or lost(at.page, error):
            raise
        raise unreachable(at.gate, url, error.message, blocked) from None
    at.watch.lookout.landed(answer)
    if at.gate and answer and answer.status == 403 and at.gate.refused(answer.url):
        raise outside(at.gate, answer.url)
    await at.watch.check()
    if answer and answer.status >= 500:
        raise Unreachable(f"{shown(url)} answered with status {answer.status}")


async def keep_gap(at: Finder) -> None:
    """Waits where the site throws out those who load pages too fast."""
    now = asyncio.get_running_loop().time()
    wait = at.went_at + at.watch.site.gap - now
    if wait > 0:
        await asyncio.sleep(wait)
    at.went_at = max(now, now + wait)


async def opened(at: Finder, url: str) -> Response | None:
    """The page's answer. Goes there once more when the page that was left led elsewhere at the same moment."""
    for left in (1, 0):
        try:
            return await at.page.goto(url, wait_until="domcontentloaded", timeout=1000 * at.watch.patience.navigation)
        except PlaywrightError as error:
            crossed = "ERR_ABORTED" in error.message or "interrupted by another navigation" in error.message
            if not (left and crossed) or lost(at.page, error):
                raise
    return None


def lost(page: Page, error: PlaywrightError) -> bool:
    """Whether an error means that the page, its browser or Playwright's own process is gone.

    After the end of Playwright's process its objects stay as they were, and only their errors say so.
    """
    browser = page.context.browser
    closed = page.is_closed() or browser is None or not browser.is_connected()
    return closed or "has been closed" in error.message


def unreachable(gate: Gate | None, url: str, said: str, blocked: int) -> Failure:
    """Why a page could not be opened; `blocked`: how many hosts the gate had refused before."""
    if gate and gate.refused(url):
        return outside(gate, url)
    if gate and len(gate.blocked) > blocked:
        return outside(gate, f"//{gate.blocked[blocked]}")
    code = re.search(r"net::(ERR_\w+)", said)
    if "Download is starting" in said or (code and code[1] == "ERR_ABORTED"):
        return WrongPage(f"{shown(url)} is no page")
    return Unreachable(f"{shown(url)} could not be opened: {code[1] if code else 'no answer'}")


def outside(gate: Gate, url: str) -> Failure:
    """The wall's refusal of a page."""
    return BlockedByWall(
        f"{plain(urlsplit(url).hostname, 100)} is outside the hosts that this task may reach: allow it, or change the task",
        details={"blocked": [plain(one, 100) for one in gate.blocked[:10]]},
    )
