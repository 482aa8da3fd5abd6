"""A page that asks in every way, and a person in control of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page
from starlette.types import Receive, Scope, Send

from agent.chromium import Chromium
from agent.engine import Window
from agent.inputs import Inputs
from agent.prompts import Prompt, PromptAnswer, Prompts
from agent.screencast import Screen
from tests.agent.conftest import served
from tests.agent.screens import becomes, driven_page

ALT, ENTER, DOWN, F4, SPACE, TAB = 0xFFE9, 0xFF0D, 0xFF54, 0xFFC1, 0x20, 0xFF09
LIST = "<select id=list style='position:absolute;left:20px;top:20px;font-size:20px'><option>Red<option>Green<option>Blue</select>"
BODY = f"""<body style="margin:0">{LIST}
<button id=ask style="position:absolute;left:300px;top:20px">ask</button>
<input id=file type=file multiple accept=".txt" style="position:absolute;left:500px;top:20px">"""
FIELDS = """<body style="margin:0"><style>input{position:absolute;top:20px;width:100px;height:30px}</style>
<input id=day type=date value=2026-01-02 min=2025-01-01 style="left:20px"><input id=paint type=color style="left:220px">
<input id=town list=towns style="left:420px"><input id=plain style="left:620px">
<datalist id=towns><option>Bern<option value=Basel label="On the Rhine"></datalist>
<script>told=[];keys=[];
for(const kind of ['keydown','keyup'])addEventListener(kind,event=>keys.push(event.key));
for(const kind of ['input','change','click'])addEventListener(kind,event=>
told.push(kind+(event.defaultPrevented?' prevented':'')))</script>"""


class Site:
    """One page on any host of 127.0.0.1; `frame` is put into it as another site's frame."""

    def __init__(self) -> None:
        self.origin = ""
        self.frame = ""

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        body = FIELDS if scope["path"] == "/fields" else BODY
        if scope["path"] == "/framed":
            other = self.origin.replace("127.0.0.1", "localhost")
            body = f"<body style='margin:0'><iframe id=f src='{other}/' style='border:0;width:800px;height:500px'></iframe>"
        headers = [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode()})


@pytest.fixture(scope="module")
async def site() -> AsyncGenerator[Site]:
    site = Site()
    async with served(site) as origin:
        site.origin = origin
        yield site


@pytest.fixture
async def shown(driven: tuple[Chromium, Browser]) -> AsyncGenerator[tuple[Page, Window]]:
    async with driven_page(*driven) as both:
        yield both


class Person:
    """Somebody in control of a screen."""

    def __init__(self, screen: Screen) -> None:
        self.prompts = Prompts(screen, lambda: None)
        self.hands = Inputs(screen, allowed=lambda: True, acted=lambda _: None)

    def click(self, x: int, y: int) -> None:
        for mask in (0, 1, 0):
            self.hands.point(x, y, mask, (800, 600))

    def press(self, *keys: int) -> None:
        """Presses the last key while those that modify it are held, each other one on its own."""
        held = [key for key in keys if key == ALT]
        for key in held:
            self.hands.stroke(key, down=True)
        for key in keys:
            if key not in held:
                self.hands.stroke(key, down=True)
                self.hands.stroke(key, down=False)
        for key in held:
            self.hands.stroke(key, down=False)

    async def asked(self) -> Prompt:
        """The question that is asked, as soon as one is."""
        await becomes(lambda: asyncio.sleep(0, len(self.prompts.pending)), 1)
        return self.prompts.pending[0]

    async def say(self, accept: bool, text: str = "", files: tuple[Path, ...] = ()) -> None:  # yes or no
        assert await self.prompts.answer(self.prompts.pending[0].id, PromptAnswer(accept, text, files))


@pytest.fixture
async def page(shown: tuple[Page, Window], site: Site) -> Page:
    await shown[0].goto(site.origin)
    return shown[0]


@pytest.fixture
async def person(page: Page, shown: tuple[Page, Window]) -> AsyncGenerator[Person]:
    screen = Screen(shown[1], rate=30)
    async with screen.watched():
        await screen.next(-1)
        person = Person(screen)
        await person.prompts.begin()
        running = asyncio.create_task(person.hands.run())
        yield person
        await person.prompts.end()
        running.cancel()
    await screen.close()
