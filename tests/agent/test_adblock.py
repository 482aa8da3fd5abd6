"""Hosts of advertisers and trackers are blocked for tasks that want it, and for nobody who asks for them by name."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from starlette.responses import HTMLResponse

from agent.adblock import ad_hosts
from agent.domains import Wall
from agent.engine import Assignment, Options
from agent.lite.engine import LiteEngine
from agent.origins import Origins
from agent.wall import Gate
from tests.agent.conftest import Notebook, canary, served
from tools.catalog import catalog
from tools.playbook import Expect, Goto, Stage
from tools.site import Signs, Site
from tools.tool import Parameters, Result, Tool

pytestmark = pytest.mark.anyio

BOARD = Site(
    id="board",
    name="Board",
    home="https://board.example",
    hosts=("board.example", "localhost"),
    login_url="https://board.example/login",
    logged_in=Signs(),
)


def test_the_built_in_list_holds_names_alone_and_no_platforms_own_host() -> None:
    names = ad_hosts()
    assert {"doubleclick.net", "google-analytics.com", "hm.baidu.com"} <= names
    assert all(name == name.strip().lower() and "/" not in name and "." in name for name in names)
    wall = Wall(("*",), ads=names)
    homes = [site.home.partition("://")[2] for site in catalog().sites.values()]
    visited = [
        "www.google.com",
        "www.bing.com",
        "www.amazon.com",
        "news.yahoo.com",
        "cdn.jsdelivr.net",
        "www.linkedin.com",
    ]
    assert [host for host in (*homes, *visited) if wall.hides(host, 443)] == []


def test_a_file_adds_to_the_list_in_either_form(tmp_path: Path) -> None:
    own = tmp_path / "hosts"
    own.write_text(
        "# mine\n0.0.0.0 Ads.Example.com  # comment\n::1 tracker.example.net more.example.net\nplain.example.org\n"
    )
    added = ad_hosts(own) - ad_hosts()
    assert added == {"ads.example.com", "tracker.example.net", "more.example.net", "plain.example.org"}
    with pytest.raises(FileNotFoundError):
        ad_hosts(tmp_path / "missing")


def test_a_name_hides_all_below_it_unless_the_task_names_it() -> None:
    wall = Wall(
        ("*",), ads=frozenset({"ads.example"}), named=("*", "*.wanted.ads.example"), opened=("ads.example:8080",)
    )
    assert wall.hides("ads.example", 443)
    assert wall.hides("a.b.ads.example", 443)
    assert not wall.hides("bads.example", 443)
    assert not wall.hides("example", 443)
    assert not wall.hides("x.wanted.ads.example", 443)
    assert not wall.hides("ads.example", 8080)


async def test_the_gate_refuses_them_before_anything_leaves_and_says_why() -> None:
    async with (
        canary() as heard,
        Gate.open(Wall(("*",), private=True, ads=frozenset({"localhost"}))) as gate,
        httpx.AsyncClient(proxy=gate.url, trust_env=False) as client,
    ):
        answer = await client.get(f"http://localhost:{heard.port}/pixel")
        assert (answer.status_code, "advertisements or trackers" in answer.text) == (403, True)
        assert (heard.heard, gate.blocked, gate.ads) == ([], [], ["localhost"])
        assert (await client.get(f"http://127.0.0.1:{heard.port}/pixel")).status_code == 204


class Look(Parameters):
    """Nothing to say."""


@pytest.mark.parametrize("block", [True, False])
async def test_a_lite_task_loads_no_advertisement_unless_it_may(
    chromium_path: Path, tmp_path: Path, *, block: bool
) -> None:
    look = Tool(
        name="board.look",
        summary="Looks at the board.",
        parameters=Look,
        result=Result,
        goal=lambda _: "Look at the board",
        effect="read",
        example=Look(),
        playbook=lambda _: (Stage("Open the board", (Goto("/"), Expect("img[alt=decided]"))),),
    )
    async with canary() as heard:
        pixel = f"http://localhost:{heard.port}/pixel"
        page = HTMLResponse(
            f"<h1>Board</h1><img width=9 height=9 src={pixel} onload=alt='decided' onerror=alt='decided'>"
        )
        async with served(page) as origin:
            engine = LiteEngine(
                chromium_path,
                tmp_path / "run",
                Origins({BOARD.home: origin}),
                private_network=True,
                ads=frozenset({"localhost"}),
                ahead=False,
            )
            assignment = Assignment("task_1", look, BOARD, Look(), Options(use_adblock=block), tmp_path)
            await engine.carry_out(assignment, Notebook())
            await engine.close()
        assert bool(heard.heard) is not block
