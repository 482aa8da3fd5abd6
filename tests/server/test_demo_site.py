"""The practice site over HTTP: what it does when it behaves, and what it does wrong on demand."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pyotp
import pytest

from server.practice.faults import Faults
from server.practice.site import create_demo_site, serve_demo_site
from server.practice.state import COOKIE, MEMBERS, DemoSite

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[tuple[DemoSite, str]]:
    site = DemoSite()
    async with serve_demo_site(site) as url:
        yield site, url


@pytest.fixture
def site(served: tuple[DemoSite, str]) -> DemoSite:
    served[0].faults = Faults()
    served[0].faults_of.clear()
    return served[0]


@pytest.fixture
async def stranger(served: tuple[DemoSite, str]) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served[1], follow_redirects=True) as client:
        yield client


@pytest.fixture
async def alice(site: DemoSite, stranger: httpx.AsyncClient) -> httpx.AsyncClient:
    stranger.cookies.set(COOKIE, site.log_in("alice"))
    return stranger


async def post(client: httpx.AsyncClient, text: str, **more: str) -> httpx.Response:
    return await client.post("/api/posts", json={"text": text, **more})


async def test_a_stranger_is_led_to_the_login_and_afterwards_to_where_they_wanted(stranger: httpx.AsyncClient) -> None:
    shown = await stranger.get("/posts/103?x=1")
    assert shown.url.path == "/login"
    assert "login-form" in shown.text
    led = await stranger.post(str(shown.url), data={"username": "Alice", "password": MEMBERS["alice"].password})
    assert led.url.raw_path == b"/posts/103?x=1"
    assert 'data-testid="account-name">@alice<' in led.text
    cookie = led.history[0].headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


@pytest.mark.parametrize(("name", "word"), [("alice", "wrong"), ("mira", "practice-mira"), ("nobody", "")])
async def test_a_wrong_name_or_password_is_refused(stranger: httpx.AsyncClient, name: str, word: str) -> None:
    refused = await stranger.post("/login", data={"username": name, "password": word})
    assert refused.status_code == 401
    assert "login-error" in refused.text
    assert COOKIE not in stranger.cookies


async def test_a_member_with_one_time_codes_needs_one(stranger: httpx.AsyncClient) -> None:
    carol = MEMBERS["carol"]
    assert carol.totp is not None
    asked = await stranger.post("/login?next=/compose", data={"username": "carol", "password": carol.password})
    assert asked.url.path == "/login/code"
    assert (await stranger.get("/compose")).url.path == "/login"
    refused = await stranger.post(str(asked.url), data={"code": "000000"})
    assert refused.status_code == 401
    led = await stranger.post(str(asked.url), data={"code": pyotp.TOTP(carol.totp).now()})
    assert led.url.path == "/compose"
    assert "@carol" in led.text


async def test_the_way_back_never_leads_to_another_site(stranger: httpx.AsyncClient) -> None:
    for elsewhere in ("https://example.com/", "//example.com/", "/\\example.com", "javascript:alert(1)"):
        data = {"username": "bob", "password": MEMBERS["bob"].password}
        led = await stranger.post("/login", params={"next": elsewhere}, data=data, follow_redirects=False)
        assert led.headers["location"] == "/"


async def test_a_post_is_answered_with_its_id_and_can_be_read_back_by_everybody(
    alice: httpx.AsyncClient, site: DemoSite, served: tuple[DemoSite, str]
) -> None:
    answer = await post(alice, "  Hello <b>World</b>  ")
    assert answer.status_code == 201
    found = answer.json()
    assert found["text"] == "Hello <b>World</b>"
    assert found["url"] == f"{served[1]}/posts/{found['id']}"
    assert site.counts["Hello <b>World</b>"] == 1
    assert "Hello &lt;b&gt;World&lt;/b&gt;" in (await alice.get(found["url"])).text
    async with httpx.AsyncClient(base_url=served[1]) as anybody:
        listed = (await anybody.get("/api/posts", params={"text": "Hello <b>World</b>"})).json()
        assert listed == {"posts": [found], "total": 1}
        assert (await anybody.get(f"/api/posts/{found['id']}")).json() == found
        assert (await anybody.get("/api/published")).json()["counts"]["Hello <b>World</b>"] == 1


async def test_a_post_needs_text_of_the_right_length_and_a_login(
    alice: httpx.AsyncClient, served: tuple[DemoSite, str]
) -> None:
    assert (await post(alice, "🦆" * 500)).status_code == 201
    for text in ("", "  \n ", "a" * 501):
        refused = await post(alice, text)
        assert (refused.status_code, refused.json()["error"]) == (422, "rejected")
    assert (await alice.post("/api/posts", content="{")).json()["error"] == "bad_request"
    async with httpx.AsyncClient(base_url=served[1]) as anybody:
        assert (await post(anybody, "from nobody")).json()["error"] == "logged_out"


async def test_likes_and_deletions_are_acts_of_their_own(alice: httpx.AsyncClient, site: DemoSite) -> None:
    mine = (await post(alice, "to be deleted")).json()["id"]
    assert (await alice.put(f"/api/posts/{mine}/like")).json()["likes"] == ["alice"]
    assert (await alice.put(f"/api/posts/{mine}/like")).json()["likes"] == ["alice"]
    assert (await alice.delete(f"/api/posts/{mine}/like")).json()["likes"] == []
    assert (await alice.delete(f"/api/posts/{mine}")).json() == {"id": mine, "deleted": True}
    assert (await alice.get(f"/posts/{mine}")).status_code == 404
    assert (await alice.put(f"/api/posts/{mine}/like")).json()["error"] == "not_found"
    assert (await alice.delete("/api/posts/103")).json()["error"] == "not_yours"
    assert [act.kind for act in site.acts[-4:]] == ["post", "like", "unlike", "delete"]
    assert site.counts["to be deleted"] == 1


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"rate_limited": 30}, 429, "rate_limited"),
    ({"logged_out": True}, 401, "logged_out"),
    ({"challenge": "acts"}, 403, "challenge"),
    ({"locked": True}, 403, "locked"),
]


@pytest.mark.parametrize(("faults", "status", "error"), REFUSED)
async def test_a_refusal_says_why_and_nothing_is_published(
    alice: httpx.AsyncClient, site: DemoSite, faults: dict[str, Any], status: int, error: str
) -> None:
    site.faults = Faults(**faults)
    refused = await post(alice, f"refused as {error}")
    assert (refused.status_code, refused.json()["error"]) == (status, error)
    assert refused.json()["message"]
    assert site.counts[f"refused as {error}"] == 0


async def test_a_rate_limit_says_how_long_to_wait(alice: httpx.AsyncClient, site: DemoSite) -> None:
    site.faults.rate_limited = 30
    refused = await post(alice, "too soon")
    assert refused.headers["retry-after"] == "30"
    assert refused.json()["retryAfter"] == 30


async def test_an_ended_session_stays_ended(alice: httpx.AsyncClient, site: DemoSite) -> None:
    site.faults = Faults(logged_out=True, times=1)
    await post(alice, "into the void")
    assert site.faults == Faults()
    assert (await alice.get("/")).url.path == "/login"


async def test_a_silent_failure_answers_200_without_an_id(alice: httpx.AsyncClient, site: DemoSite) -> None:
    site.faults.silent = True
    answer = await post(alice, "lost")
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert site.counts["lost"] == 0


async def test_a_hidden_post_is_published_but_nobody_sees_it(alice: httpx.AsyncClient, site: DemoSite) -> None:
    site.faults.hidden = True
    answer = await post(alice, "under review")
    assert answer.status_code == 201
    assert (await alice.get(answer.json()["url"])).status_code == 404
    assert (await alice.get("/api/posts", params={"text": "under review"})).json()["total"] == 0
    assert site.counts["under review"] == 1


async def test_a_repeated_text_is_refused_on_demand_and_a_repeated_draft_is_one_post(
    alice: httpx.AsyncClient, site: DemoSite
) -> None:
    first = await post(alice, "said once", draft="d1")
    assert (await post(alice, "said once", draft="d1")).json()["id"] == first.json()["id"]
    assert site.counts["said once"] == 1
    site.faults.duplicates_refused = True
    assert (await post(alice, "said once", draft="d1")).json()["id"] == first.json()["id"]
    refused = await post(alice, "said once", draft="d2")
    assert (refused.status_code, refused.json()["error"]) == (409, "duplicate")


@pytest.mark.parametrize(("when", "count"), [("before", 0), ("after", 1)])
async def test_a_cut_connection_leaves_no_answer(
    alice: httpx.AsyncClient, site: DemoSite, when: str, count: int
) -> None:
    site.faults = Faults.model_validate({"cut": when})
    with pytest.raises(httpx.TransportError):
        await post(alice, f"cut {when}")
    assert site.counts[f"cut {when}"] == count


async def test_slow_pages_and_slow_answers_take_their_time(alice: httpx.AsyncClient, site: DemoSite) -> None:
    site.faults = Faults(slow=0.15, slow_answer=0.1)
    began = time.monotonic()
    await alice.get("/compose")
    assert time.monotonic() - began >= 0.15
    began = time.monotonic()
    await post(alice, "at last")
    assert time.monotonic() - began >= 0.25


async def test_a_challenge_stands_before_every_page_until_a_person_answers(
    alice: httpx.AsyncClient, site: DemoSite
) -> None:
    site.faults.challenge = "pages"
    asked = await alice.get("/compose")
    assert asked.url.path == "/challenge"
    assert 'data-testid="challenge"' in asked.text
    assert (await alice.post(str(asked.url))).url.path == "/compose"
    assert (await post(alice, "by a person")).status_code == 201


async def test_the_wrong_account_is_shown_and_acts(alice: httpx.AsyncClient, site: DemoSite) -> None:
    site.faults.wrong_account = "bob"
    assert 'data-testid="account-name">@bob<' in (await alice.get("/")).text
    assert (await post(alice, "who am I")).json()["author"] == "bob"


async def test_faults_of_a_session_go_before_those_of_a_member_and_of_the_site(
    alice: httpx.AsyncClient, site: DemoSite
) -> None:
    for scope, wait in (("site", 1), ("alice", 2), ("session", 3)):
        wish = {"scope": scope, "rate_limited": wait}
        assert (await alice.put("/api/faults", json=wish)).status_code == 200
        assert (await post(alice, "no")).json()["retryAfter"] == wait
    assert (await alice.get("/api/faults")).json()["members"]["alice"]["rate_limited"] == 2
    for wrong in ({"scope": "nobody"}, {"slow": -1}, {"slwo": 1}, {"cut": "sideways"}):
        assert (await alice.put("/api/faults", json=wrong)).status_code == 422
    assert (await alice.delete("/api/faults")).json() == {"site": Faults().model_dump(), "members": {}}
    assert (await post(alice, "yes")).status_code == 201


async def test_faults_end_after_so_many_acts(alice: httpx.AsyncClient, site: DemoSite) -> None:
    site.faults = Faults(rate_limited=1, times=2)
    assert [(await post(alice, f"try {n}")).status_code for n in range(3)] == [429, 429, 201]


async def test_an_act_that_another_sites_page_starts_is_refused(alice: httpx.AsyncClient, site: DemoSite) -> None:
    foreign = await alice.post("/api/posts", json={"text": "forged"}, headers={"Origin": "https://example.com"})
    assert foreign.status_code == 403
    assert site.counts["forged"] == 0


async def test_no_page_asks_for_anything_from_another_host(alice: httpx.AsyncClient) -> None:
    for path in ("/", "/compose", "/posts/104", "/login", "/faults", "/workshop", "/workshop/form", "/no/such/page"):
        answer = await alice.get(path)
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        assert "https://" not in answer.text


async def test_a_stored_login_is_the_browsers_own_shape(site: DemoSite, served: tuple[DemoSite, str]) -> None:
    state = site.storage_state("bob", served[1])
    cookie = state["cookies"][0]
    assert cookie["domain"] == urlsplit(served[1]).hostname
    async with httpx.AsyncClient(base_url=served[1], cookies={cookie["name"]: cookie["value"]}) as client:
        assert "@bob" in (await client.get("/")).text
        site.log_everybody_out()
        assert (await client.get("/")).status_code == 302


async def test_a_taken_port_is_said_at_once(served: tuple[DemoSite, str]) -> None:
    with pytest.raises(OSError, match="in use"):
        async with serve_demo_site(port=urlsplit(served[1]).port or 0):
            pass


async def test_the_application_can_be_hosted_by_any_server() -> None:
    site = DemoSite(faults=Faults(cut="after"), seeded=False)
    transport = httpx.ASGITransport(create_demo_site(site))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://practice", cookies={COOKIE: site.log_in("bob")}
    ) as bob:
        assert (await post(bob, "cannot be cut here")).json()["error"] == "cut"
    assert [(act.author, act.text) for act in site.published] == [("bob", "cannot be cut here")]


HOST = """
import asyncio, pathlib, sys
from server.practice.faults import Faults
from server.practice.site import serve_demo_site
from server.practice.state import DemoSite

async def main():
    site = DemoSite(journal=pathlib.Path(sys.argv[1]), faults=Faults(slow_answer=60))
    async with serve_demo_site(site) as url:
        print(url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_what_was_published_outlives_a_killed_process(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    with_login = DemoSite(journal=journal)
    token = with_login.log_in("alice")
    with_login.close()
    host = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOST, str(journal), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert host.stdout is not None
    url = (await host.stdout.readline()).decode().strip()
    async with httpx.AsyncClient(base_url=url, cookies={COOKIE: token}, timeout=20) as client:
        hanging = asyncio.create_task(post(client, "the last words"))
        async with httpx.AsyncClient(base_url=url) as anybody:
            while not (await anybody.get("/api/published")).json()["counts"]:
                pass
        os.kill(host.pid, signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            await hanging
    await host.wait()
    with journal.open("ab") as file:
        file.write(b'{"kind": "post", "author": "alice", "te')
    again = DemoSite(journal=journal)
    assert again.counts == {"the last words": 1}
    assert again.session(token) is not None
    again.publish("alice", "and one more")
    again.close()
    assert DemoSite(journal=journal).counts == {"the last words": 1, "and one more": 1}
    assert journal.stat().st_mode & 0o777 == 0o600
    assert token not in journal.read_text()
