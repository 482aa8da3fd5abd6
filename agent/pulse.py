"""The pulse of a page: whether its own thread still answers. A script that never ends is stopped, and the page lives on.

Chromium obeys `Runtime.terminateExecution` even where a page answers nothing else. Workers have threads of their own: one that
never ends holds up nobody, and ends with its page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

EVERY_SECONDS = 3.0
PATIENCE_SECONDS = 15.0
"""As long as Chromium itself waits before it would ask a person whether a page shall be ended."""
STOP_SECONDS = 5.0

Call = Callable[[str, dict[str, Any]], Awaitable[object]]
"""Sends a DevTools command to the page and waits for the answer, however long it takes."""


async def stop_endless_script(call: Call) -> None:
    """Returns when a script that kept the page from answering for too long was stopped, or would not be stopped.

    Raises what `call` raises: a page between two documents may refuse a question, and is alive.
    """
    while await answers(call, "Runtime.evaluate", {"expression": "0"}, PATIENCE_SECONDS):  # noqa: ASYNC110  # it happens in the page
        await asyncio.sleep(EVERY_SECONDS)
    await answers(call, "Runtime.terminateExecution", {}, STOP_SECONDS)


async def answers(call: Call, method: str, parameters: dict[str, Any], seconds: float) -> bool:
    """Whether the page answers that in time."""
    try:
        async with asyncio.timeout(seconds):
            await call(method, parameters)
    except TimeoutError:
        return False
    return True
