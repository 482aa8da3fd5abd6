"""Each move takes effect on real pages and checks that it did, or fails with the code that fits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest
from playwright.async_api import Browser, Page, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from agent.chromium import Chromium
from agent.lite.answers import Ear, Refused
from agent.lite.finder import Finder
from agent.lite.player import Player
from agent.lite.pool import Session
from agent.lite.signs import Lookout
from agent.lite.watch import Detour, Patience, Watch
from agent.origins import Origins
from tests.agent.conftest import served
from tests.agent.harm import harmful
from tools.errors import (
    AccountSuspended,
    BrowserFailed,
    ContentRejected,
    DuplicateContent,
    InvalidParameters,
    PageChanged,
    PlatformError,
    RateLimited,
    Unreachable,
    WrongPage,
)
from tools.playbook import (
    Answer,
    Choose,
    Click,
    Expect,
    Fill,
    Goto,
    Listen,
    Move,
    Press,
    Read,
    Reading,
    Refusal,
    Upload,
    Wait,
)
from tools.site import Signs, Site, Who

pytestmark = pytest.mark.anyio

SITE = Site(
    id="local",
    name="Local site",
    home="https://local.example",
    hosts=("local.example",),
    login_url="https://local.example/login",
    logged_in=Signs(selectors=("#me",)),
    logged_out=Signs(urls=(r"^https://local\.example/login",)),
    challenge=Signs(selectors=("#captcha", "role=dialog[name='Are you a robot?']")),
    suspended=Signs(selectors=("text=Your account is locked",)),
    rate=Signs(statuses=(429,)),
    who=Who(selector="#me", pattern=r"@(\w+)"),
)
QUICK = Patience(navigation=10, element=1.5, act=2, glance=0.2, identity=1)

# Keeps its own idea of the text, fed by beforeinput alone, and renders it anew: as Draft.js does.
DRAFT = """<div id=box contenteditable style="min-height:4em;border:1px solid"><div data-block><br></div></div>
<button id=send aria-disabled=true>Send</button>
<script>
const box = document.getElementById("box"), send = document.getElementById("send");
let text = "", focused = false;
const shown = () => [...box.children].map((block) => block.textContent).join("\\n");
const render = () => {
  box.innerHTML = text.split("\\n").map((line) => `<div data-block>${line || "<br>"}</div>`).join("");
  send.setAttribute("aria-disabled", String(!text));
  getSelection().selectAllChildren(box);
  getSelection().collapseToEnd();
};
box.addEventListener("mousedown", () => { focused = true; });
box.addEventListener("beforeinput", (event) => {
  event.preventDefault();
  if (!focused) return;
  const replaces = !getSelection().isCollapsed;
  if (event.inputType === "insertText") text = (replaces ? "" : text) + event.data.replace(/\\n/g, "");
  else if (event.inputType === "insertLineBreak" || event.inputType === "insertParagraph") text += "\\n";
  else if (event.inputType.startsWith("delete")) text = "";
  render();
});
new MutationObserver(() => { if (shown() !== text) render(); }).observe(box, { childList: true, subtree: true, characterData: true });
</script>"""

PAGES = {
    "/form": """<input id=one value=old><textarea id=two>old</textarea><input type=file id=files multiple hidden>
      <select id=kind><option value=a>Apple</option><option value=b>Pear</option></select><h1>Form</h1>
      <button id=go onclick="document.title='gone'">Go</button><input id=fixed readonly value=fixed>
      <input id=enter onkeydown="if(event.key==='Enter')document.title='entered'">""",
    "/draft": DRAFT,
    "/plain": "<div id=box contenteditable style='min-height:4em'><p>what was there</p></div>",
    "/framed": """<iframe id=editor srcdoc="<body contenteditable style='min-height:4em'><p>old</p></body>"></iframe>""",
    "/late": """<p id=soon-gone>x</p><script>setTimeout(() => { document.getElementById('soon-gone').remove();
      document.body.insertAdjacentHTML('beforeend', '<p id=late>now</p>'); }, 600)</script>""",
    "/twice": """<div hidden><button class=it>hidden</button></div>
      <div id=dialog><button class=it onclick="document.title='second'">shown</button></div>
      <p class=value data-id=77>Number 4711 of ten</p><meta name=secret content=meta><p id=long>a  b&nbsp;c<br>d</p>""",
    "/scopes": "<form><input class=field></form><form id=own><input class=field></form>",
    "/covered": """<button id=under onclick="document.title='clicked'">x</button>
      <div id=captcha style='position:fixed;inset:0;background:#fff'>?</div>""",
    "/robot": "<div role=dialog aria-label='Are you a robot?'>?</div>",
    "/locked": "<p>Your account is locked for now.</p>",
    "/me": "<p id=me>@Ada</p>",
    "/login": "<p>log in</p>",
    "/freeze": "<button id=b onclick='for(;;);'>x</button>",
    "/endless-script": "<script>for (;;);</script><p id=after>x</p>",
    "/endless-handler": "<button id=b onclick='document.title = 1; for (;;);'>x</button><p id=after>x</p>",
    "/endless-frame": "<iframe srcdoc='<script>for (;;);</script>'></iframe><p id=after>x</p>",
    "/endless-promise": "<script>(function again() { Promise.resolve().then(again) })()</script><p id=after>x</p>",
    "/endless-worker": "<script>new Worker(URL.createObjectURL(new Blob(['for (;;);'])))</script><p id=after>x</p>",
    "/ask": """<button id=post onclick="fetch('/api?' + location.search.slice(1), {method: 'POST'})">x</button>""",
}


LARGE = ("hundred-thousand-nodes", "talkative-console")


async def page_of(request: Request) -> Response:
    return HTMLResponse(f"<!doctype html><title>t</title>{PAGES[request.url.path]}")


async def api(request: Request) -> Response:
    """Answers what the query wishes: `status`, and one of the bodies below."""
    body = {
        "made": {"data": {"post": {"id": 4711, "tags": ["x"]}}},
        "nested": {"errors": [{"code": 187, "message": "Again\u202e?\n<b>" + "y" * 900}]},
        "mixed": {"errors": [{"code": 187}], "data": {"post": {"id": "9"}}},
        "slowly": {"wait": "请60秒后再试", "error": "slow"},
        "empty": {},
    }[request.query_params["body"]]
    return JSONResponse(body, int(request.query_params.get("status", "200")), {"Retry-After": "42"})


async def to_login(_: Request) -> Response:
    return RedirectResponse("/login")


async def broken(request: Request) -> Response:
    return HTMLResponse("<p>broken</p>", int(request.path_params["status"]), {"Retry-After": "33"})


async def file(_: Request) -> Response:
    return Response(b"x", headers={"Content-Disposition": "attachment; filename=x.bin"})


APP = Starlette(
    routes=[
        *(Route(path, page_of) for path in PAGES),
        Route("/api", api, methods=["POST"]),
        Route("/to-login", to_login),
        Route("/status/{status}", broken),
        Route("/download", file),
    ]
)


@dataclass
class Stand:
    """A page of the local site, and how to play on it."""

    page: Page
    session: Session
    origins: Origins
    published: list[str]
    mischief: str = ""
    """A script that the page runs once the publishing act is settled, before it goes out."""

    def player(self, site: Site = SITE, *, files: list[Path] | None = None) -> Player:
        lookout = Lookout(self.page, site, self.origins)
        watch = Watch(self.page, site, lookout, patience=QUICK, session=self.session)

        async def publish() -> None:
            self.published.append(await self.page.title())
            if self.mischief:
                await self.page.evaluate(self.mischief)

        return Player(
            Finder(watch, self.origins, {}, None),
            Ear(self.page.context, self.origins),
            files=files or [],
            publish=publish,
        )

    async def play(self, *moves: Move) -> Player:
        player = self.player()
        for move in moves:
            await player.play(move)
        return player


@pytest.fixture(scope="module")
async def shared(chromium_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[Browser, str]]:
    async with async_playwright() as driver, served(APP) as origin:
        chromium = await Chromium.launch(chromium_path, tmp_path_factory.mktemp("run"))
        yield await driver.chromium.connect_over_cdp(chromium.cdp_url), origin
        await chromium.close(grace=0)


@pytest.fixture
async def stand(shared: tuple[Browser, str]) -> AsyncGenerator[Stand]:
    browser, origin = shared
    context = await browser.new_context()
    page = await context.new_page()
    session = cast("Session", await context.new_cdp_session(page))
    yield Stand(page, session, Origins({SITE.home: origin}), [])
    await context.close()


# -- filling


@pytest.mark.parametrize("selector", ["#one", "#two"])
async def test_a_field_takes_the_text_in_place_of_what_it_held(stand: Stand, selector: str) -> None:
    await stand.play(Goto("/form"), Fill(selector, "new “text” 雪球 🚣"))
    assert await stand.page.locator(selector).input_value() == "new “text” 雪球 🚣"


async def test_a_field_that_cannot_be_filled_is_a_changed_page(stand: Stand) -> None:
    with pytest.raises(PageChanged, match="did not take the fill on #fixed") as caught:
        await stand.play(Goto("/form"), replace(Fill("#fixed", "my secret words"), selector="#fixed"))
    assert "my secret words" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["one line", "two\nlines", "a 雪球 🚣\n\nb", " "])
@pytest.mark.parametrize("path", ["/draft", "/plain"])
async def test_an_editor_takes_the_text_by_real_input(stand: Stand, path: str, text: str) -> None:
    await stand.play(Goto(path), Fill("#box", "something before"), Fill("#box", text))
    shown = (await stand.page.locator("#box").inner_text()).replace("\u00a0", " ")
    assert shown.split() == text.split()
    if path == "/draft":
        ready = await stand.page.locator("#send").get_attribute("aria-disabled")
        assert ready == "false"


async def test_an_editor_in_a_frame_takes_the_text(stand: Stand) -> None:
    await stand.play(Goto("/framed"), Fill("body", "Inside\nthe frame", frame="#editor"))
    text = await stand.page.frame_locator("#editor").locator("body").inner_text()
    assert text.split() == ["Inside", "the", "frame"]


# -- finding


async def test_what_is_hidden_is_passed_over_and_the_first_candidate_wins(stand: Stand) -> None:
    player = await stand.play(Goto("/twice"), Click((".nothing", "#dialog .it", ".it")))
    assert await stand.page.title() == "second"
    found = await player.at.find((".it", "#dialog"))
    assert await found.inner_text() == "shown"
    await stand.play(Click(".it", within="#dialog"))


async def test_what_comes_late_is_waited_for_and_what_goes_too(stand: Stand) -> None:
    await stand.play(Goto("/late"), Wait(("#never", "#late"), seconds=5), Wait("#soon-gone", gone=True, seconds=5))


async def test_what_does_not_come_is_named(stand: Stand) -> None:
    with pytest.raises(PageChanged, match=r"/late has no #never or \.ever$") as caught:
        await stand.play(Goto("/late?token=s3cret"), Wait(("#never", ".ever"), seconds=0.3))
    assert caught.value.details["selectors"] == ["#never", ".ever"]
    assert "s3cret" not in repr(caught.value.as_error())
    with pytest.raises(PageChanged, match="#me stayed"):
        await stand.play(Goto("/me"), Wait("#me", gone=True, seconds=0.3))


async def test_a_site_that_led_elsewhere_is_named(stand: Stand) -> None:
    with pytest.raises(WrongPage, match=r"led to \S+/login instead of \S+/to-login"):
        await stand.play(Goto("/to-login"), Wait("#composer", seconds=0.3))


async def test_readings_stand_in_texts_urls_and_selectors(stand: Stand) -> None:
    player = await stand.play(
        Goto("/twice"),
        Read("id", ".value", attribute="data-id"),
        Read("number", ".value", pattern=r"Number (\d+)"),
        Read("meta", "meta[name=secret]", attribute="content"),
        Read("long", "#long"),
        Read("none", ".absent", optional=True, seconds=0.2),
        Read("unfit", ".value", pattern="never", optional=True, seconds=0.2),
        Wait("[data-id='{id}']"),
        Goto("/form?{id}"),
        Fill("#one", Reading("number", before="<", after=">")),
        Read("filled", "#one", attribute="value"),
    )
    assert player.at.readings == {
        "id": "77",
        "number": "4711",
        "meta": "meta",
        "long": "a b\u00a0c\nd",
        "filled": "<4711>",
    }
    assert stand.page.url.endswith("/form?77")


@pytest.mark.parametrize("move", [Goto("/{unknown}"), Goto(Reading("unknown")), Fill("#one", Reading("unknown"))])
async def test_a_text_that_was_never_read_is_a_changed_page(stand: Stand, move: Move) -> None:
    with pytest.raises(PageChanged, match="needs 'unknown'"):
        await stand.play(Goto("/form"), move)


async def test_a_reading_cannot_change_what_a_selector_means(stand: Stand) -> None:
    player = await stand.play(Goto("/twice"))
    player.at.readings["id"] = "'],body,[x='"
    with pytest.raises(PageChanged):
        await player.play(Wait("[data-id='{id}']"))


# -- acting


async def test_keys_options_and_files(stand: Stand, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"png")
    player = stand.player(files=[picture])
    for move in (Goto("/form"), Press("Enter", "#enter"), Choose("#kind", "Pear"), Upload("#files", ("picture.png",))):
        await player.play(move)
    assert await stand.page.title() == "entered"
    assert await stand.page.locator("#kind").input_value() == "b"
    assert await stand.page.locator("#files").evaluate("one => [...one.files].map((file) => file.name)") == [
        "picture.png"
    ]
    with pytest.raises(InvalidParameters, match=r"no file called '/etc/passwd'"):
        await player.play(Upload("#files", ("/etc/passwd",)))
    with pytest.raises(PageChanged, match="did not take the choose"):
        await stand.play(Choose("#kind", "Plum"))


async def test_a_publishing_click_is_settled_before_it_goes_out(stand: Stand) -> None:
    await stand.play(Goto("/form"), Click("#go", publishes=True))
    assert stand.published == ["t"]
    assert await stand.page.title() == "gone"
    with pytest.raises(PageChanged):
        await stand.play(Click("#gone", publishes=True))
    await stand.play(Goto("/draft"))
    with pytest.raises(PageChanged):
        await stand.play(Click("#send", publishes=True))  # aria-disabled
    await stand.play(Goto("/form"), Press("Enter", "#enter", publishes=True))
    assert stand.published == ["t", "t"]


AT_THE_LAST_MOMENT = {
    "one.value = ''": "did not keep the text",
    "one.remove()": "did not keep the text",
    "go.remove()": "has no #go",
    "go.after(go.cloneNode(true))": "2 elements",
    "go.disabled = true": "nobody can click #go",
    "document.body.insertAdjacentHTML('beforeend', '<p style=position:fixed;inset:0>?</p>')": "nobody can click #go",
}


@pytest.mark.parametrize("mischief", AT_THE_LAST_MOMENT)
async def test_what_changes_after_the_act_was_armed_ends_it_before_the_click(mischief: str, stand: Stand) -> None:
    stand.mischief = mischief
    player = await stand.play(Goto("/form"), Fill("#one", "new"))
    with pytest.raises(PageChanged, match=AT_THE_LAST_MOMENT[mischief]):
        await player.play(Click("#go", publishes=True))
    assert stand.published == ["t"]
    assert not player.at.watch.acted
    assert await stand.page.title() == "t"


async def test_a_text_that_the_page_has_lost_is_filled_in_again_before_it_is_sent(stand: Stand) -> None:
    player = await stand.play(Goto("/form"), Fill("#one", "new"))
    await stand.page.evaluate("one.outerHTML = '<input id=one>'")
    await player.play(Click("#go", publishes=True))
    assert await stand.page.input_value("#one") == "new"
    assert await stand.page.title() == "gone"


async def test_a_field_that_a_click_led_away_from_need_not_be_there_any_more(stand: Stand) -> None:
    player = await stand.play(Goto("/form"), Fill("#one", "new"), Click("h1"))
    await stand.page.evaluate("one.remove()")
    await player.play(Click("#go", publishes=True))
    assert await stand.page.title() == "gone"


async def test_of_several_places_to_look_in_the_first_candidate_wins(stand: Stand) -> None:
    await stand.play(Goto("/scopes"), Fill(".field", "here", within=("#own", "form")))
    assert await stand.page.input_value("#own .field") == "here"


# -- expecting


async def test_what_must_be_true_is_checked_with_white_space_folded(stand: Stand) -> None:
    await stand.play(
        Goto("/twice"),
        Expect("#long", text="a b c d", seconds=0),
        Expect(text="Number 4711", seconds=0),
        Expect(url=r"^https://local\.example/twice$", seconds=0),
        Expect("#long", url="twice"),
    )
    with pytest.raises(ContentRejected, match="Not what was typed"):
        await stand.play(
            Expect("#long", text="other", seconds=0, failure="CONTENT_REJECTED", message="Not what was typed")
        )
    with pytest.raises(PageChanged, match="does not show the expected page"):
        await stand.play(Expect(url="elsewhere", seconds=0.2))
    with pytest.raises(PageChanged, match="does not show #never"):
        await stand.play(Expect("#never", seconds=0))


# -- signs


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/covered", Detour),
        ("/robot", Detour),
        ("/locked", AccountSuspended),
        ("/status/429", RateLimited),
        ("/status/503", Unreachable),
        ("/download", WrongPage),
    ],
)
async def test_a_page_is_searched_for_signs_when_it_opens(stand: Stand, path: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        await stand.play(Goto(path))
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after == 33


async def test_a_page_that_is_not_there_is_left_to_the_playbook(stand: Stand) -> None:
    await stand.play(Goto("/status/404"), Expect(text="broken"))


async def test_a_challenge_that_comes_while_waiting_is_noticed_soon(stand: Stand) -> None:
    await stand.play(Goto("/form"))
    await stand.page.evaluate("setTimeout(() => document.body.innerHTML = '<p id=captcha>?</p>', 300)")
    began = asyncio.get_running_loop().time()
    with pytest.raises(Detour):
        await stand.play(Wait("#never", seconds=30))
    assert asyncio.get_running_loop().time() - began < 10


async def test_selectors_that_are_no_css_and_cookies_are_signs_too(stand: Stand) -> None:
    cookie = replace(SITE, logged_in=Signs(cookies=("in=1",)), who=Who(cookie="name"))
    await stand.play(Goto("/form"))
    lookout = Lookout(stand.page, cookie, stand.origins)
    assert "logged_in" not in await lookout.look()
    url = stand.page.url
    await stand.page.context.add_cookies(
        [{"name": "in", "value": "1", "url": url}, {"name": "name", "value": "%C3%84da", "url": url}]
    )
    sight = await lookout.look()
    assert "logged_in" in sight
    assert sight.who == "Äda"
    odd = replace(SITE, who=Who(selector="h1 >> text=Form"), logged_in=Signs(selectors=("h1:has-text('Form')",)))
    sight = await Lookout(stand.page, odd, stand.origins).look()
    assert (sight.who, "logged_in" in sight) == ("Form", True)


async def test_who_is_logged_in_is_read_off_the_page(stand: Stand) -> None:
    await stand.play(Goto("/me"))
    assert (await Lookout(stand.page, SITE, stand.origins).look()).who == "Ada"


# -- answers


async def heard(stand: Stand, query: str, **answer: object) -> Player:
    wanted = Answer("made", **({"seconds": 5} | answer))  # pyright: ignore[reportArgumentType]  # fields of Answer
    return await stand.play(Goto(f"/ask?{query}"), Listen("made", r"/api\?"), Click("#post"), wanted)


async def test_an_answer_gives_its_readings(stand: Stand) -> None:
    player = await heard(stand, "body=made", readings={"id": ("data.other", "data.post.id"), "tag": "data.post.tags.0"})
    assert player.at.readings == {"id": "4711", "tag": "x"}


async def test_an_answer_that_lacks_a_reading_fails_unless_it_is_optional(stand: Stand) -> None:
    with pytest.raises(PlatformError, match="does not say 'id'"):
        await heard(stand, "body=empty", readings={"id": "data.id"})
    assert (await heard(stand, "body=empty", readings={"id": "data.id"}, optional=True)).at.readings == {}


REFUSALS = (
    Refusal("errors.0.code", "DUPLICATE_CONTENT", (187,), message="errors.0.message", unless="data.post.id"),
    Refusal("wait", "RATE_LIMITED", retry_after="wait", message="=Slow down"),
    Refusal("", "RATE_LIMITED", statuses=(420,), retry_after="@Retry-After"),
)


async def test_a_refusal_says_what_the_site_said_but_not_more(stand: Stand) -> None:
    with pytest.raises(Refused) as caught:
        await heard(stand, "body=nested", refusals=REFUSALS)
    assert isinstance(caught.value.failure, DuplicateContent)
    message = caught.value.failure.message
    assert message.startswith("The site answered: Again? <b>yyy")
    assert len(message) < 350
    assert "\u202e" not in message


async def test_a_refusal_beside_what_was_made_is_none(stand: Stand) -> None:
    player = await heard(stand, "body=mixed", refusals=REFUSALS, readings={"id": "data.post.id"})
    assert player.at.readings == {"id": "9"}


@pytest.mark.parametrize(
    ("query", "wait"), [("body=slowly", 60), ("body=empty&status=420", 42), ("body=empty&status=429", 42)]
)
async def test_a_refusal_says_how_long_to_wait(stand: Stand, query: str, wait: int) -> None:
    with pytest.raises(Refused) as caught:
        await heard(stand, query, refusals=REFUSALS)
    assert isinstance(caught.value.failure, RateLimited)
    assert caught.value.failure.retry_after == wait


@pytest.mark.parametrize(("status", "kind"), [(400, Refused), (403, Refused), (500, PlatformError)])
async def test_a_status_that_cannot_mean_yes_is_a_no(stand: Stand, status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await heard(stand, f"body=empty&status={status}")


async def test_a_request_that_fails_is_noticed_at_once(stand: Stand) -> None:
    await stand.page.context.route("**/api?*", lambda route: route.abort())
    began = asyncio.get_running_loop().time()
    with pytest.raises(PlatformError, match="did not answer"):
        await heard(stand, "body=made", seconds=30)
    assert asyncio.get_running_loop().time() - began < 10


# -- when the browser fails


async def test_a_frozen_page_is_the_browsers_failure(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.lite.signs.LOOK_SECONDS", 0.5)
    with pytest.raises(BrowserFailed, match="froze"):
        await stand.play(Goto("/freeze"), Click("#b"), Wait("#never", seconds=1))


async def test_a_tab_that_was_closed_is_no_page_any_more(stand: Stand) -> None:
    await stand.page.close()
    with pytest.raises(WrongPage, match="closed"):
        await stand.play(Goto("/form"))


@pytest.mark.parametrize("path", [path for path in PAGES if path.startswith("/endless")])
async def test_a_script_that_never_ends_is_stopped_and_the_page_lives_on(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("agent.pulse.PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr("agent.lite.pulse.EVERY_SECONDS", 0.2)
    player = stand.player()
    await player.play(Goto(path))
    if path == "/endless-handler":
        await stand.page.evaluate("setTimeout(() => b.click())")
    await player.play(Wait("#after", seconds=30))
    assert await stand.page.evaluate("document.readyState") == "complete"


@pytest.mark.timeout(300)
async def test_pages_that_wear_others_out_are_played_on_or_said(stand: Stand) -> None:
    """Whichever: a slow machine gives some of them up. Nothing hangs, and the browser goes on."""
    async with served(harmful()) as origin:
        harmed = replace(stand, origins=Origins({SITE.home: origin}))
        for name in ("push-state", "printing", "long-title", "long-address", "many-sockets", "file-chooser", *LARGE):
            with suppress(Unreachable, BrowserFailed):
                await harmed.play(Goto(f"/script/{name}"), Wait("h1"))
        for path, kinds in (
            ("/in-circles", Unreachable),
            ("/attachment", (Unreachable, WrongPage)),
            ("/endless", Unreachable),
            ("/script/deep-shadows", (BrowserFailed, Unreachable)),  # it crashes
        ):
            with pytest.raises(kinds):
                await harmed.play(Goto(path), Wait("h1"))
    assert await (await stand.page.context.new_page()).evaluate("1 + 1") == 2


def test_origins_replace_and_document_what_they_stand_for() -> None:
    origins = Origins(
        {"https://Local.Example/": "http://127.0.0.1:8801", "https://other.example:8443": "http://[::1]:9"}
    )
    assert origins.resolve("/a?b=1#c", SITE) == "http://127.0.0.1:8801/a?b=1#c"
    assert origins.resolve("//evil.example/x", SITE) == "http://127.0.0.1:8801/evil.example/x"
    assert origins.resolve("https://local.example:443/x", SITE) == "http://127.0.0.1:8801/x"
    assert origins.resolve("https://unknown.example/x", SITE) == "https://unknown.example/x"
    assert origins.document("http://127.0.0.1:8801/x?y#z") == "https://local.example/x?y#z"
    assert origins.document("http://127.0.0.1:8802/x") == "http://127.0.0.1:8802/x"
    assert origins.opened() == ("127.0.0.1:8801", "[::1]:9")
    assert origins.opened(SITE.hosts) == ("127.0.0.1:8801",)
    assert origins.document("about:blank") == "about:blank"
    assert re.fullmatch(r"http://\[::1\]:9/x", origins.resolve("https://other.example:8443/x", SITE))
