"""Pages that freeze, close and wear others out end as what they are, or are played on."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace

import pytest

from agent.origins import Origins
from tests.agent.conftest import served
from tests.agent.harm import harmful
from tests.agent.player.stand import LARGE, PAGES, SITE, Stand
from tools.errors import (
    BrowserFailed,
    Unreachable,
    WrongPage,
)
from tools.playbook import (
    Click,
    Goto,
    Wait,
)

pytestmark = pytest.mark.anyio


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
