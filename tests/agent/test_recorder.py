"""A recording of a real Chromium: how long it is, what it shows, and that it needs no window."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import imageio_ffmpeg
import pytest
from PIL import Image
from playwright.async_api import Browser, Page

from agent.chromium import Chromium
from agent.engine import Viewport, Window
from agent.recorder import Recorder
from tests.agent.conftest import entries
from tests.agent.screens import colour, driven_chromium, driven_page

pytestmark = pytest.mark.anyio
SIZE = Viewport(640, 480)


@pytest.fixture
async def shown(driven: tuple[Chromium, Browser]) -> AsyncGenerator[tuple[Page, Window]]:
    async with driven_page(*driven) as both:
        yield both


async def ffmpeg(*args: str) -> str:
    """What ffmpeg says about a file."""
    process = await asyncio.create_subprocess_exec(
        imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", *args, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    return said.decode()


async def seconds_of(path: Path) -> float:
    found = re.search(r"Duration: (\d+):(\d+):([\d.]+)", await ffmpeg("-i", str(path)))
    assert found, "no video"
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])


async def frames_of(path: Path) -> list[tuple[float, str]]:
    """When each frame is shown first, and whether it is rather red or rather blue."""
    told = await ffmpeg("-i", str(path), "-vf", "showinfo", "-fps_mode", "passthrough", f"{path}-%04d.png")
    moments = [float(found) for found in re.findall(r"pts_time:([\d.]+)", told)]
    return list(zip(moments, map(colour_in, sorted(path.parent.glob("*.png"))), strict=True))


def colour_in(picture: Path) -> str:
    with Image.open(picture) as image:
        red, _, blue = image.convert("RGB").reduce(image.size).tobytes()
    return "red" if red > blue else "blue"


async def shown_on(recorder: Recorder, before: bytes | None) -> None:
    """Waits until the recorder has taken another frame."""
    async with asyncio.timeout(10):
        while recorder.last == before:  # noqa: ASYNC110  # frames come from another process
            await asyncio.sleep(0.02)


async def test_a_recording_lasts_as_long_as_the_run_and_shows_each_page_in_its_time(
    shown: tuple[Page, Window], tmp_path: Path
) -> None:
    page, window = shown
    await page.set_viewport_size({"width": SIZE.width, "height": SIZE.height})
    await page.goto(colour("red"))
    recorder = Recorder(tmp_path, "run", SIZE)
    loop = asyncio.get_running_loop()
    recorder.show(window)
    await shown_on(recorder, None)
    begun, red = loop.time(), recorder.last
    await asyncio.sleep(1)  # what is recorded is time
    await page.goto(colour("blue"))
    await shown_on(recorder, red)
    turned = loop.time() - begun
    await asyncio.sleep(1)  # as above
    file = await recorder.close()
    took = loop.time() - begun

    assert file is not None
    assert (file.kind, file.media_type, file.name) == ("recording", "video/mp4", "run.mp4")
    assert await seconds_of(file.path) == pytest.approx(took, abs=0.8)
    frames = await frames_of(file.path)
    assert frames[0] == (0, "red")
    assert next(moment for moment, seen in frames if seen == "blue") == pytest.approx(turned, abs=0.5)
    assert frames[-1][1] == "blue"


async def test_a_recording_goes_on_in_the_next_browser(
    driven: tuple[Chromium, Browser], shown: tuple[Page, Window], tmp_path: Path
) -> None:
    page, window = shown
    await page.goto(colour("red"))
    recorder = Recorder(tmp_path, "run", SIZE)
    recorder.show(window)
    await shown_on(recorder, None)
    red = recorder.last
    async with driven_page(*driven) as (other, other_window):
        await other.goto(colour("blue"))
        recorder.show(other_window)
        await shown_on(recorder, red)
    recorder.show(None)
    file = await recorder.close()
    assert file is not None
    frames = await frames_of(file.path)
    assert (frames[0][1], frames[-1][1]) == ("red", "blue")


async def test_without_a_browser_there_is_no_recording(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "run", SIZE)
    assert await recorder.close() is None
    assert entries(tmp_path) == []


async def test_a_browser_that_is_gone_leaves_what_was_seen(chromium_path: Path, tmp_path: Path) -> None:
    async with driven_chromium(chromium_path, tmp_path / "run") as both, driven_page(*both) as (page, window):
        await page.goto(colour("red"))
        recorder = Recorder(tmp_path, "run", SIZE)
        recorder.show(window)
        await shown_on(recorder, None)
    file = await recorder.close()
    assert file is not None
    assert file.path.stat().st_size > 500


async def test_an_encoder_that_cannot_write_costs_the_recording_and_nothing_else(
    shown: tuple[Page, Window], tmp_path: Path
) -> None:
    page, window = shown
    await page.goto(colour("red"))
    recorder = Recorder(tmp_path / "nowhere", "run", SIZE)
    recorder.show(window)
    await shown_on(recorder, None)
    assert await recorder.close() is None
