"""Pickers of dates, colours and suggestions, which open outside of the page: the person chooses in one of their own."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from agent.pickers import Field, field_of
from tests.agent.prompts.conftest import ALT, DOWN, ENTER, F4, SPACE, TAB, Person, Site
from tests.agent.screens import becomes

pytestmark = pytest.mark.anyio

DAY, PAINT, SUGGESTED = ("#day", "date"), ("#paint", "color"), ("#town", "text")


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


@pytest.mark.parametrize(
    ("field", "keys"),
    [
        (DAY, (SPACE,)),
        (DAY, (F4,)),
        (DAY, (ALT, DOWN)),
        (DAY, (TAB, TAB, TAB, ENTER)),  # on the button in the field; anywhere else it sends the form
        (PAINT, (SPACE,)),
        (PAINT, (ENTER,)),
        (SUGGESTED, (DOWN,)),
        (SUGGESTED, (ALT, DOWN)),
    ],
)
async def test_a_picker_opened_by_keys_is_the_persons(
    page: Page, person: Person, site: Site, field: tuple[str, str], keys: tuple[int, ...]
) -> None:
    await page.goto(f"{site.origin}/fields")
    selector, kind = field
    await page.focus(selector)
    await page.evaluate("void addEventListener('blur', () => told.push('blur'), true)")
    person.press(*keys)
    asked = await person.asked()
    assert asked.field
    assert asked.field.type == kind
    await becomes(lambda: page.evaluate("document.activeElement.matches(':open')"), value=False)
    assert "blur" not in await page.evaluate("told")
    assert await page.evaluate("keys.includes('Escape')") is False
    chosen = {"date": "2026-03-04", "color": "#336699", "text": "Basel"}[kind]
    await person.say(accept=True, text=chosen)
    await becomes(lambda: page.evaluate("document.activeElement.value"), chosen)
    person.press(0x41)
    await becomes(lambda: page.evaluate("keys.at(-1)"), "A")  # no open picker swallows what is typed next


@pytest.mark.parametrize(("field", "kind"), [("day", "date"), ("paint", "color"), ("town", "text")])
async def test_a_picker_opened_by_the_page_is_the_persons(
    page: Page, person: Person, site: Site, field: str, kind: str
) -> None:
    await page.goto(f"{site.origin}/fields")
    await page.evaluate(f"void (plain.onclick = () => setTimeout(() => {field}.showPicker()))")
    person.click(670, 35)
    asked = await person.asked()
    assert asked.field
    assert (asked.field.type, asked.origin) == (kind, site.origin)
    await becomes(lambda: page.evaluate(f"{field}.matches(':open')"), value=False)
    chosen = {"date": "2026-03-04", "color": "#336699", "text": "Basel"}[kind]
    await person.say(accept=True, text=chosen)
    await becomes(lambda: page.evaluate(f"{field}.value"), chosen)


async def test_a_page_that_may_not_open_a_picker_hears_so(page: Page, person: Person, site: Site) -> None:
    await page.goto(f"{site.origin}/fields")
    refused = "day.readOnly = true; try { day.showPicker() } catch (error) { error.name }"
    assert await page.evaluate(refused) == "InvalidStateError"
    assert await page.evaluate("String(HTMLInputElement.prototype.showPicker)") == "function () { [native code] }"
    assert person.prompts.pending == []


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
