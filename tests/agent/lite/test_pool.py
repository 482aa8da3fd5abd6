"""The shared Chromium is started once, replaced when it must be, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import os
import weakref
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import psutil
import pytest
from playwright.async_api import Error as PlaywrightError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import agent.rooms
from agent.driver import start
from agent.engine import Viewport
from agent.lite.pool import SharedChromium, Warm
from agent.ownership import RECORD
from agent.rooms import Furnishing, Rooms
from agent.wall import Wall
from tests.agent.conftest import canary, entries, eventually, family, living, served
from tools.errors import AuthenticationFailed, BrowserFailed

pytestmark = pytest.mark.anyio

OPEN = Wall(hosts=(), private=True)


async def cookies(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.headers.get("cookie", "none"))


APP = Starlette(routes=[Route("/", cookies)])


@pytest.fixture
async def pool(chromium_path: Path, tmp_path: Path) -> AsyncGenerator[SharedChromium]:
    shared = SharedChromium(lambda: chromium_path, tmp_path / "run", tasks=3)
    yield shared
    await shared.close()
    assert entries(tmp_path / "run") == []


async def test_a_driver_that_cannot_run_is_said_and_leaves_no_browser(
    pool: SharedChromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", "/bin/false")
    with pytest.raises(BrowserFailed, match="libatomic1"):
        await pool.warm()


async def test_the_drivers_temporary_files_lie_in_the_run_folder_and_go_with_it(
    pool: SharedChromium, tmp_path: Path
) -> None:
    before = os.environ.get("TMPDIR")
    warm = await pool.warm()
    (folder,) = (tmp_path / "run").glob("driver-*")
    assert [name.partition("-")[0] for name in entries(folder)] == [RECORD, "playwright"]
    assert os.environ.get("TMPDIR") == before
    warm.chromium.kill()  # nobody says goodbye to it


async def works(warm: Warm) -> bool:
    context = await warm.browser.new_context()
    await (await context.new_page()).goto("data:text/html,<title>here</title>")
    await context.close()
    return True


async def test_tasks_share_one_until_it_is_worn_out_and_those_inside_may_finish(pool: SharedChromium) -> None:
    async with pool.lease() as first, pool.lease() as second:
        assert first is second
        async with pool.lease() as third:
            assert third is first
        assert first.retired
        async with pool.lease() as fresh:
            assert fresh.chromium.pid != first.chromium.pid
            assert await works(first)
            assert await works(fresh)
    assert not first.chromium.alive
    assert fresh.chromium.alive


async def test_one_that_grew_too_large_is_replaced(chromium_path: Path, tmp_path: Path) -> None:
    pool = SharedChromium(lambda: chromium_path, tmp_path, memory=1)
    async with pool.lease() as first:
        first.served = 9  # memory is looked at after every tenth task
    async with pool.lease() as same:
        assert same is first
        same.served = 10
    async with pool.lease() as other:
        assert other is not first
    await pool.close()


async def test_one_that_died_is_replaced_and_its_tasks_notice(pool: SharedChromium) -> None:
    async with pool.lease() as warm:
        page = await (await warm.browser.new_context()).new_page()
        waiting = asyncio.create_task(page.wait_for_selector("#never", timeout=30_000))
        await page.title()
        psutil.Process(warm.chromium.pid).kill()
        with pytest.raises(PlaywrightError):
            await asyncio.wait_for(waiting, 10)
        assert not await warm.answers()
        async with pool.lease() as other:
            assert await works(other)


async def test_one_that_froze_is_given_up(pool: SharedChromium) -> None:
    async with pool.lease() as warm:
        processes = family(warm.chromium.pid)
        for process in processes:
            process.suspend()
        assert not await warm.answers()
        await pool.give_up(warm)
        await eventually(lambda: not living(processes))
        async with pool.lease() as other:
            assert await works(other)


async def fail_in_a_room(rooms: Rooms, first: Callable[[], object] = lambda: None) -> None:
    """Whoever fails waits until the room is left."""
    async with rooms.room(Furnishing(), OPEN):
        first()
        raise ZeroDivisionError


async def test_a_room_that_is_slow_to_go_takes_no_other_with_it(
    pool: SharedChromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent.rooms, "CLOSE_SECONDS", 0.1)
    before = set(psutil.Process().children())
    rooms = Rooms(pool, ahead=False)
    async with rooms.room(Furnishing(), OPEN) as other:
        (driver,) = [child for child in psutil.Process().children() if child not in before and "node" in child.name()]
        with pytest.raises(ZeroDivisionError):
            await fail_in_a_room(rooms, first=driver.suspend)
        driver.resume()
        assert await asyncio.wait_for(other.page.title(), 10) == ""
        await eventually(lambda: len(other.warm.browser.contexts) == 2)  # Chromium's own, and the other's
        assert other.warm.usable
    await rooms.close()


async def test_a_room_that_never_goes_lets_no_more_in_and_the_others_end_in_peace(
    pool: SharedChromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_context: object) -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(agent.rooms, "CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(agent.rooms, "LINGER_SECONDS", 0.1)
    rooms = Rooms(pool, ahead=False)
    async with rooms.room(Furnishing(), OPEN) as other:
        with monkeypatch.context() as patched:
            patched.setattr(agent.rooms, "shut", never)
            with pytest.raises(ZeroDivisionError):
                await fail_in_a_room(rooms)
            await eventually(lambda: other.warm.retired)
        assert await other.page.title() == ""
        async with rooms.room(Furnishing(), OPEN) as next_one:
            assert next_one.warm is not other.warm
    await rooms.close()
    assert not other.warm.chromium.alive


async def test_when_playwrights_own_process_dies_it_is_started_again(pool: SharedChromium) -> None:
    before = set(psutil.Process().children())
    rooms = Rooms(pool, ahead=False)
    async with rooms.room(Furnishing(), OPEN) as room:
        (driver,) = [child for child in psutil.Process().children() if child not in before and "node" in child.name()]
        driver.kill()
        with pytest.raises(PlaywrightError):
            await asyncio.wait_for(room.page.title(), 10)
    async with rooms.room(Furnishing(), OPEN) as again:
        assert await asyncio.wait_for(again.page.title(), 10) == ""
    await rooms.close()


async def test_a_death_of_playwrights_own_process_leaves_nothing_in_the_log(tmp_path: Path) -> None:
    unread: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unread.append(context))
    before = pipes()
    playwright = await start(tmp_path)
    (pipe,) = (weakref.ref(one) for one in pipes() if one not in before)
    (driver,) = [child for child in psutil.Process().children() if child.environ().get("TMPDIR") == str(tmp_path)]
    driver.kill()
    del playwright
    await eventually(lambda: gc.collect() >= 0 and pipe() is None)
    assert unread == []


def pipes() -> list[object]:
    """Playwright's ways to its own processes, where it notes their deaths."""
    return [one for one in gc.get_objects() if type(one).__name__ == "PipeTransport"]


async def test_a_program_that_cannot_start_is_the_browsers_failure(tmp_path: Path) -> None:
    pool = SharedChromium(lambda: Path("/bin/false"), tmp_path)
    with pytest.raises(BrowserFailed):
        await pool.warm()
    await pool.close()


async def test_what_is_in_no_tasks_context_reaches_nothing(pool: SharedChromium) -> None:
    async with canary() as trap, pool.lease() as warm:
        page = await warm.browser.contexts[0].new_page()
        for url in (f"http://127.0.0.1:{trap.port}/", f"http://localhost:{trap.port}/"):
            with pytest.raises(PlaywrightError):
                await page.goto(url)
        assert trap.heard == []


# -- rooms


async def test_a_room_stands_ready_for_the_next_task_and_shares_nothing_with_the_last(pool: SharedChromium) -> None:
    rooms = Rooms(pool)
    async with served(APP) as origin:
        wall = Wall(hosts=(), opened=(origin.removeprefix("http://"),))
        cookie = {"name": "who", "value": "ada", "domain": "127.0.0.1", "path": "/"}
        state = {"cookies": [cookie], "origins": []}
        await rooms.prepare(Furnishing())
        ready = rooms.ready
        async with rooms.room(Furnishing(), wall, state=state) as room:
            assert room is ready
            await room.page.goto(origin)
            assert await room.page.inner_text("body") == "who=ada"
        await eventually(lambda: rooms.ready is not None)
        async with rooms.room(Furnishing(), wall) as other:
            assert other is not room
            assert other.window.context_id != room.window.context_id
            await other.page.goto(origin)
            assert await other.page.inner_text("body") == "none"
        await rooms.close()


async def test_a_room_that_does_not_fit_is_not_used(pool: SharedChromium) -> None:
    rooms = Rooms(pool)
    await rooms.prepare(Furnishing())
    async with rooms.room(Furnishing(Viewport(600, 500), "zh-CN", "Asia/Shanghai"), OPEN) as room:
        said = await room.page.evaluate(
            "[innerWidth, navigator.language, Intl.DateTimeFormat().resolvedOptions().timeZone]"
        )
        assert said == [600, "zh-CN", "Asia/Shanghai"]
    await rooms.close()


async def test_a_room_that_stands_ready_reaches_nothing(pool: SharedChromium) -> None:
    rooms = Rooms(pool)
    await rooms.prepare(Furnishing())
    assert rooms.ready
    async with canary() as trap:
        answer = await rooms.ready.page.goto(f"http://127.0.0.1:{trap.port}/")
        assert answer
        assert answer.status == 403
        assert trap.heard == []
    await rooms.close()


async def test_a_room_of_a_dead_browser_is_not_used(pool: SharedChromium) -> None:
    rooms = Rooms(pool)
    await rooms.prepare(Furnishing())
    assert rooms.ready
    psutil.Process(rooms.ready.warm.chromium.pid).kill()
    await rooms.ready.warm.chromium.wait_gone()
    async with rooms.room(Furnishing(), OPEN) as room:
        assert await room.page.title() == ""
    await rooms.close()


async def test_a_stored_login_that_cannot_be_read_is_said(pool: SharedChromium) -> None:
    rooms = Rooms(pool)
    state = {"cookies": [{"name": "x", "value": "y", "sameSite": "whatever"}], "origins": []}
    with pytest.raises(AuthenticationFailed, match="cannot be read"):
        async with rooms.room(Furnishing(), OPEN, state=state):
            pass
    await rooms.close()
