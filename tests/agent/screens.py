"""A page in a context of its own in a shared Chromium, driven by Playwright as an engine does, and looked at by a Screen."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from agent.chromium import Chromium
from agent.engine import Window
from agent.frame import Frame
from agent.screencast import Screen


@asynccontextmanager
async def driven_chromium(path: Path, folder: Path) -> AsyncGenerator[tuple[Chromium, Browser]]:
    """A Chromium and the Playwright client that drives it."""
    chromium = await Chromium.launch(path, folder, args=["--site-per-process"])
    try:
        async with async_playwright() as playwright:
            yield chromium, await playwright.chromium.connect_over_cdp(chromium.cdp_url)
    finally:
        await chromium.close(grace=0)


@asynccontextmanager
async def driven_page(chromium: Chromium, browser: Browser) -> AsyncGenerator[tuple[Page, Window]]:
    """A page in a context of its own, which leaves dialogs alone, and the window that shows it."""
    context = await browser.new_context(viewport={"width": 800, "height": 600})
    context.on("page", lambda page: page.on("dialog", lambda _: None))
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    ask: Any = session  # Playwright's types for DevTools are open
    info = await ask.send("Target.getTargetInfo")
    await session.detach()
    yield page, Window(chromium.cdp_url, info["targetInfo"]["browserContextId"])
    await context.close()


def document(body: str, title: str = "") -> str:
    """A data URL with this page."""
    return f"data:text/html;charset=utf-8,{quote(f'<!doctype html><title>{title}</title>{body}')}"


def colour(name: str) -> str:
    """A page that is all of one colour."""
    return document(f"<body style='margin:0;background:{name}'>", name)


def colour_of(frame: Frame) -> str:
    """The colour in the middle of a frame."""
    image = Image.open(io.BytesIO(frame.jpeg)).convert("RGB")
    red, green, blue = (value > 127 for value in image.reduce(image.size).tobytes())
    names = {(1, 0, 0): "red", (0, 1, 0): "lime", (0, 0, 1): "blue", (1, 1, 0): "yellow", (1, 1, 1): "white"}
    return names.get((red, green, blue), "black")


async def seen(screen: Screen, right: Callable[[Frame], object], seconds: float = 10) -> Frame:
    """The first frame for which this is true, the present one included."""
    number = -1
    async with asyncio.timeout(seconds):
        while True:
            frame = await screen.next(number)
            number = frame.number
            if right(frame):
                return frame


async def becomes(ask: Callable[[], Awaitable[Any]], value: Any, seconds: float = 10) -> None:
    """Waits until an answer is this value; fails with the last other one."""
    answer: Any = None
    try:
        async with asyncio.timeout(seconds):
            while (answer := await ask()) != value:  # noqa: ASYNC110  # it happens in another process
                await asyncio.sleep(0.02)
    except TimeoutError:
        assert answer == value
