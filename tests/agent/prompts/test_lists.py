"""Drop-down lists, which open outside of the page elsewhere: with a person in control they are drawn in the page."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.agent.prompts.conftest import ALT, DOWN, ENTER, F4, SPACE, Person, Site
from tests.agent.screens import becomes

pytestmark = pytest.mark.anyio


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


@pytest.mark.parametrize("keys", [(SPACE,), (ENTER,), (F4,), (ALT, DOWN)])
async def test_lists_opened_by_keys_are_drawn_in_the_page(page: Page, person: Person, keys: tuple[int, ...]) -> None:
    await page.focus("#list")
    person.press(*keys)
    await becomes(lambda: page.evaluate("list.matches(':open') && list.options[2].checkVisibility()"), value=True)
    person.press(DOWN)
    person.press(ENTER)
    await becomes(lambda: page.evaluate("[list.value, list.matches(':open')]"), ["Green", False])


async def test_a_letter_chooses_in_a_closed_list_and_the_page_may_open_one(page: Page, person: Person) -> None:
    await page.focus("#list")
    person.press(ord("b"))
    await becomes(lambda: page.evaluate("list.value"), "Blue")
    await page.evaluate("void (ask.onclick = () => list.showPicker())")
    person.click(310, 30)
    await becomes(lambda: page.evaluate("list.matches(':open') && list.options[0].checkVisibility()"), value=True)
