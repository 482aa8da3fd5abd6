"""What a screencast does not show: lists, dialogs, file choosers and permissions, told to the person in control."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from agent.chromium import Chromium
from agent.engine import Window
from agent.inputs import Inputs
from agent.pickers import Field, field_of
from agent.prompts import Prompt, PromptAnswer, Prompts
from agent.screencast import Screen
from tests.agent.conftest import served
from tests.agent.screens import becomes, driven_chromium, driven_page

pytestmark = pytest.mark.anyio

LIST = "<select id=list style='position:absolute;left:20px;top:20px;font-size:20px'><option>Red<option>Green<option>Blue</select>"
BODY = f"""<body style="margin:0">{LIST}
<button id=ask style="position:absolute;left:300px;top:20px">ask</button>
<input id=file type=file multiple accept=".txt" style="position:absolute;left:500px;top:20px">"""
FIELDS = """<body style="margin:0"><style>input{position:absolute;top:20px;width:100px;height:30px}</style>
<input id=day type=date value=2026-01-02 min=2025-01-01 style="left:20px"><input id=paint type=color style="left:220px">
<input id=town list=towns style="left:420px"><input id=plain style="left:620px">
<datalist id=towns><option>Bern<option value=Basel label="On the Rhine"></datalist>
<script>told=[];for(const kind of ['input','change','click'])addEventListener(kind,event=>
told.push(kind+(event.defaultPrevented?' prevented':'')))</script>"""


class Site:
    """One page on any host of 127.0.0.1; `frame` is put into it as another site's frame."""

    def __init__(self) -> None:
        self.origin = ""
        self.frame = ""

    async def __call__(self, scope: dict[str, object], receive: object, send: object) -> None:
        body = FIELDS if scope["path"] == "/fields" else BODY
        if scope["path"] == "/framed":
            other = self.origin.replace("127.0.0.1", "localhost")
            body = f"<body style='margin:0'><iframe id=f src='{other}/' style='border:0;width:800px;height:500px'></iframe>"
        headers = [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": body.encode()})  # type: ignore[operator]


@pytest.fixture(scope="module")
async def driven(
    chromium_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[tuple[Chromium, Browser]]:
    async with driven_chromium(chromium_path, tmp_path_factory.mktemp("run")) as both:
        yield both


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


async def test_lists_are_drawn_in_the_page_and_chosen_by_clicks(page: Page, person: Person) -> None:
    await page.evaluate("void (list.onchange = event => document.title = `${list.value} ${event.isTrusted}`)")
    person.click(40, 30)
    await becomes(lambda: page.evaluate("list.matches(':open')"), value=True)
    third = await page.evaluate(
        "(r => [r.x + r.width / 2, r.y + r.height / 2])(list.options[2].getBoundingClientRect())"
    )
    person.click(*map(int, third))
    await becomes(page.title, "Blue true")


async def test_the_page_sees_neither_a_sheet_nor_anything_afterwards(page: Page, person: Person) -> None:
    before = await page.evaluate(
        "[document.styleSheets, document.adoptedStyleSheets, document.querySelectorAll('style')].map(all => all.length)"
    )
    assert before == [0, 0, 0]
    assert await page.evaluate("getComputedStyle(list).appearance") == "base-select"
    await person.prompts.end()
    await becomes(lambda: page.evaluate("getComputedStyle(list).appearance"), "auto")


async def test_lists_are_drawn_after_a_navigation_and_in_frames_of_other_sites(
    page: Page, person: Person, site: Site
) -> None:
    await page.goto(f"{site.origin}/framed")
    await page.wait_for_selector("#f")
    frame = page.frames[1]
    await becomes(lambda: frame.evaluate("location.hostname"), "localhost")
    await becomes(lambda: frame.evaluate("getComputedStyle(list).appearance"), "base-select")
    person.click(40, 30)
    await becomes(lambda: frame.evaluate("list.matches(':open')"), value=True)
    person.hands.stroke(0xFF54, down=True)
    person.hands.stroke(0xFF54, down=False)
    person.hands.stroke(0xFF0D, down=True)
    person.hands.stroke(0xFF0D, down=False)
    await becomes(lambda: frame.evaluate("list.value"), "Green")


async def test_dialogs_are_asked_and_answered(page: Page, person: Person, site: Site) -> None:
    await page.evaluate(
        "void (ask.onclick = () => document.title = [alert('first'), confirm('second'), prompt('third', 'so')].join())"
    )
    person.click(310, 30)
    first = await person.asked()
    assert (first.kind, first.message, first.origin) == ("alert", "first", site.origin)
    await person.say(accept=True)
    await becomes(lambda: asyncio.sleep(0, [prompt.kind for prompt in person.prompts.pending]), ["confirm"])
    await person.say(accept=False)
    await becomes(lambda: asyncio.sleep(0, [prompt.default for prompt in person.prompts.pending]), ["so"])
    await person.say(accept=True, text="and so")
    await becomes(page.title, ",false,and so")
    assert person.prompts.pending == []


async def test_a_dialog_that_another_client_answers_goes_away(page: Page, person: Person) -> None:
    page.once("dialog", lambda dialog: asyncio.ensure_future(_accept_later(dialog, person)))
    await page.evaluate("setTimeout(() => document.title = String(confirm('sure?')))")
    await becomes(page.title, "true")  # only said once the person was asked too
    await becomes(lambda: asyncio.sleep(0, person.prompts.pending), [])


async def _accept_later(dialog: object, person: Person) -> None:
    await person.asked()
    await dialog.accept()  # type: ignore[attr-defined]


async def test_leaving_with_an_open_dialog_says_no(page: Page, person: Person) -> None:
    await page.evaluate("void (ask.onclick = () => document.title = String(confirm('sure?')))")
    person.click(310, 30)
    await person.asked()
    await person.prompts.end()
    await becomes(page.title, "false")


async def test_files_are_chosen_for_the_page(page: Page, person: Person, tmp_path: Path, site: Site) -> None:
    person.click(540, 30)
    asked = await person.asked()
    assert (asked.kind, asked.multiple, asked.accept, asked.origin) == ("files", True, ".txt", site.origin)
    files = tmp_path / "one.txt", tmp_path / "two.txt"
    for file in files:
        file.write_text("hello")
    await person.say(accept=True, files=files)
    await becomes(lambda: page.evaluate("[...file.files].map(one => one.name + one.size)"), ["one.txt5", "two.txt5"])
    person.click(540, 30)
    await person.asked()
    await person.say(accept=False)
    assert await page.evaluate("file.files.length") == 2


@pytest.mark.parametrize(
    ("x", "told", "chosen"),
    [
        (70, Field(type="date", value="2026-01-02", min="2025-01-01"), "2026-03-04"),
        (270, Field(type="color", value="#000000"), "#336699"),
        (470, Field(type="text", options=[("Bern", "Bern"), ("Basel", "On the Rhine")]), "Basel"),
    ],
    ids=["date", "colour", "suggestions"],
)
async def test_a_field_with_a_picker_is_filled_by_the_person(
    page: Page, person: Person, site: Site, x: int, told: Field, chosen: str
) -> None:
    await page.goto(f"{site.origin}/fields")
    person.click(x, 35)
    asked = await person.asked()
    assert (asked.kind, asked.field, asked.origin) == ("field", told, site.origin)
    await person.say(accept=True, text=chosen)
    await becomes(lambda: page.evaluate("document.activeElement.value"), chosen)
    assert await page.evaluate("told") == ["click prevented", "input", "change"]
    person.click(x, 35)
    await person.asked()
    await person.say(accept=False)
    assert await page.evaluate("document.activeElement.value") == chosen


async def test_fields_without_pickers_and_pages_without_a_person_are_left_alone(
    page: Page, person: Person, site: Site
) -> None:
    await page.goto(f"{site.origin}/fields")
    person.click(670, 35)
    await becomes(lambda: page.evaluate("told"), ["click"])
    assert person.prompts.pending == []
    await person.prompts.end()
    await person.prompts.begin()
    await person.prompts.end()
    person.click(470, 35)
    await becomes(lambda: page.evaluate("told"), ["click", "click"])


async def test_what_a_page_makes_up_about_a_field_is_nothing() -> None:
    assert field_of({"type": "password"}) is None
    assert field_of({"type": "date", "value": 7}) is None
    assert field_of([1, 2]) is None


async def test_a_dialog_from_before_is_closed_by_loading_the_page_again(page: Page, shown: tuple[Page, Window]) -> None:
    screen = Screen(shown[1], rate=30)
    async with screen.watched():
        await screen.next(-1)
        await page.evaluate("void setTimeout(() => confirm('sure?'))")
        person = Person(screen)
        await becomes(lambda: _is_silent(screen), value=True)
        await person.prompts.begin()
        assert (await person.asked()).kind == "silent"
        async with page.expect_event("load"):
            await person.say(accept=True)
        await becomes(lambda: page.evaluate("getComputedStyle(list).appearance"), "base-select")
        assert person.prompts.pending == []
        await person.prompts.end()
    await screen.close()


async def _is_silent(screen: Screen) -> bool:
    assert screen.tab
    answer = await screen.cdp.post("Runtime.evaluate", {"expression": "0"}, screen.tab.session)
    return not (await asyncio.wait((answer,), timeout=0.5))[0]


@pytest.mark.parametrize("allowed", [True, False])
async def test_permissions_are_asked_and_decided(page: Page, person: Person, site: Site, allowed: bool) -> None:  # both
    await page.evaluate(
        "void (ask.onclick = () => Notification.requestPermission().then(said => document.title = said))"
    )
    person.click(310, 30)
    asked = await person.asked()
    assert (asked.kind, asked.permission, asked.origin) == ("permission", "notifications", site.origin)
    assert await page.title() == ""
    await person.say(accept=allowed)
    await becomes(page.title, "granted" if allowed else "denied")


async def test_a_permission_asked_for_after_the_person_has_left_gets_the_browsers_answer(
    page: Page, person: Person
) -> None:
    await person.prompts.end()
    await page.evaluate("Notification.requestPermission().then(said => document.title = said)")
    await becomes(page.title, "denied")


async def test_wrapped_functions_look_native(page: Page, person: Person) -> None:
    assert person.prompts.on
    assert "[native code]" in await page.evaluate("String(Notification.requestPermission)")
    assert await page.evaluate("Object.keys(window).filter(name => /^w[0-9a-f]{12}_$/.test(name)).length") == 0


async def test_without_a_person_the_agent_has_its_dialogs_and_choosers_to_itself(page: Page, person: Person) -> None:
    await person.prompts.end()
    page.once("dialog", lambda dialog: asyncio.ensure_future(dialog.accept("mine")))
    assert await page.evaluate("prompt('?')") == "mine"
    async with page.expect_file_chooser() as chooser:
        await page.click("#file")
    assert (await chooser.value).is_multiple()
    assert person.prompts.pending == []
