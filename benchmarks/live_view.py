"""The live view over a plain screencast WebSocket (benchmarks/plain_cast.py): same browser, same pages, same viewer, one run.

Glass to glass: from a change in the shown page to the changed pixel in the viewer's canvas. Input: from the press in the viewer to the
event in the shown page, and to the changed pixel. Then frames, bandwidth and CPU on busy pages, CPU and memory for each further viewer, and
what a page costs that nobody looks at (beside the plain one, to which nothing at all is connected then). The server runs in a process
of its own; CPU is in per cent of one core. They take turns. About three minutes on two quiet cores.

    python -m benchmarks.live_view [rounds]
"""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import uvicorn
from playwright.async_api import Browser, Page, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from agent.chromium import Chromium, find_chromium
from agent.engine import Window
from benchmarks.plain_cast import PlainCast
from server.live.door import live_url
from server.live.tasks import LiveSettings
from server.live.view import Live
from server.signing import Signer
from storage.states import TaskState
from tests.person import FLAGS
from tests.server.live_stage import TASK, StagedTasks

ROUNDS = 2
FLIPS = 20
FURTHER = 4
SECONDS = 3.0
WIDTH, HEIGHT = 1280, 800

STYLE = "<!doctype html><style>body{margin:0;font:16px sans-serif;background:#fff}</style>"
LINES = [f"<p>Line {n}: the quick brown fox jumps over the lazy dog, and then once more.</p>" for n in range(120)]
TEXT, SHORT = "".join(LINES), "".join(LINES[:12])
PAGES = {
    "flip": f"{STYLE}<div id=pad style='position:absolute;left:400px;top:200px;width:400px;height:400px;background:#000'></div>"
    "<script>let white=false;window.pressed=[];const pad=document.getElementById('pad');"
    "window.flip=()=>{white=!white;pad.style.background=white?'#fff':'#000';return performance.timeOrigin+performance.now()};"
    "addEventListener('mousedown',()=>{pressed.push(performance.timeOrigin+performance.now());flip()})</script>",
    "spinner": f"{STYLE}{SHORT}<style>@keyframes k{{to{{rotate:1turn}}}}i{{position:fixed;left:600px;top:300px;width:40px;"
    "height:40px;border:6px solid #ccc;border-top-color:#06c;border-radius:50%;animation:k 1s linear infinite}</style><i></i>",
    "typing": f"{STYLE}{SHORT}<p id=line></p><script>const line=document.getElementById('line');"
    "setInterval(()=>line.textContent=line.textContent.length>80?'x':line.textContent+'x',60)</script>",
    "scrolling": f"{STYLE}{TEXT}<script>let y=0;setInterval(()=>scrollTo(0,y=(y+12)%2500),16)</script>",
    "idle": f"{STYLE}{SHORT}",
}
COUNTING = """window.bytes = 0; window.updates = 0;
window.WebSocket = new Proxy(WebSocket, { construct(target, all) { const socket = new target(...all);
  socket.addEventListener('message', event => { if (typeof event.data === 'string') return;
    window.bytes += event.data.byteLength ?? event.data.size; window.updates += 1; });
  return socket } })"""
WATCHING = """() => { window.seen = []; let last = null; const look = () => { const canvas = document.querySelector('canvas');
if (canvas?.width) { const value = canvas.getContext('2d', {willReadFrequently: true}).getImageData(
  Math.round(canvas.width * 600 / 1280), Math.round(canvas.height / 2), 1, 1).data[0] > 127;
  if (value !== last) { if (last !== null) seen.push(performance.timeOrigin + performance.now()); last = value; } }
window.looking = requestAnimationFrame(look) }; look() }"""


@dataclass
class Rig:
    """Everything that runs."""

    shown: Page
    viewer: Browser
    urls: dict[str, str]
    origin: str
    server: psutil.Process
    chromium: psutil.Process

    async def look(self, name: str) -> Page:
        """A viewer of one of the two, who already sees the page."""
        context = await self.viewer.new_context(viewport={"width": WIDTH + 40, "height": HEIGHT + 120}, bypass_csp=True)
        page = await context.new_page()
        await page.add_init_script(COUNTING)
        await page.goto(self.urls[name])
        await page.wait_for_function("document.querySelector('canvas')?.width > 300")
        return page

    async def show(self, page: str) -> None:
        """Goes to one of the pages."""
        await self.shown.goto(f"{self.origin}/pages/{page}")


async def glass_to_glass(rig: Rig, viewer: Page) -> list[float]:
    """Milliseconds from a change in the shown page to the viewer's canvas."""
    await viewer.evaluate(WATCHING)
    delays: list[float] = []
    for number in range(FLIPS):
        await asyncio.sleep(0.15 + number % 7 * 0.017)
        before: int = await viewer.evaluate("seen.length")
        changed: float = await rig.shown.evaluate("flip()")
        await viewer.wait_for_function("before => seen.length > before", arg=before)
        delays.append(await viewer.evaluate("seen.at(-1)") - changed)
    return delays


async def input_to_glass(rig: Rig, viewer: Page) -> tuple[list[float], list[float]]:
    """Milliseconds from a press in the viewer to the event in the shown page, and to the changed pixel."""
    await viewer.evaluate(WATCHING)
    await viewer.evaluate(
        "() => { window.presses = []; addEventListener('mousedown', () => presses.push(performance.timeOrigin + performance.now()), true) }"
    )
    box = await viewer.locator("canvas").bounding_box()
    assert box
    to_event: list[float] = []
    to_glass: list[float] = []
    for number in range(FLIPS):
        await asyncio.sleep(0.15 + number % 7 * 0.017)
        before: int = await viewer.evaluate("seen.length")
        place = box["x"] + box["width"] / 2 + number % 5, box["y"] + box["height"] / 2
        await viewer.mouse.move(*place)
        await viewer.mouse.down()
        await viewer.mouse.up()
        await viewer.wait_for_function("before => seen.length > before", arg=before)
        pressed: float = await viewer.evaluate("presses.at(-1)")
        to_event.append(await rig.shown.evaluate("pressed.at(-1)") - pressed)
        to_glass.append(await viewer.evaluate("seen.at(-1)") - pressed)
    return to_event, to_glass


def spent(process: psutil.Process) -> float:
    """CPU seconds of a process and all below it."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


async def load(rig: Rig, viewer: Page | None) -> dict[str, float]:
    """Frames a second, KB a second, and CPU of Chromium and server, while nobody touches anything."""
    counts = "[window.updates ?? 0, window.bytes ?? 0]"
    await asyncio.sleep(1)
    first = await viewer.evaluate(counts) if viewer else [0, 0]
    chromium, server, begun = spent(rig.chromium), spent(rig.server), time.perf_counter()
    await asyncio.sleep(SECONDS)
    seconds = time.perf_counter() - begun
    last = await viewer.evaluate(counts) if viewer else [0, 0]
    return {
        "fps": (last[0] - first[0]) / seconds,
        "KB/s": (last[1] - first[1]) / seconds / 1024,
        "Chromium %": (spent(rig.chromium) - chromium) / seconds * 100,
        "server %": (spent(rig.server) - server) / seconds * 100,
    }


async def further_viewers(rig: Rig, name: str) -> dict[str, float]:
    """What the server spends on each viewer beside the first."""
    viewers = [await rig.look(name)]
    one = await load(rig, viewers[0])
    before = rig.server.memory_info().rss
    viewers += [await rig.look(name) for _ in range(FURTHER)]
    all_ = await load(rig, viewers[0])
    more = rig.server.memory_info().rss - before
    for viewer in viewers:
        await viewer.context.close()
    return {
        "server MB": more / FURTHER / 1024 / 1024,
        "server %": (all_["server %"] - one["server %"]) / FURTHER,
        "Chromium %": (all_["Chromium %"] - one["Chromium %"]) / FURTHER,
    }


Figures = dict[tuple[str, str], list[float]]


async def one_round(rig: Rig, figures: Figures) -> None:
    """Everything once for both."""
    for name in rig.urls:
        await rig.show("flip")
        viewer = await rig.look(name)
        if name == "live":
            await viewer.click("#take")
            await viewer.wait_for_selector("body[data-tone=mine]")
        figures.setdefault(("glass to glass, ms", name), []).extend(await glass_to_glass(rig, viewer))
        to_event, to_glass = await input_to_glass(rig, viewer)
        figures.setdefault(("press to event, ms", name), []).extend(to_event)
        figures.setdefault(("press to glass, ms", name), []).extend(to_glass)
        for page in ("spinner", "typing", "scrolling", "idle"):
            await rig.show(page)
            for what, value in (await load(rig, viewer)).items():
                figures.setdefault((f"{page}: {what}", name), []).append(value)
        await viewer.context.close()
        await asyncio.sleep(4)  # the connection's grace is over
        for page in ("spinner", "idle"):
            await rig.show(page)
            for what, value in (await load(rig, None)).items():
                if "%" in what:
                    figures.setdefault((f"{page}, nobody watches: {what}", name), []).append(value)


async def one_crowd(rig: Rig, figures: Figures) -> None:
    """What further viewers cost, once for both."""
    await rig.show("typing")
    for name in rig.urls:
        for what, value in (await further_viewers(rig, name)).items():
            figures.setdefault((f"each further viewer: {what}", name), []).append(value)


def report(figures: Figures) -> str:
    """The figures as a markdown table of medians."""
    lines = ["| | live view | plain screencast | ratio |", "|---|---:|---:|---:|"]
    rows = dict.fromkeys(what for what, _ in figures)
    for what in rows:
        ours, plain = figures[what, "live"], figures[what, "plain"]
        for label, of in [("", statistics.median), *([(" (p90)", ninetieth)] if what.endswith("ms") else [])]:
            one, other = of(ours), of(plain)
            ratio = f"{one / other:.2f}" if one > 0 and other > 0.05 else "-"  # less memory with a viewer more is noise
            lines.append(f"| {what}{label} | {one:.1f} | {other:.1f} | {ratio} |")
    return "\n".join(lines)


def ninetieth(values: list[float]) -> float:
    """The 90th percentile."""
    return statistics.quantiles(values, n=10)[-1] if len(values) > 1 else values[0]


async def serve(cdp_url: str, context_id: str, listener: socket.socket) -> None:
    """The server's process: both views of one browser, and the pages that it shows."""
    tasks, signer = StagedTasks(Path(tempfile.gettempdir())), Signer(b"a key of thirty-two bytes, or so.")
    tasks.shown = Window(cdp_url, context_id or None)
    tasks.turn(TaskState.PROCESSING)
    live = Live(tasks, signer, LiveSettings(control_rate=20, idle=3600))

    async def page(request: Request) -> HTMLResponse:
        return HTMLResponse(PAGES[request.path_params["name"]])

    routes = [*live.routes, *PlainCast(cdp_url).routes, Route("/pages/{name}", page)]
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    print(
        json.dumps({"origin": origin, "live": live_url(signer, origin, TASK, seconds=7200, control=True)}), flush=True
    )
    config = uvicorn.Config(
        Starlette(routes=routes), log_level="critical", lifespan="off", ws_per_message_deflate=False
    )
    await uvicorn.Server(config).serve(sockets=[listener])


@asynccontextmanager
async def rigged(folder: Path) -> AsyncGenerator[Rig]:
    """Starts everything: the shown browser, the server's process, the viewer's browser."""
    path = find_chromium(None)
    assert path
    chromium = await Chromium.launch(path, folder)
    command = [sys.executable, "-m", "benchmarks.live_view", "serve", chromium.cdp_url]
    server = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert server.stdout
    told: dict[str, Any] = json.loads(await server.stdout.readline())
    try:
        async with async_playwright() as playwright:
            shown = (await playwright.chromium.connect_over_cdp(chromium.cdp_url)).contexts[0].pages[0]
            await shown.set_viewport_size({"width": WIDTH, "height": HEIGHT})
            viewer = await playwright.chromium.launch(executable_path=path, args=FLAGS)
            urls = {"plain": f"{told['origin']}/plain", "live": told["live"]}
            yield Rig(shown, viewer, urls, told["origin"], psutil.Process(server.pid), psutil.Process(chromium.pid))
            await viewer.close()
    finally:
        server.terminate()
        await server.wait()
        await chromium.close(grace=0)


async def main(rounds: int) -> None:
    """Measures and prints."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        async with rigged(Path(folder)) as rig:
            for _ in range(rounds):
                await one_round(rig, figures)
            await one_crowd(rig, figures)
    print(report(figures))


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(sys.argv[2], "", socket.create_server(("127.0.0.1", 0))))
    else:
        asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS))
