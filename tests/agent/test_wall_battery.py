"""A hostile page tries every way out that a browser has; nobody outside may hear of it.

The same page in a browser without a wall is heard: the battery can fail.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import BrowserContext, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from agent.chromium import Chromium
from agent.lite.visit import Streams
from agent.wall import FLAGS, Gate, Wall
from tests.agent.conftest import Canary, canary, eventually, served

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parent / "hostile.html").read_text()
WORKER = """
const out = JSON.parse(new URL(location).searchParams.get("out"));
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  if (!event.request.url.endsWith("/through-worker")) return;
  const tries = out.map((base) => fetch(base + "/service-worker", { mode: "no-cors" }).catch(() => 0));
  event.respondWith(Promise.all(tries).then(() => new Response("tried")));
});
"""


WAYS = (
    *(
        "img",
        "iframe",
        "embed",
        "object",
        "video",
        "audio",
        "css",
        "font",
        "background",
        "import",
        "script",
        "link-header",
    ),
    *("prefetch", "preload", "modulepreload", "speculation", "srcdoc", "data", "blob", "refresh", "form", "csp-report"),
    *("fetch", "fetch-redirect", "iframe-redirect", "keepalive", "preflight", "beacon", "xhr", "events", "socket"),
    *("worker", "worker-socket", "shared-worker", "service-worker", "open", "open-redirect", "location", "udp"),
)
"""What is heard of the page where there is no wall."""


@dataclass
class Hostile:
    """A site that wants out, and what its page told it."""

    done: asyncio.Event = field(default_factory=asyncio.Event)
    ways: int = 0
    saw: dict[str, str] = field(default_factory=dict[str, str])

    async def page(self, request: Request) -> Response:
        out = json.loads(request.query_params["out"])
        headers = {
            "Content-Security-Policy-Report-Only": f"default-src 'none'; report-uri {out[0]}/csp-report",
            "Reporting-Endpoints": f'default="{out[0]}/reports"',
            "NEL": '{"report_to":"default","max_age":1,"success_fraction":1}',
            "Link": f"<{out[0]}/link-header>; rel=preload; as=script",
        }
        return HTMLResponse(PAGE, headers=headers)

    async def worker(self, _: Request) -> Response:
        return Response(WORKER, media_type="text/javascript")

    async def away(self, request: Request) -> Response:
        return RedirectResponse(request.query_params["to"])

    async def looked(self, request: Request) -> Response:
        seen = json.loads(await request.body())
        self.saw[seen["url"]] = seen["text"]
        return PlainTextResponse("")

    async def finish(self, request: Request) -> Response:
        self.ways = int(await request.body())
        self.done.set()
        return PlainTextResponse("")

    async def quiet(self, _: Request) -> Response:
        return PlainTextResponse("")

    @property
    def app(self) -> Starlette:
        routes = [
            Route("/", self.page),
            Route("/worker.js", self.worker),
            Route("/away", self.away),
            Route("/saw", self.looked, methods=["POST"]),
            Route("/done", self.finish, methods=["POST"]),
            Route("/{anything:path}", self.quiet),
        ]
        return Starlette(routes=routes)


def ways_out(trap: Canary) -> str:
    """The canary's address in the forms that a page may write."""
    hosts = ["127.0.0.1", "localhost", "[::1]", "0x7f000001"]
    return quote(json.dumps([f"http://{host}:{trap.port}" for host in hosts]))


async def let_loose(context: BrowserContext, origin: str, hostile: Hostile, trap: Canary) -> None:
    page = await context.new_page()
    await page.goto(f"{origin}/?out={ways_out(trap)}", wait_until="domcontentloaded")
    await page.evaluate("popup(false)")
    await page.evaluate("popup(true)")
    await asyncio.wait_for(hostile.done.wait(), 60)
    await page.wait_for_timeout(1500)  # the last way out is taken after the page has said that it is done
    await context.close()


async def test_nothing_leaves_a_context_of_a_shared_browser_but_through_its_gate(
    chromium_path: Path, tmp_path: Path
) -> None:
    hostile = Hostile()
    chromium = await Chromium.launch(chromium_path, tmp_path, args=FLAGS)
    try:
        async with async_playwright() as driver, canary() as trap, served(hostile.app) as origin:
            browser = await driver.chromium.connect_over_cdp(chromium.cdp_url)
            wall = Wall(hosts=("*",), opened=(origin.removeprefix("http://"),))
            async with Gate.open(wall) as gate:
                context = await browser.new_context(proxy={"server": gate.url, "bypass": "<-loopback>"})
                await let_loose(context, origin, hostile, trap)
                assert trap.heard == []
                assert {"127.0.0.1", "localhost", "::1"} <= set(gate.blocked)
    finally:
        await chromium.close(grace=0)
    assert hostile.ways > 150
    assert len(hostile.saw) == 6
    assert not any("root:" in text or "Chromium" in text for text in hostile.saw.values())


async def test_nothing_leaves_a_browser_of_its_own_but_through_its_gate(chromium_path: Path, tmp_path: Path) -> None:
    hostile = Hostile()
    async with (
        async_playwright() as driver,
        canary() as trap,
        served(hostile.app) as origin,
        Gate.open(Wall(hosts=(), opened=(origin.removeprefix("http://"),))) as gate,
    ):
        chromium = await Chromium.launch(chromium_path, tmp_path, proxy=gate.url, args=gate.args)
        try:
            browser = await driver.chromium.connect_over_cdp(chromium.cdp_url)
            await let_loose(browser.contexts[0], origin, hostile, trap)
            assert trap.heard == []
            assert {"127.0.0.1", "localhost", "::1"} <= set(gate.blocked)
        finally:
            await chromium.close(grace=0)
    assert hostile.ways > 150


async def test_without_a_wall_the_same_page_is_heard(chromium: Chromium) -> None:
    hostile = Hostile()
    async with async_playwright() as driver, canary() as trap, served(hostile.app) as origin:
        browser = await driver.chromium.connect_over_cdp(chromium.cdp_url)
        await let_loose(await browser.new_context(), origin, hostile, trap)
        heard = " ".join(trap.heard)
    silent = [way for way in WAYS if way not in heard]
    assert silent == []


class Listening(Gate):
    """A gate that keeps every host it is asked for."""

    asked: set[str]

    async def reach(self, host: str, port: int) -> Streams:
        self.asked.add(host)
        return await super().reach(host, port)


async def test_chromium_itself_asks_for_nobody(chromium_path: Path, tmp_path: Path) -> None:
    Listening.asked = set()
    async with Listening.open(Wall(("*",))) as gate:
        browser = await Chromium.launch(chromium_path, tmp_path / "run", proxy=gate.url, args=FLAGS)
        try:
            await eventually(lambda: {"login.invalid", "updates.invalid"} <= Listening.asked, 30)
        finally:
            await browser.close(grace=0)
    assert {host for host in Listening.asked if not host.endswith(".invalid")} == set()
    assert gate.blocked == []
