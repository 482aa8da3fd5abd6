"""The live page in a real browser, and the browser it shows in another: a person watches, takes over, and gives back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page, Playwright, async_playwright, expect
from starlette.responses import HTMLResponse
from starlette.routing import Route

from agent.chromium import Chromium, find_chromium
from server.live.tasks import LiveSettings, LiveStep
from storage.states import TaskState
from tests.agent.screens import becomes, driven_page
from tests.person import FLAGS
from tests.server.live_stage import Stage, eventually, served, staged
from tests.server.rfb_client import TIGHT_JPEG, VncClient, vnc_over_websocket

pytestmark = pytest.mark.anyio

FORM = """<!doctype html><meta charset=utf-8><title>A form</title><body style="margin:0;font:18px sans-serif">
<h1 style="margin:20px">Sign in</h1><input id=name style="position:absolute;left:20px;top:100px;width:300px;height:40px">
<button id=go style="position:absolute;left:20px;top:180px;width:120px;height:40px">Go</button>
<select id=list style="position:absolute;left:200px;top:180px;height:40px"><option>Red<option>Green</select>
<input id=file type=file style="position:absolute;left:20px;top:260px">
<input id=day type=date value=2026-01-02 style="position:absolute;left:20px;top:320px;width:200px;height:40px">"""
SETTINGS = LiveSettings(frame_ancestors="*", leave=0.5)
PIXEL = "R0lGODlhAQABAIAAAP8AAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="


@pytest.fixture(scope="module")
async def playwright() -> AsyncGenerator[Playwright]:
    async with async_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
async def driven(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[tuple[Chromium, Browser]]:
    path = find_chromium(None)
    assert path
    chromium = await Chromium.launch(path, tmp_path_factory.mktemp("run"))
    yield chromium, await playwright.chromium.connect_over_cdp(chromium.cdp_url)
    await chromium.close(grace=0)


@pytest.fixture(scope="module")
async def outside(playwright: Playwright) -> AsyncGenerator[Browser]:
    """The browser of the people who look."""
    browser = await playwright.chromium.launch(executable_path=find_chromium(None), args=FLAGS)
    yield browser
    await browser.close()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    async with staged(tmp_path, SETTINGS) as stage:
        yield stage


@pytest.fixture
async def page(driven: tuple[Chromium, Browser], stage: Stage) -> AsyncGenerator[Page]:
    """The page that the agent drives."""
    async with driven_page(*driven) as (page, window):
        await page.goto(stage.page("form", FORM))
        stage.tasks.shown = window
        yield page


class Person:
    """Somebody with a live URL, in a browser of their own."""

    def __init__(self, live: Page, shown: Page) -> None:
        self.live = live
        self.shown = shown
        self.errors: list[str] = []
        live.on("pageerror", lambda error: self.errors.append(str(error)))
        live.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)

    async def look(self, url: str) -> None:
        """Opens the live page and waits for the picture."""
        await self.live.goto(url)
        await self.live.wait_for_selector("#veil", state="hidden")

    async def tone(self, tone: str) -> None:
        """Waits for what the page says: live, mine, warn, done, bad."""
        await self.live.wait_for_selector(f"body[data-tone={tone}]")

    async def take(self) -> None:
        await self.live.click("#take")
        await self.tone("mine")

    async def at(self, selector: str) -> tuple[float, float]:
        """Where in the live page the middle of an element of the shown page is."""
        box = await self.shown.locator(selector).bounding_box()
        canvas = await self.live.locator("#screen canvas").bounding_box()
        size = self.shown.viewport_size
        assert box
        assert canvas
        assert size
        scale = canvas["width"] / size["width"]
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        return canvas["x"] + x * scale, canvas["y"] + y * scale

    async def click(self, selector: str) -> None:
        await self.live.mouse.click(*await self.at(selector))


@asynccontextmanager
async def visitor(outside: Browser, shown: Page) -> AsyncGenerator[Person]:
    """A person with a fresh browser context."""
    context = await outside.new_context(viewport={"width": 1100, "height": 800})
    person = Person(await context.new_page(), shown)
    yield person
    await context.close()
    assert person.errors == []


@pytest.fixture
async def person(outside: Browser, page: Page) -> AsyncGenerator[Person]:
    async with visitor(outside, page) as person:
        yield person


async def test_a_person_takes_over_clicks_types_and_gives_back(stage: Stage, page: Page, person: Person) -> None:
    await page.evaluate("go.onclick = () => document.title = 'sent ' + document.getElementById('name').value, 0")
    await person.look(stage.url())
    assert await person.live.inner_text("#status strong") == "The agent is working"
    await person.click("#name")
    await person.live.keyboard.type("ignored")
    assert "Take control" in await person.live.inner_text("#notice"), "a watcher is told how to act"
    stage.tasks.may_land.clear()
    await person.live.click("#take")
    await person.tone("warn")
    assert await person.live.inner_text("#status strong") == "Pausing…"
    stage.tasks.may_land.set()
    await person.tone("mine")
    await person.click("#name")
    await person.live.keyboard.type("Zoë €5 你好")
    await person.live.keyboard.press("Tab")
    await person.click("#go")
    await becomes(page.title, "sent Zoë €5 你好")
    await person.live.keyboard.press("F6")
    assert await person.live.evaluate("document.activeElement.id") == "give", "Tab goes to the page; this key leaves it"
    await person.live.keyboard.press("Enter")
    await person.tone("live")
    assert stage.tasks.calls == ["take", "give back"]
    assert stage.tasks.acts == [("clicked 2 times, typed", f"{stage.origin}/pages/form")]
    assert "Zo" not in str(stage.tasks.snapshot.steps), "what was typed is written nowhere"
    assert "by a person" in await person.live.inner_text("#steps")


async def test_input_methods_dead_keys_and_pastes_bring_their_text(stage: Stage, page: Page, person: Person) -> None:
    await person.look(stage.url())
    await person.take()
    await person.click("#name")
    session: Any = await person.live.context.new_cdp_session(person.live)
    for text in ("n", "ni", "nihao"):
        await session.send(
            "Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)}
        )
    assert await person.live.locator("#keys.composing").count() == 1, "what is composed is shown"
    assert await page.input_value("#name") == ""
    await session.send("Input.insertText", {"text": "你好"})
    await becomes(lambda: page.input_value("#name"), "你好")
    await person.live.evaluate(
        """() => { const data = new DataTransfer(); data.setData('text/plain', ' 😀 pasted');
        document.activeElement.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})) }"""
    )
    await becomes(lambda: page.input_value("#name"), "你好 😀 pasted")
    await person.live.keyboard.press("Control+a")
    await person.live.keyboard.press("Delete")
    await becomes(lambda: page.input_value("#name"), "")


async def test_phone_keyboards_that_name_no_keys_work(stage: Stage, page: Page, outside: Browser) -> None:
    context = await outside.new_context(viewport={"width": 390, "height": 760}, has_touch=True, is_mobile=True)
    person = Person(await context.new_page(), page)
    await person.look(stage.url())
    await person.live.tap("#take")
    await person.tone("mine")
    x, y = await person.at("#name")
    await person.live.touchscreen.tap(x, y)
    await becomes(lambda: page.evaluate("document.activeElement.id"), "name")
    await person.live.tap("#keyboard")
    session: Any = await context.new_cdp_session(person.live)
    for text in ("h", "o", "p"):
        await session.send("Input.insertText", {"text": text})
    await becomes(lambda: page.input_value("#name"), "hop")
    await person.live.evaluate("document.execCommand('delete')")
    await becomes(lambda: page.input_value("#name"), "ho")
    assert (
        await person.live.evaluate(
            "[...document.querySelectorAll('#bar button')].filter(each => each.getBoundingClientRect().right > innerWidth).length"
        )
        == 0
    ), "nothing sticks out of a phone"
    assert await person.live.inner_text("#address") == page.url, "who types on a phone sees where, too"
    await context.close()


async def test_lists_dialogs_and_files_are_handled_in_our_page(
    stage: Stage, page: Page, person: Person, tmp_path: Path
) -> None:
    await page.evaluate("go.onclick = () => document.title = String(confirm('Really send it?')), 0")
    await person.look(stage.url())
    await person.take()
    await person.click("#list")
    await becomes(lambda: page.evaluate("list.matches(':open')"), value=True)
    await person.live.keyboard.press("ArrowDown")
    await person.live.keyboard.press("Enter")
    await becomes(lambda: page.input_value("#list"), "Green")
    await person.click("#go")
    await person.live.wait_for_selector("#question form")
    assert "Really send it?" in await person.live.inner_text("#question")
    await person.live.click("#question .primary")
    await becomes(page.title, "true")
    await person.click("#file")
    await person.live.set_input_files(
        "#question input[type=file]", {"name": "cv.txt", "mimeType": "text/plain", "buffer": b"me"}
    )
    await person.live.click("#question .primary")
    await becomes(lambda: page.evaluate("[...file.files].map(file => file.name + file.size)"), ["cv.txt2"])
    assert (tmp_path / "cv.txt").read_bytes() == b"me"
    await person.live.wait_for_selector("#question", state="hidden")


async def test_a_date_is_chosen_in_the_persons_own_picker(stage: Stage, page: Page, person: Person) -> None:
    await person.look(stage.url())
    await person.take()
    await person.click("#day")
    field = person.live.locator("#question input[type=date]")
    await field.wait_for()
    assert await field.input_value() == "2026-01-02"
    await field.fill("2026-03-04")
    await person.live.click("#question .primary")
    await becomes(lambda: page.input_value("#day"), "2026-03-04")
    await person.live.wait_for_selector("#question", state="hidden")
    await person.live.click("#give")
    await eventually(lambda: stage.tasks.acts)
    assert stage.tasks.acts[0][0] == "clicked, filled in a field"


async def test_only_one_of_several_people_is_in_control(
    stage: Stage, page: Page, person: Person, outside: Browser
) -> None:
    async with visitor(outside, page) as other:
        await person.look(stage.url())
        await other.look(stage.url())
        await person.take()
        await other.tone("warn")
        assert await other.live.inner_text("#status strong") == "Someone is in control"
        assert not await other.live.is_visible("#take")
        await other.click("#name")
        await other.live.keyboard.type("intruder")
        await person.click("#name")
        await person.live.keyboard.type("mine")
        await becomes(lambda: page.input_value("#name"), "mine")
        await person.live.close()
        await other.live.wait_for_selector("#take:not([hidden])")
        await eventually(lambda: stage.tasks.calls == ["take", "give back"])
        await other.take()


async def test_a_person_who_is_needed_continues_the_task(stage: Stage, page: Page, person: Person) -> None:
    stage.tasks.turn(TaskState.PAUSED, reason="two_factor", message="Type the code that was sent.")
    await person.look(stage.url())
    await person.tone("warn")
    assert "Type the code that was sent." in await person.live.inner_text("#needed")
    await person.take()
    await person.click("#name")
    await person.live.keyboard.type("123456")
    await person.live.click("#continue")
    await person.tone("live")
    assert stage.tasks.calls == ["continue"]
    assert not await person.live.is_visible("#needed")
    assert await page.input_value("#name") == "123456"


async def test_the_picture_follows_the_agent_wherever_it_goes(
    stage: Stage, page: Page, person: Person, driven: tuple[Chromium, Browser]
) -> None:
    await person.look(stage.url(control=False))
    await page.goto(stage.page("lime", "<body style='background:lime'>"))
    await becomes(lambda: colour(person), [0, 255, 0])
    other = await page.context.new_page()
    await other.goto(stage.page("blue", "<body style='background:blue'>"))
    await becomes(lambda: colour(person), [0, 0, 255])
    assert await person.live.locator("#tabs [role=tab]").count() == 2
    await other.close()
    await becomes(lambda: colour(person), [0, 255, 0])
    await page.set_viewport_size({"width": 600, "height": 700})
    await becomes(
        lambda: person.live.evaluate("(c => [c.width, c.height])(document.querySelector('#screen canvas'))"), [600, 700]
    )
    async with driven_page(*driven) as (fresh, window):
        await fresh.goto(stage.page("red", "<body style='background:red'>"))
        stage.tasks.shown = window
        stage.tasks.turn(word="on another browser")
        await becomes(lambda: colour(person), [255, 0, 0])
        stage.tasks.shown = None
        stage.tasks.turn(word="between browsers")
        await person.live.wait_for_selector("#veil.busy")


async def colour(person: Person) -> list[int] | None:
    """The colour in the middle of the picture, roughly."""
    return await person.live.evaluate(
        """() => { const canvas = document.querySelector('#screen canvas');
        return canvas?.width ? [...canvas.getContext('2d').getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1).data]
            .slice(0, 3).map(value => value > 127 ? 255 : 0) : null }"""
    )


async def test_after_the_end_the_run_is_shown(stage: Stage, page: Page, person: Person) -> None:
    shot = f"data:image/gif;base64,{PIXEL}"
    steps = [
        LiveStep(1, "agent", "Open the page", "Done", "https://a.example/", shot),
        *(LiveStep(number, "agent", "Press Go", "Done", "", shot) for number in range(2, 31)),
    ]
    stage.tasks.turn(steps=steps)
    await person.look(stage.url())
    await person.take()
    stage.tasks.turn(TaskState.COMPLETED, output="It is done.")
    await person.tone("done")
    await person.live.wait_for_selector("#shot:not([hidden]) img[src^=data]")
    await expect(person.live.locator("#outcome")).to_be_in_viewport()
    assert "It is done." in await person.live.inner_text("#outcome")
    assert await person.live.inner_text("#player output") == "30 of 30"
    await person.live.focus("#seek")
    await person.live.keyboard.press("ArrowLeft")
    await expect(person.live.locator("#steps li:nth-child(29)")).to_be_in_viewport()
    await person.live.click("#steps li:first-child button")
    assert "Open the page" in await person.live.inner_text("#shot")
    assert not await person.live.is_visible("#take")
    await person.live.reload()
    await person.live.wait_for_selector("#shot:not([hidden])")
    assert page.url.endswith("/form")


async def test_stopping_asks_twice(stage: Stage, person: Person) -> None:
    await person.look(stage.url())
    await person.live.click("#stop")
    assert stage.tasks.calls == []
    assert await person.live.inner_text("#stop") == "Really stop?"
    await person.live.click("#stop")
    await person.tone("bad")
    assert stage.tasks.calls == ["stop"]


async def test_a_page_of_another_origin_may_embed_it(stage: Stage, page: Page, person: Person) -> None:
    async def embedding(_: object) -> HTMLResponse:
        return HTMLResponse(
            f"<link rel=icon href='data:,'><iframe id=f src='{stage.url()}' style='width:900px;height:700px' "
            "allow='clipboard-write'></iframe>"
        )

    async with served([Route("/", embedding)]) as foreign:
        await person.live.goto(foreign.replace("127.0.0.1", "localhost"))
        frame = person.live.frame_locator("#f")
        await frame.locator("#veil").wait_for(state="hidden")
        await frame.locator("#take").click()
        await frame.locator("body[data-tone=mine]").wait_for()
        canvas = await frame.locator("#screen canvas").bounding_box()
        assert canvas
        scale = canvas["width"] / 800
        await person.live.mouse.click(canvas["x"] + 100 * scale, canvas["y"] + 120 * scale)
        await person.live.keyboard.type("framed")
        await becomes(lambda: page.input_value("#name"), "framed")


async def test_frames_of_others_are_refused_where_the_setting_says_so(tmp_path: Path, outside: Browser) -> None:
    async with staged(tmp_path, LiveSettings(frame_ancestors="'self'")) as stage:

        async def embedding(_: object) -> HTMLResponse:
            return HTMLResponse(f"<iframe id=f src='{stage.url()}'></iframe>")

        async with served([Route("/", embedding)]) as foreign:
            context: BrowserContext = await outside.new_context()
            page = await context.new_page()
            said: list[str] = []
            page.on("console", lambda line: said.append(line.text))
            await page.goto(foreign.replace("127.0.0.1", "localhost"))
            await eventually(lambda: any("frame-ancestors" in line for line in said))
            await context.close()


async def test_any_vnc_client_takes_control_with_its_first_input(stage: Stage, page: Page) -> None:
    async with asyncio.timeout(20), vnc_over_websocket(stage.socket_url()) as client:
        client.take(*TIGHT_JPEG)
        await client.pixels(incremental=False)
        assert client.picture.size == (800, 600)
        client.send(">BBHH", 5, 0, 100, 120)
        await eventually(lambda: stage.tasks.calls == ["take"])
        await eventually(lambda: stage.tasks.snapshot.state is TaskState.PAUSED)
        while await page.input_value("#name") != "v":  # until control has landed, input is dropped
            for mask in (1, 0):
                client.send(">BBHH", 5, mask, 100, 120)
            for down in (1, 0):
                client.send(">BBxxI", 4, down, ord("v"))
            await asyncio.sleep(0.1)
            assert len(await page.input_value("#name")) < 2
    await eventually(lambda: stage.tasks.calls == ["take", "give back"])


async def test_a_watching_vnc_client_cannot_act_and_is_cut_off_at_the_end(stage: Stage, page: Page) -> None:
    async with asyncio.timeout(20), vnc_over_websocket(stage.socket_url(control=False)) as client:
        client.take(*TIGHT_JPEG)
        await client.pixels(incremental=False)
        for mask in (0, 1, 0):
            client.send(">BBHH", 5, mask, 100, 120)
        await client.update(incremental=False)
        assert stage.tasks.calls == []
        assert await page.evaluate("document.activeElement.tagName") == "BODY"
        stage.tasks.turn(TaskState.COMPLETED)
        await client.until_closed()


async def test_the_raw_port_wants_a_password_of_the_task(stage: Stage, page: Page) -> None:
    async with httpx.AsyncClient() as http:
        assert (await http.post(f"{stage.url()}/vnc")).status_code == 404, "off by default"
        await stage.live.vnc.open("127.0.0.1", 0)
        answer = (await http.post(f"{stage.url()}/vnc")).json()
    assert len(answer["password"]) == 8
    port = answer["port"]
    with pytest.raises(PermissionError):
        await VncClient(*await asyncio.open_connection("127.0.0.1", port)).greet("password")
    client = VncClient(*await asyncio.open_connection("127.0.0.1", port))
    await client.greet(answer["password"])
    client.take(*TIGHT_JPEG)
    await client.pixels(incremental=False)
    assert client.picture.size == (800, 600)
    client.send(">BBHH", 5, 0, 100, 120)
    await eventually(lambda: stage.tasks.calls == ["take"])
    stage.tasks.turn(TaskState.COMPLETED)
    await client.until_closed()
    with pytest.raises(PermissionError):
        await VncClient(*await asyncio.open_connection("127.0.0.1", port)).greet(answer["password"])
    assert page.url
