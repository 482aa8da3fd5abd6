"""Pages to play on, with whatever a real one may do, and a player that stands on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from agent.lite.answers import Ear
from agent.lite.finder import Finder
from agent.lite.player import Player
from agent.lite.pool import Session
from agent.lite.signs import Lookout
from agent.lite.watch import Patience, Watch
from agent.origins import Origins
from tools.playbook import (
    Move,
)
from tools.site import Signs, Site, Who

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
