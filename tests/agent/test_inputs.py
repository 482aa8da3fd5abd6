"""A person's hands: keys and pointer as RFB brings them, in a real page."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Dialog, Page

from agent.chromium import Chromium
from agent.engine import Window
from agent.inputs import MOST_QUEUED, Inputs
from agent.keysyms import accent_of, character_of, key_of
from agent.screencast import Screen
from tests.agent.screens import becomes, document, driven_page

pytestmark = pytest.mark.anyio

SHIFT, CONTROL, ALT, ALT_GR = 0xFFE1, 0xFFE3, 0xFFE9, 0xFE03
BACKSPACE, ENTER, LEFT, HOME = 0xFF08, 0xFF0D, 0xFF51, 0xFF50
SIZE = (800, 600)
FIELD = """<body style="margin:0"><input id=field autofocus style="position:absolute;left:0;top:0;width:300px;height:40px">
<script>window.heard=[];for(const kind of ['keydown','keyup','mousedown','mouseup','click','dblclick','auxclick','contextmenu','wheel'])
addEventListener(kind,e=>heard.push(e.key?`${kind} ${e.key} ${e.code} ${+e.ctrlKey}${+e.shiftKey}${+e.repeat}`
:kind=='wheel'?`wheel ${e.deltaX} ${e.deltaY}`:`${kind} ${e.button} ${e.clientX},${e.clientY} ${e.detail}`))
addEventListener('contextmenu',e=>e.preventDefault())</script>"""

DRAG = document("""<body style="margin:0"><div id=card draggable=true style="width:80px;height:80px;background:red"></div>
<div id=bin style="position:absolute;left:300px;top:200px;width:200px;height:200px;background:#ccc"></div><script>
card.ondragstart=e=>e.dataTransfer.setData('text/plain','the card');card.ondragover=()=>window.over=true;
bin.ondragover=e=>e.preventDefault();
bin.ondrop=e=>{e.preventDefault();bin.textContent=e.dataTransfer.getData('text/plain')}</script>""")


@pytest.fixture(scope="module")
async def shared(driven: tuple[Chromium, Browser]) -> AsyncGenerator[tuple[Page, Window]]:
    async with driven_page(*driven) as both:
        yield both


class Hands(Inputs):
    """Inputs with shorthands, and what they reported."""

    def __init__(self, screen: Screen) -> None:
        self.acts: list[str] = []
        self.copies: list[str] = []
        self.mine = True
        super().__init__(screen, allowed=lambda: self.mine, acted=self.acts.append, copied=self._note)

    async def _note(self, text: str) -> None:
        self.copies.append(text)

    def tap(self, *keysyms: int) -> None:
        """Presses keys one after the other and lets go in reverse."""
        for keysym in keysyms:
            self.stroke(keysym, down=True)
        for keysym in reversed(keysyms):
            self.stroke(keysym, down=False)

    def type(self, text: str) -> None:
        """Types characters by their Unicode keysyms."""
        for char in text:
            self.tap(ord(char) if ord(char) < 0x100 else 0x01000000 + ord(char))

    def at(self, x: int, y: int, mask: int = 0) -> None:
        """The pointer in CSS pixels."""
        self.point(x, y, mask, SIZE)

    def click(self, x: int, y: int, mask: int = 1) -> None:
        """Moves there and clicks."""
        self.at(x, y)
        self.at(x, y, mask)
        self.at(x, y)


@pytest.fixture
async def page(shared: tuple[Page, Window]) -> Page:
    await shared[0].goto(document(FIELD, "first"))
    return shared[0]


@pytest.fixture
async def hands(page: Page, shared: tuple[Page, Window]) -> AsyncGenerator[Hands]:
    screen = Screen(shared[1], rate=30)
    async with screen.watched():
        await screen.next(-1)
        hands = Hands(screen)
        running = asyncio.create_task(hands.run())
        yield hands
        running.cancel()
        await hands.release()
    await screen.close()


async def value(page: Page, expected: str) -> None:
    """Waits until the field holds this."""
    await becomes(lambda: page.evaluate("field.value"), expected)


async def test_text_of_every_script_is_typed(page: Page, hands: Hands) -> None:
    text = "Hello, Wörld! ñ € Ω Я 你好 ‽ 😀"
    hands.type(text)
    await value(page, text)
    assert set(hands.acts) == {"typed"}


async def test_editing_keys_move_and_delete(page: Page, hands: Hands) -> None:
    hands.type("abcd")
    hands.tap(LEFT)
    hands.tap(BACKSPACE)
    hands.tap(HOME)
    hands.type("X")
    await value(page, "Xabd")


async def test_a_page_is_told_key_place_and_modifiers(page: Page, hands: Hands) -> None:
    hands.tap(SHIFT, ord("A"))
    hands.stroke(ord("b"), down=True)
    hands.stroke(ord("b"), down=True)
    hands.stroke(ord("b"), down=False)
    hands.tap(0xFFB7)  # keypad 7
    await value(page, "Abb7")
    heard = await page.evaluate("heard.filter(line => line.startsWith('key'))")
    assert heard == [
        *("keydown Shift ShiftLeft 010", "keydown A KeyA 010", "keyup A KeyA 010", "keyup Shift ShiftLeft 000"),
        *("keydown b KeyB 000", "keydown b KeyB 001", "keyup b KeyB 000"),
        *("keydown 7 Numpad7 000", "keyup 7 Numpad7 000"),
    ]


async def test_alt_gr_chooses_a_character_and_is_no_modifier(page: Page, hands: Hands) -> None:
    hands.tap(ALT_GR, ord("@"))
    await value(page, "@")


async def test_dead_keys_of_plain_vnc_viewers_compose(page: Page, hands: Hands) -> None:
    acute, circumflex = 0xFE51, 0xFE52
    for dead, letter in ((acute, "e"), (circumflex, "A"), (acute, "q"), (circumflex, " ")):
        hands.tap(dead)
        hands.type(letter)
    await value(page, "éÂ'q^")


async def test_select_all_cut_and_undo_work(page: Page, hands: Hands) -> None:
    hands.type("secret plan")
    hands.tap(CONTROL, ord("a"))
    hands.tap(CONTROL, ord("c"))
    await becomes(lambda: asyncio.sleep(0, hands.copies), ["secret plan"])
    hands.tap(CONTROL, ord("x"))
    await value(page, "")
    hands.tap(CONTROL, ord("z"))
    await value(page, "secret plan")
    assert "copied" in hands.acts


async def test_a_password_is_not_copied(page: Page, hands: Hands) -> None:
    await page.evaluate("field.type = 'password'")
    hands.type("hunter2")
    hands.tap(CONTROL, ord("a"))
    hands.tap(CONTROL, ord("c"))
    hands.type("x")
    await value(page, "x")
    assert hands.copies == []


async def test_a_paste_waits_for_the_clipboard_and_is_inserted(page: Page, hands: Hands) -> None:
    hands.clipboard.expect()
    hands.tap(CONTROL, ord("v"))
    hands.clipboard.set("pasted 文字\n")
    await value(page, "pasted 文字")
    await becomes(lambda: asyncio.sleep(0, hands.acts), ["pasted"])


async def test_a_page_that_handles_pastes_gets_the_event(page: Page, hands: Hands) -> None:
    await page.evaluate(
        "field.addEventListener('paste', e => { e.preventDefault(); field.value = e.clipboardData.getData('text').split('').join('-') })"
    )
    hands.clipboard.set("123456")
    hands.tap(CONTROL, ord("v"))
    await value(page, "1-2-3-4-5-6")


async def test_clicks_of_every_button_and_their_count_arrive(page: Page, hands: Hands) -> None:
    hands.click(200, 300)
    hands.click(200, 300)
    hands.click(400, 300, mask=4)
    hands.click(500, 300, mask=2)
    await becomes(
        lambda: page.evaluate("heard.filter(line => /^(click|dblclick|auxclick|contextmenu)/.test(line))"),
        [
            "click 0 200,300 1",
            "click 0 200,300 2",
            "dblclick 0 200,300 2",
            "contextmenu 2 400,300 0",
            "auxclick 2 400,300 1",
            "auxclick 1 500,300 1",
        ],
    )
    await becomes(lambda: asyncio.sleep(0, hands.acts), ["clicked"] * 4)


async def test_the_wheel_turns_in_all_directions(page: Page, hands: Hands) -> None:
    expected: list[str] = []
    for bit, turn in ((8, "0 -120"), (16, "0 120"), (32, "-120 0"), (64, "120 0")):
        expected.append(f"wheel {turn}")
        hands.at(300, 300, bit)
        hands.at(300, 300)
        await becomes(lambda: page.evaluate("heard.filter(line => line.startsWith('wheel'))"), list(expected))
    await becomes(lambda: asyncio.sleep(0, hands.acts), ["scrolled"] * 4)


async def test_text_is_selected_by_dragging(page: Page, hands: Hands) -> None:
    await page.goto(document("<body style='margin:0;font:20px monospace'>some words to select"))
    hands.at(2, 10)
    hands.at(2, 10, 1)
    for x in range(10, 400, 30):
        hands.at(x, 12, 1)
    hands.at(400, 12)
    await becomes(lambda: page.evaluate("String(getSelection())"), "some words to select")
    await becomes(lambda: asyncio.sleep(0, hands.acts), ["dragged"])  # the button is let go after the last move


async def test_things_are_dragged_and_dropped(page: Page, hands: Hands) -> None:
    await page.goto(DRAG)
    hands.at(40, 40)
    hands.at(40, 40, 1)
    for x, y in ((50, 50), (150, 120), (350, 250), (400, 300)):
        hands.at(x, y, 1)
        # Moves that were not acted on yet are replaced by newer ones; a drag must still begin on the card.
        await page.evaluate("new Promise(requestAnimationFrame)")
    hands.at(400, 300)
    await becomes(lambda: page.evaluate("bin.textContent"), "the card")


async def test_a_thing_is_dropped_where_the_pointer_has_just_arrived(page: Page, hands: Hands) -> None:
    await page.goto(DRAG)
    hands.at(40, 40)
    hands.at(40, 40, 1)
    hands.at(60, 60, 1)
    await page.wait_for_function("window.over")
    hands.at(400, 300, 1)
    hands.at(400, 300)
    await becomes(lambda: page.evaluate("bin.textContent"), "the card")


async def test_many_moves_do_not_delay_a_click(page: Page, hands: Hands) -> None:
    await page.evaluate(
        "window.moves=0;addEventListener('mousemove',()=>{moves++;const end=performance.now()+20;"
        "while(performance.now()<end);})"
    )
    for n in range(500):
        hands.at(n, 200 + n % 50)
    hands.click(600, 400)
    await becomes(
        lambda: page.evaluate("heard.filter(line => line.startsWith('click'))"), ["click 0 600,400 1"], seconds=5
    )
    assert await page.evaluate("moves") < 100, "newer moves replace older ones"


async def test_pictures_of_another_size_still_hit_the_right_spot(page: Page, hands: Hands) -> None:
    for mask in (0, 1, 0):
        hands.point(100, 75, mask, (400, 300))
    await becomes(lambda: page.evaluate("heard.filter(line => line.startsWith('click'))"), ["click 0 200,150 1"])


async def test_back_forward_and_reload_work_by_keys(page: Page, hands: Hands) -> None:
    await page.goto(document("<body>second", "second"))
    hands.tap(ALT, LEFT)
    await becomes(page.title, "first")
    hands.tap(ALT, 0xFF53)
    await becomes(page.title, "second")
    await page.evaluate("document.title = 'changed'")
    hands.tap(CONTROL, ord("r"))
    await becomes(page.title, "second")
    await becomes(lambda: asyncio.sleep(0, hands.acts), ["went back", "went forward", "reloaded"])


async def test_nothing_gets_through_without_leave(page: Page, hands: Hands) -> None:
    hands.mine = False
    hands.type("no")
    hands.click(100, 300)
    hands.mine = True
    hands.type("yes")
    await value(page, "yes")
    assert not await page.evaluate("heard.some(line => line.startsWith('mouse'))")


async def test_whoever_types_faster_than_the_page_acts_is_slowed_down(page: Page, shared: tuple[Page, Window]) -> None:
    screen = Screen(shared[1])
    async with screen.watched():
        await screen.next(-1)
        hands = Hands(screen)
        await hands.caught_up()
        hands.type("a" * (MOST_QUEUED // 2))
        waiting = asyncio.create_task(hands.caught_up())
        await asyncio.sleep(0)
        assert not waiting.done()
        running = asyncio.create_task(hands.run())
        await waiting
        await value(page, "a" * (MOST_QUEUED // 2))
        running.cancel()
    await screen.close()


async def test_what_is_held_is_let_go_at_the_end(page: Page, hands: Hands) -> None:
    hands.stroke(SHIFT, down=True)
    hands.at(300, 300)
    hands.at(300, 300, 1)
    await becomes(lambda: page.evaluate("heard.length"), 2)
    await hands.release()
    await becomes(lambda: page.evaluate("heard.filter(line => /^(keyup|mouseup)/.test(line)).length"), 2)


async def test_a_click_that_opens_a_dialog_does_not_block_what_follows(page: Page, hands: Hands) -> None:
    dialogs: list[Dialog] = []
    page.once("dialog", lambda dialog: dialogs.append(dialog))
    await page.evaluate("addEventListener('click', () => alert('stop'), {once: true})")
    hands.click(100, 20)
    await becomes(lambda: asyncio.sleep(0, len(dialogs)), 1)
    hands.tap(LEFT)  # Chromium takes no keys for the page under a dialog: this one is only to be acted on
    await becomes(lambda: asyncio.sleep(0, "typed" in hands.acts), True)
    await dialogs[0].accept()
    hands.type("after")
    await value(page, "after")


def test_every_keysym_that_novnc_sends_is_known() -> None:
    table = Path(__file__).parents[2] / "server/static/novnc/core/input/keysymdef.js"
    assert table.is_file(), "noVNC is not there: python server/novnc.py"
    pairs = re.findall(r"^\s+(0x[0-9a-f]+): (0x[0-9a-f]+),", table.read_text(), re.MULTILINE)
    sent = {int(keysym, 16): chr(int(codepoint, 16)) for codepoint, keysym in pairs}
    assert len(sent) > 600
    # Two entries of that table break the rule that it states itself (0x01000000 + code point).
    wrong = {keysym for keysym, char in sent.items() if character_of(keysym) != char} - {0x10001D1, 0x1002248}
    assert not wrong


def test_unknown_keysyms_are_nothing() -> None:
    for keysym in (0, 0x1F, 0xFFFFFFFF, 0x0100D800, 0x01110000, 0xFD00, 0x1A0000):
        assert key_of(keysym) is None
        assert accent_of(keysym) == ""
