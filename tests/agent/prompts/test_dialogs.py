"""Dialogs, file choosers and permissions, told to the person in control; and nothing of it without one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Dialog, Page

from agent.engine import Window
from agent.screencast import Screen
from tests.agent.prompts.conftest import Person, Site
from tests.agent.screens import becomes

pytestmark = pytest.mark.anyio


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


async def _accept_later(dialog: Dialog, person: Person) -> None:
    await person.asked()
    await dialog.accept()


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
