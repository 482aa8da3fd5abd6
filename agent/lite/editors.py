"""Putting text into inputs and editors, so that the page believes it, and reading it back."""

from __future__ import annotations

from typing import cast

from playwright.async_api import Locator

from agent.lite.untrusted import fold
from tools.errors import PageChanged

IS_EDITOR = "one => one.isContentEditable || one.ownerDocument.designMode === 'on'"
WRITTEN = "one => one.value ?? one.innerText"
SELECT_ALL = """one => {
  const range = one.ownerDocument.createRange();
  range.selectNodeContents(one);
  const selection = one.ownerDocument.getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}"""


async def fill(field: Locator, text: str, ms: float) -> None:
    """Replaces what is in an input, textarea or contenteditable editor; waits `ms` for it to be ready.

    Editors keep their own idea of what was typed and put back what a script writes, so they are clicked and given
    real input events. Where one swallows the line breaks of inserted text, the lines are given one by one. Raises
    PageChanged when the text does not stand there afterwards.
    """
    if not await field.evaluate(IS_EDITOR):
        await field.fill(text, timeout=ms)
        if await holds(field, text):
            return
        raise PageChanged("The field did not keep the text that was put into it")
    for lines in ([text], text.split("\n")):
        await field.click(timeout=ms)
        await field.evaluate(SELECT_ALL)
        await insert(field, lines)
        if await holds(field, text):
            return
    raise PageChanged("The editor did not take the text as it was given")


async def insert(field: Locator, lines: list[str]) -> None:
    """Types each line in one piece, with the key for a line break between them."""
    keyboard = field.page.keyboard
    if lines == [""]:
        await keyboard.press("Delete")
    for number, line in enumerate(lines):
        if number:
            await keyboard.press("Shift+Enter")
        if line:
            await keyboard.insert_text(line)


async def holds(field: Locator, text: str) -> bool:
    """Whether the text stands there, white space folded."""
    return fold(cast("str", await field.evaluate(WRITTEN))) == fold(text)
