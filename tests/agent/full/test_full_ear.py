"""What is heard of the requests that publish, and what becomes of a second one: with a real Chromium and pages that mean harm."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from agent.chromium import Chromium
from agent.full.ear import Ear
from agent.full.watch import Watch
from agent.origins import Origins
from tests.agent.conftest import eventually, served
from tools.errors import DuplicateContent, PlatformError
from tools.playbook import Answer, Listen, Refusal

pytestmark = pytest.mark.anyio

PUBLISHING = (
    Listen("sent", r"/publish/\w+$"),
    Answer("sent", {"id": "id"}, (Refusal("error", "DUPLICATE_CONTENT", unless="id"),), seconds=5),
)

WORKERS = {
    "own": "fetch('/publish/worker', {method: 'POST'}); fetch('/publish/worker', {method: 'POST'})",
    "for-pages": """onfetch = (event) => event.respondWith(fetch(event.request));
        oninstall = () => skipWaiting(); onactivate = (event) => event.waitUntil(clients.claim())""",
}
CARRIERS = {
    "a beacon": "navigator.sendBeacon('/publish/worker'); navigator.sendBeacon('/publish/worker')",
    "a request that outlives its page": """for (let i = 0; i < 2; i++) fetch('/publish/worker', {method: 'POST', keepalive: true});
        location.href = '/?elsewhere'""",
    "a worker": "new Worker('/worker/own')",
    "a shared worker": "new SharedWorker('/worker/own')",
    "a service worker": "navigator.serviceWorker.register('/worker/own')",
}


@dataclass
class Press:
    """A site that publishes. `held`: set while its slow answer shall not come."""

    published: list[str] = field(default_factory=list[str])
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def page(self, request: Request) -> Response:
        other = request.query_params.get("frame")
        return HTMLResponse(f"<iframe src={other}></iframe>" if other else "<p>Here</p>")

    async def worker(self, request: Request) -> Response:
        return Response(WORKERS[request.path_params["kind"]], media_type="text/javascript")

    async def publish(self, request: Request) -> Response:
        how = request.path_params["how"]
        if how == "again":
            return RedirectResponse("/publish/plain", 307)
        if how == "no":
            return JSONResponse({"error": "You said that before"})
        self.published.append(how)
        if how == "slow":
            await self.go.wait()
        if how == "deep":
            return Response("[" * 200_000, media_type="application/json")
        if how == "broken":
            return Response("<h1>Oops", 502, media_type="text/html")
        return JSONResponse({"id": len(self.published)})

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self.page),
                Route("/worker/{kind}", self.worker),
                Route("/worker/publish/{how}", self.publish, methods=["POST"]),
                Route("/publish/{how}", self.publish, methods=["POST", "OPTIONS"]),
            ]
        )


@dataclass
class Booth:
    """A browser whose pages are listened to."""

    watch: Watch
    press: Press
    origin: str
    leaves: bool = True
    asked: int = 0

    def __post_init__(self) -> None:
        self.ear = Ear((PUBLISHING,), Origins(), self.may_leave)

    async def may_leave(self) -> bool:
        self.asked += 1
        return self.leaves

    @property
    def session(self) -> str:
        return next(iter(self.watch.pages))

    async def go(self, url: str) -> None:
        """Opens a page and waits until it is there."""
        await self.watch.cdp.call("Page.navigate", {"url": url}, self.session)
        async with asyncio.timeout(10):
            while await self.run("document.readyState") != "complete":  # noqa: ASYNC110  # it happens in the page
                await asyncio.sleep(0.02)

    async def run(self, script: str) -> object:
        """What a script of the page's answers."""
        asked = {"expression": script, "awaitPromise": True, "returnByValue": True}
        return (await self.watch.cdp.call("Runtime.evaluate", asked, self.session))["result"].get("value")

    async def publish(self, how: str) -> object:
        """Has the page publish; its status, or `blocked`."""
        return await self.run(f"fetch('/publish/{how}', {{method: 'POST'}}).then((a) => a.status, () => 'blocked')")


@pytest.fixture
async def booth(chromium: Chromium) -> AsyncGenerator[Booth]:
    async with opened(chromium) as booth:
        yield booth


@asynccontextmanager
async def opened(chromium: Chromium) -> AsyncGenerator[Booth]:
    press = Press()
    async with served(press.app()) as origin:
        watch = await Watch.open(chromium.cdp_url)
        try:
            await eventually(lambda: bool(watch.pages))
            booth = Booth(watch, press, origin)
            await watch.restore(None, "de-DE", "Asia/Shanghai", booth.ear)
            await booth.go(f"{origin}/")
            yield booth
        finally:
            press.go.set()
            await watch.close()


async def test_a_yes_is_heard_and_nothing_more_goes_out(booth: Booth) -> None:
    assert [await booth.publish("one"), await booth.publish("two")] == [200, "blocked"]
    assert booth.press.published == ["one"]
    assert booth.ear.readings == {"id": "1"}
    assert await booth.ear.refusal() is None
    assert booth.asked == 1


async def test_while_an_answer_is_under_way_no_second_request_goes_out(booth: Booth) -> None:
    first = asyncio.ensure_future(booth.publish("slow"))
    await eventually(lambda: booth.press.published == ["slow"])
    assert await booth.publish("two") == "blocked"
    booth.press.go.set()
    assert await first == 200
    assert booth.press.published == ["slow"]


async def test_after_a_refusal_another_may_go_out(booth: Booth) -> None:
    assert await booth.publish("no") == 200
    assert isinstance(await booth.ear.refusal(), DuplicateContent)
    assert await booth.publish("one") == 200
    assert await booth.ear.refusal() is None
    assert booth.ear.taken


async def test_once_it_is_shut_only_what_reads_goes_out(booth: Booth) -> None:
    booth.ear.shut = True
    assert [await booth.publish("one"), await booth.publish("again")] == ["blocked", "blocked"]
    assert await booth.run("fetch('/?more').then((a) => a.status)") == 200
    assert booth.press.published == []


async def test_a_request_that_may_not_leave_does_not(booth: Booth) -> None:
    booth.leaves = False
    assert await booth.publish("one") == "blocked"
    assert booth.press.published == []
    assert not booth.ear.taken


@pytest.mark.parametrize("how", ["deep", "broken"])
async def test_an_answer_that_says_nothing_counts_as_taken(booth: Booth, how: str) -> None:
    assert await booth.publish(how) != "blocked"
    assert await booth.ear.refusal() is None
    assert booth.ear.taken
    assert booth.ear.readings == {}


async def test_a_status_that_cannot_mean_yes_is_a_refusal(booth: Booth) -> None:
    await booth.run("fetch('/publish/a', {method: 'PUT'}).catch(() => 0)")
    assert booth.asked == 0
    booth.ear.publishing = ((Listen("sent", r"/publish/\w+$", method="PUT"), PUBLISHING[1]),)
    await booth.run("fetch('/publish/a', {method: 'PUT'}).catch(() => 0)")
    assert isinstance(await booth.ear.refusal(), PlatformError)


async def test_a_request_that_is_sent_on_is_the_same_one(booth: Booth) -> None:
    assert await booth.publish("again") == 200
    assert booth.press.published == ["plain"]
    assert booth.ear.readings == {"id": "1"}


async def test_a_form_that_leads_away_is_heard(booth: Booth) -> None:
    form = "const f = document.createElement('form'); f.method = 'post'; f.action = '/publish/form'; document.body.append(f); f.submit()"
    await booth.run(form)
    await eventually(lambda: booth.ear.readings == {"id": "1"})


async def test_a_tab_that_is_gone_leaves_a_doubt(booth: Booth) -> None:
    popup = await booth.watch.cdp.call("Target.createTarget", {"url": f"{booth.origin}/"})
    await eventually(lambda: popup["targetId"] in booth.watch.pages.values())
    tab = next(session for session, target in booth.watch.pages.items() if target == popup["targetId"])
    asked = {"expression": f"fetch('{booth.origin}/publish/slow', {{method: 'POST', mode: 'no-cors'}}); 1"}
    await booth.watch.cdp.call("Runtime.evaluate", asked, tab)
    await eventually(lambda: booth.press.published == ["slow"])
    await booth.watch.cdp.call("Target.closeTarget", {"targetId": popup["targetId"]})
    assert await booth.ear.refusal() is None
    await eventually(lambda: booth.ear.taken)


async def test_a_frame_of_another_site_is_heard_and_lives_in_the_same_place(booth: Booth) -> None:
    other = booth.origin.replace("127.0.0.1", "localhost")
    await booth.go(f"{booth.origin}/?frame={other}/?frame=about:blank")
    script = """Intl.DateTimeFormat().resolvedOptions().timeZone + ' ' + (1234.5).toLocaleString() + ' ' + navigator.language"""
    await eventually(lambda: len(booth.watch.frames) == 1)
    frame = next(iter(booth.watch.frames))
    asked = {"expression": script, "returnByValue": True}
    said = await booth.watch.cdp.call("Runtime.evaluate", asked, frame)
    assert said["result"]["value"] == "Asia/Shanghai 1.234,5 de-DE", json.dumps(said)
    asked = {"expression": "fetch('/publish/framed', {method: 'POST'}).then(() => 1)", "awaitPromise": True}
    await booth.watch.cdp.call("Runtime.evaluate", asked, frame)
    assert booth.press.published == ["framed"]
    assert booth.ear.readings == {"id": "1"}


@pytest.mark.parametrize("carrier", CARRIERS)
async def test_whoever_publishes_is_heard_and_publishes_once(booth: Booth, carrier: str) -> None:
    await booth.run(f"{CARRIERS[carrier]}; 1")
    await eventually(lambda: booth.ear.readings == {"id": "1"})
    assert await booth.ear.refusal() is None
    assert booth.press.published == ["worker"]
    assert booth.asked == 1


async def test_what_a_service_worker_sends_in_its_pages_place_is_the_pages_request(booth: Booth) -> None:
    """It lets everything through as it comes, as many a site's does."""
    active = """navigator.serviceWorker.register('/worker/for-pages').then(({installing, waiting, active}) => new Promise(done => {
      const worker = installing || waiting || active
      const look = () => worker.state === 'activated' && done(1)
      worker.addEventListener('statechange', look)
      look()
    }))"""
    assert await booth.run(active) == 1
    await booth.go(f"{booth.origin}/worker/for-pages")
    assert await booth.run("navigator.serviceWorker.ready.then(() => !!navigator.serviceWorker.controller)")
    script = "fetch('publish/{}', {{method: 'POST'}}).then((a) => a.status, () => 'blocked')"
    assert await booth.run(script.format("one")) == 200
    assert await booth.run(script.format("two")) == "blocked"
    assert booth.press.published == ["one"]
    assert booth.ear.readings == {"id": "1"}


async def test_a_dialog_is_a_persons_while_the_run_waits_for_one_and_answered_once_it_goes_on(booth: Booth) -> None:
    async with booth.watch.dialogs_left():
        asking = asyncio.create_task(booth.run("prompt('Your name?')"))
        await eventually(lambda: booth.watch.left)
        await booth.watch.cdp.call("Page.handleJavaScriptDialog", {"accept": True, "promptText": "Anna"}, booth.session)
        assert await asking == "Anna"
        asking = asyncio.create_task(booth.run("confirm('Sure?')"))
        await eventually(lambda: booth.watch.left and "confirm" in booth.watch.left.values())
    assert await asking is True
    assert await booth.run("prompt('Your name?')") is None


async def test_the_thirtieth_dialog_in_a_row_is_one_too_many(booth: Booth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.full.watch.DIALOG_SECONDS", 1000.0)
    assert await booth.run("for (let i = 0; i < 29; i++) alert(i); 'still here'") == "still here"
    assert not booth.watch.spoiled.done()
    await booth.run("setTimeout(() => confirm('again'))")
    await eventually(booth.watch.spoiled.done)
    assert "dialogs without end" in booth.watch.spoiled.result()
