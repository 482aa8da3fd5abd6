"""Playwright's own process, which plays in browsers."""

from __future__ import annotations

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Playwright, async_playwright

from agent.installed import DRIVER_TROUBLE
from tools.errors import BrowserFailed


async def start_driver() -> Playwright:
    """Starts it; whoever did stops it again. Raises BrowserFailed where it cannot run on this machine."""
    try:
        return await async_playwright().start()
    except PlaywrightError:
        raise
    except Exception as error:  # Playwright raises a bare one when its process ends at once
        raise BrowserFailed(DRIVER_TROUBLE) from error
