"""The screencast: what a watcher of a real Chromium sees while Playwright drives it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import Browser, Error, Page

import agent.screencast
from agent.cdp import Answer, Cdp, Gone, Refused
from agent.chromium import Chromium
from agent.engine import Window
from agent.screencast import Screen
from tests.agent.screens import becomes, colour, colour_of, document, driven_page, seen

pytestmark = pytest.mark.anyio

ANIMATED = document(
    "<style>@keyframes k{to{rotate:1turn}}div{width:99px;height:99px;background:red;animation:k 1s linear infinite}</style><div>"
)


@pytest.fixture
async def shown(driven: tuple[Chromium, Browser]) -> AsyncGenerator[tuple[Page, Window]]:
    async with driven_page(*driven) as both:
        yield both


@pytest.fixture
def page(shown: tuple[Page, Window]) -> Page:
    return shown[0]


@pytest.fixture
async def screen(shown: tuple[Page, Window]) -> AsyncGenerator[Screen]:
    screen = Screen(shown[1], rate=30)
    yield screen
    await screen.close()


async def test_an_idle_page_is_seen_at_once(page: Page, screen: Screen) -> None:
    await page.goto(colour("red"))
    async with screen.watched(), asyncio.timeout(5):
        frame = await screen.next(-1)
    assert colour_of(frame) == "red"
    assert (frame.width, frame.height) == (800, 600)
    assert screen.name.startswith("red - data:text/html")


async def test_the_last_change_of_a_burst_is_never_lost(page: Page, screen: Screen) -> None:
    await page.goto(document("<body>"))
    async with screen.watched():
        for last in ("lime", "blue", "red", "lime", "blue"):
            await page.evaluate(
                """async last => {
                for (let i = 0; i < 12; i++) { document.body.style.background = i % 2 ? '#fff' : '#000';
                    await new Promise(requestAnimationFrame); }
                document.body.style.background = last }""",
                last,
            )
            await seen(screen, lambda frame, last=last: colour_of(frame) == last)


async def test_navigations_do_not_freeze_the_picture(page: Page, screen: Screen) -> None:
    async with screen.watched():
        for name in ("red", "lime", "blue", "yellow") * 3:
            await page.goto(colour(name))
        await seen(screen, lambda frame: colour_of(frame) == "yellow")
        await page.reload()
        await page.goto(colour("lime"))
        await seen(screen, lambda frame: colour_of(frame) == "lime")


async def test_a_new_tab_is_followed_and_left_when_it_closes(page: Page, screen: Screen) -> None:
    await page.goto(colour("red"))
    async with screen.watched():
        await seen(screen, lambda frame: colour_of(frame) == "red")
        other = await page.context.new_page()
        await other.goto(colour("blue"))
        await seen(screen, lambda frame: colour_of(frame) == "blue")
        assert len(screen.tabs) == 2
        await other.close()
        await seen(screen, lambda frame: colour_of(frame) == "red")


async def test_a_person_can_choose_and_close_tabs(page: Page, screen: Screen) -> None:
    await page.goto(colour("red"))
    async with screen.watched():
        await screen.next(-1)
        other = await page.context.new_page()
        await other.goto(colour("blue"))
        await seen(screen, lambda frame: colour_of(frame) == "blue")
        first, second = screen.tabs
        await screen.bring_to_front(first.target)
        await seen(screen, lambda frame: colour_of(frame) == "red")
        await screen.shut(first.target)
        await seen(screen, lambda frame: colour_of(frame) == "blue")
        await screen.shut(second.target)
        assert not other.is_closed(), "the last tab stays"


async def test_other_contexts_of_a_shared_browser_are_never_shown(
    driven: tuple[Chromium, Browser], page: Page, screen: Screen
) -> None:
    await page.goto(colour("red"))
    async with screen.watched(), driven_page(*driven) as (stranger, _):
        await stranger.goto(colour("blue"))
        await stranger.bring_to_front()
        await page.evaluate("document.title = 'still me'; document.body.style.background = 'lime'")
        await seen(screen, lambda frame: colour_of(frame) == "lime")
        await becomes(lambda: asyncio.sleep(0, "still me" in screen.name), value=True)
        assert len(screen.tabs) == 1


async def test_another_viewport_is_another_size_but_a_full_page_screenshot_is_not(
    page: Page, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent.screencast, "RESIZE", 1.5)  # a busy machine takes its time for a screenshot
    await page.goto(document("<body style='margin:0;height:3000px;background:red'>"))
    async with screen.watched():
        sizes = {(first := await screen.next(-1)).width: first.height}
        watching = asyncio.create_task(_note_sizes(screen, sizes))
        for _ in range(3):
            await page.screenshot(full_page=True)
        assert sizes == {800: 600}
        watching.cancel()
        await page.set_viewport_size({"width": 500, "height": 400})
        frame = await seen(screen, lambda frame: frame.width == 500)
        assert (frame.height, frame.page_width, frame.page_height) == (400, 500, 400)


async def _note_sizes(screen: Screen, sizes: dict[int, int]) -> None:
    number = -1
    while True:
        frame = await screen.next(number)
        number = frame.number
        sizes[frame.width] = frame.height


async def test_a_crashed_page_is_told_and_seen_again_after_a_reload(page: Page, screen: Screen) -> None:
    await page.goto(colour("red"))
    async with screen.watched():
        await seen(screen, lambda frame: colour_of(frame) == "red")
        stirred = asyncio.Event()
        screen.listeners.append(stirred.set)
        tab = screen.tab
        assert tab
        await screen.cdp.post("Page.crash", None, tab.session)
        async with asyncio.timeout(10):
            while not tab.crashed:
                stirred.clear()
                await stirred.wait()
        await screen.cdp.call("Page.navigate", {"url": colour("blue")}, tab.session)
        await seen(screen, lambda frame: colour_of(frame) == "blue")
        assert not tab.crashed


async def test_a_tab_that_cannot_be_watched_in_the_middle_of_a_navigation_is_seen_after_it(
    page: Page, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Chromium does for a moment, some of the time on a busy machine, is done here in its place, each time."""
    refusals, call = iter(range(2)), Cdp.call

    async def refusing(cdp: Cdp, method: str, *arguments: Any, **options: Any) -> Answer:
        if method == "Page.startScreencast" and next(refusals, None) is not None:
            raise Refused("Not attached to an active page")
        return await call(cdp, method, *arguments, **options)

    monkeypatch.setattr(Cdp, "call", refusing)
    await page.goto(colour("red"))
    async with screen.watched():
        await seen(screen, lambda frame: colour_of(frame) == "red")


async def test_nothing_is_captured_while_nobody_wants_a_frame(page: Page, screen: Screen) -> None:
    await page.goto(ANIMATED)
    async with screen.watched():
        frame = await screen.next(-1)
        await screen.next(frame.number)
        settled = -1
        while settled != screen.captures:  # the capture that may have been under way
            settled = screen.captures
            await page.evaluate("new Promise(done => setTimeout(done, 150))")
        await page.evaluate("new Promise(done => setTimeout(done, 400))")
        assert screen.captures == settled


async def test_the_connection_goes_with_the_last_viewer(
    page: Page, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent.screencast, "GRACE", 0.05)
    await page.goto(colour("red"))
    async with screen.watched():
        async with screen.watched():
            await screen.next(-1)
        connection = screen.cdp
    async with asyncio.timeout(5):
        while not screen.gone:  # noqa: ASYNC110  # a timer inside
            await asyncio.sleep(0.02)
    with pytest.raises(Gone):
        await connection.call("Browser.getVersion")
    async with screen.watched():
        assert colour_of(await screen.next(-1)) == "red", "and a new viewer connects again"


async def test_every_viewer_shares_one_cast(page: Page, screen: Screen) -> None:
    await page.goto(ANIMATED)
    seen_by: list[list[int]] = [[] for _ in range(5)]

    async def watch(numbers: list[int]) -> None:
        async with screen.watched():
            while len(numbers) < 15:
                numbers.append((await screen.next(numbers[-1] if numbers else -1)).number)

    async with asyncio.timeout(20):
        await asyncio.gather(*[watch(numbers) for numbers in seen_by])
    distinct = {number for numbers in seen_by for number in numbers}
    assert len(distinct) < 25, "five viewers cost about as many frames as one"


async def test_a_late_viewer_gets_the_newest_frame(page: Page, screen: Screen) -> None:
    await page.goto(document("<body>"))
    async with screen.watched():
        slow = await screen.next(-1)
        for name in ("red", "lime", "blue"):
            await page.evaluate("name => document.body.style.background = name", name)
            await seen(screen, lambda frame, name=name: colour_of(frame) == name)
        assert colour_of(await screen.next(slow.number)) == "blue"


@pytest.mark.parametrize("front", ["the newest", "one brought back"])
async def test_who_comes_late_sees_the_tab_that_was_last_in_front(page: Page, screen: Screen, front: str) -> None:
    """An engine makes every tab believe that it is in front, so that none says which one is."""
    others = [await page.context.new_page() for _ in range(4)]
    for number, tab in enumerate((page, *others)):
        await tab.goto(
            document(f"<body style='background:{'lime' if number == 2 else 'red' if number == 4 else 'blue'}'>")
        )
    if front == "one brought back":
        await others[1].bring_to_front()
    wanted = "red" if front == "the newest" else "lime"
    async with screen.watched():
        await seen(screen, lambda frame: colour_of(frame) == wanted)


async def test_watching_leaves_dialogs_to_the_agent(page: Page, screen: Screen) -> None:
    await page.goto(document("<body>"))
    answered = await page.context.new_page()
    answered.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept("an answer")))
    await answered.goto(document("<body style='background:red'>"))
    async with screen.watched():
        await seen(screen, lambda frame: colour_of(frame) == "red")
        # Two listeners of Playwright are there (one leaves dialogs alone), none of ours.
        with suppress(Error):
            assert await asyncio.wait_for(answered.evaluate("prompt('?')"), 60) == "an answer"


def _ignore(method: str, event: dict[str, Any], session: str | None) -> None:
    del method, event, session


async def test_a_whole_browser_is_shown_tab_by_tab_until_it_dies(chromium_path: Path, tmp_path: Path) -> None:
    chromium = await Chromium.launch(chromium_path, tmp_path)
    agent = await Cdp.open(chromium.cdp_url, _ignore)
    screen = Screen(Window(chromium.cdp_url), rate=30)
    async with screen.watched():
        await screen.next(-1)
        first = await agent.call("Target.createTarget", {"url": colour("lime")})
        await seen(screen, lambda frame: colour_of(frame) == "lime")
        await agent.call("Target.createTarget", {"url": colour("blue")})
        await seen(screen, lambda frame: colour_of(frame) == "blue")
        await agent.call("Target.activateTarget", {"targetId": first["targetId"]})
        frame = await seen(screen, lambda frame: colour_of(frame) == "lime")
        waiting = asyncio.create_task(screen.next(frame.number))
        await chromium.close(grace=0)
        with pytest.raises(Gone):
            await asyncio.wait_for(waiting, 5)
    with pytest.raises(Gone):
        async with screen.watched():
            pass
    await agent.close()


async def test_the_quality_and_size_of_frames_can_be_set(page: Page, shown: tuple[Page, Window]) -> None:
    await page.goto(colour("red"))
    screen = Screen(shown[1], longest_side=400)
    async with screen.watched():
        frame = await screen.next(-1)
    await screen.close()
    assert (frame.width, frame.height) == (400, 300)
    assert (frame.page_width, frame.page_height) == (800, 600), "the page itself stays as it is"
    assert Image.open(io.BytesIO(frame.jpeg)).size == (400, 300)
