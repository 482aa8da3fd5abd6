"""Dialogs of the lite engine's pages: closed at once, or left to a person for as long as the run stands still."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent.lite.dialogs import Dialogs
from tests.agent.screens import document, driven_chromium, driven_page

pytestmark = pytest.mark.anyio


async def test_dialogs_are_left_to_a_person_only_while_the_run_stands_still(
    chromium_path: Path, tmp_path: Path
) -> None:
    async with driven_chromium(chromium_path, tmp_path) as driven, driven_page(*driven) as (page, _):
        await page.goto(document("<p>Sure?"))
        dialogs = Dialogs(page.context)
        opened = asyncio.Queue[object]()
        page.on("dialog", opened.put_nowait)
        person: Any = await page.context.new_cdp_session(page)  # Playwright's types for DevTools are open
        await person.send("Page.enable")

        async def ask() -> asyncio.Task[bool]:
            asking = asyncio.create_task(page.evaluate("confirm('Sure?')"))
            await opened.get()
            return asking

        async with dialogs.left_open():
            asking = await ask()
            await page.context.cookies()  # whatever was sent before has arrived
            await person.send("Page.handleJavaScriptDialog", {"accept": True})
            assert await asking, "the person's own answer"
            left = await ask()
        assert not await left, "nobody is waited for any longer"
        assert not await (await ask())
