"""Search through a configured page: what is found, how deep, and what is never read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from server.reading import MAX_BYTES, Link, page_of
from server.search import best_link, relevant, results
from tests.agent.conftest import served
from tests.server.cloud.stage import Stage, staged

pytestmark = pytest.mark.anyio
QUERY = "price of blue ducks"


def answering(answer: Response) -> Callable[[Request], Response]:
    """A page that is always the same."""
    return lambda _request: answer


class Web:
    """A small web on loopback: a search page, a shop with pages, and sites that misbehave."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.shops: list[str] = []
        self.origin = ""

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/search", self.search),
                Route("/search.json", self.search_json),
                Route("/", self.shop),
                Route("/ducks", self.ducks),
                Route("/ducks/blue", self.blue),
                Route("/picture", answering(Response(b"\x89PNG", media_type="image/png"))),
                Route("/endless", answering(PlainTextResponse("x " * MAX_BYTES))),
                Route("/broken", answering(PlainTextResponse("no", 503))),
                Route("/away", answering(RedirectResponse("/ducks"))),
            ]
        )

    async def search(self, request: Request) -> Response:
        self.asked.append(request.query_params["q"])
        links = [f'<a href="{shop}/">Shop</a>' for shop in self.shops]
        links += [f'<a href="/redirect?uddg={self.shops[0]}/%3Fwrapped">Wrapped</a>', '<a href="/help">Help</a>']
        return HTMLResponse("".join(links))

    async def search_json(self, _request: Request) -> Response:
        return JSONResponse({"results": [{"url": f"{shop}/", "title": "Shop"} for shop in self.shops]})

    async def shop(self, _request: Request) -> Response:
        return HTMLResponse(
            "<title>Shop</title><script>var hidden = 1</script><nav><a href='/about'>About us</a> <a href='/ducks'>All ducks</a></nav>"
            "<p>Welcome to the shop.</p><p>We sell ducks.</p>"
        )

    async def ducks(self, _request: Request) -> Response:
        return HTMLResponse("<p>Ducks of each colour.</p><a href='/ducks/blue'>Blue ducks</a>")

    async def blue(self, _request: Request) -> Response:
        return HTMLResponse("<h1>Blue ducks</h1><p>The price is 5 ducats.</p>")


@pytest.fixture(scope="module")
async def web() -> AsyncGenerator[Web]:
    web = Web()
    async with AsyncExitStack() as stack:
        web.origin = await stack.enter_async_context(served(web.app()))
        web.shops = [await stack.enter_async_context(served(web.app())) for _ in range(3)]
        yield web


@pytest.fixture(scope="module")
async def searching(web: Web, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """A server that may read loopback."""
    folder = tmp_path_factory.mktemp("search")
    async with staged(folder, search_url=f"{web.origin}/search?q={{query}}", private_network=True) as stage:
        yield stage


@pytest.fixture
async def caller(searching: Stage) -> AsyncGenerator[httpx.AsyncClient]:
    async with searching.caller("read") as opened:
        yield opened


async def test_without_a_search_page_the_answer_is_a_501_that_says_what_to_do(client: httpx.AsyncClient) -> None:
    for path, body in (("/simple-search", {}), ("/search-url", {"url": "https://example.com"})):
        answer = await client.post(path, json={"query": QUERY, **body})
        assert answer.status_code == 501
        assert "WEBHAND_SEARCH_URL" in answer.json()["detail"]


async def test_a_search_reads_the_sites_that_the_search_page_found(web: Web, caller: httpx.AsyncClient) -> None:
    answer = await caller.post("/simple-search", json={"query": QUERY, "max_websites": 2})
    assert answer.status_code == 200
    assert web.asked[-1] == QUERY
    found = answer.json()["results"]
    assert [one["url"] for one in found] == [f"{shop}/" for shop in web.shops[:2]]
    assert found[0].keys() == {"url", "content"}
    assert "We sell ducks." in found[0]["content"]
    assert "hidden" not in found[0]["content"]


async def test_depth_is_how_many_pages_of_a_site_are_read(web: Web, caller: httpx.AsyncClient) -> None:
    body = {"url": f"{web.shops[0]}/", "query": QUERY}
    two = (await caller.post("/search-url", json=body)).json()
    three = (await caller.post("/search-url", json={**body, "depth": 3})).json()
    assert two["url"] == three["url"] == f"{web.shops[0]}/"
    assert "Ducks of each colour." in two["content"]
    assert "5 ducats" not in two["content"]
    assert "5 ducats" in three["content"]


async def test_a_search_page_may_answer_in_json(web: Web, tmp_path: Path) -> None:
    settings = {"search_url": f"{web.origin}/search.json?q={{query}}", "private_network": True}
    async with staged(tmp_path, **settings) as stage, stage.caller() as client:
        found = (await client.post("/simple-search", json={"query": QUERY})).json()["results"]
        assert [one["url"] for one in found] == [f"{shop}/" for shop in web.shops]


@pytest.mark.parametrize(
    ("path", "why"), [("/broken", "HTTP 503"), ("/picture", "page of text"), ("/missing", "HTTP 404")]
)
async def test_a_site_that_cannot_be_read_is_a_502_with_a_reason(
    web: Web, caller: httpx.AsyncClient, path: str, why: str
) -> None:
    answer = await caller.post("/search-url", json={"url": web.shops[0] + path, "query": QUERY})
    assert answer.status_code == 502
    assert why in answer.json()["detail"]


async def test_a_page_without_end_is_cut_and_a_redirect_followed(web: Web, caller: httpx.AsyncClient) -> None:
    endless = await caller.post("/search-url", json={"url": f"{web.shops[0]}/endless", "query": QUERY})
    assert 0 < len(endless.json()["content"]) <= 8000
    away = await caller.post("/search-url", json={"url": f"{web.shops[0]}/away", "query": QUERY})
    assert away.json()["url"] == f"{web.shops[0]}/ducks"


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/simple-search", {}, "query"),
        ("/simple-search", {"query": "x", "max_websites": 11}, "max_websites"),
        ("/simple-search", {"query": "x", "max_websites": 0}, "max_websites"),
        ("/simple-search", {"query": "x", "depth": 1}, "depth"),
        ("/simple-search", {"query": "x", "depth": 6}, "depth"),
        ("/search-url", {"query": "x"}, "url"),
        ("/search-url", {"query": "x", "url": "file:///etc/passwd"}, "url"),
    ],
)
async def test_what_cannot_be_is_a_422(
    caller: httpx.AsyncClient, path: str, body: dict[str, object], where: str
) -> None:
    answer = await caller.post(path, json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", where]


async def test_private_addresses_are_never_read_unless_that_is_allowed(web: Web, tmp_path: Path) -> None:
    port = web.shops[0].rpartition(":")[2]
    async with staged(tmp_path, search_url=f"{web.origin}/search?q={{query}}") as stage, stage.caller() as client:
        for url in (
            f"http://127.0.0.1:{port}/",
            f"http://localhost:{port}/",
            f"http://[::1]:{port}/",
            f"http://[::ffff:127.0.0.1]:{port}/",
            f"http://2130706433:{port}/",
            "http://169.254.169.254/latest/meta-data",
            "http://10.0.0.1/",
        ):
            answer = await client.post("/search-url", json={"url": url, "query": QUERY})
            assert answer.status_code == 502, url
            assert "ducks" not in answer.text
        # The search page is the operator's own; where it leads is not.
        assert (await client.post("/simple-search", json={"query": QUERY})).json() == {"results": []}


async def test_a_search_page_that_is_down_is_a_502(tmp_path: Path) -> None:
    async with staged(tmp_path, search_url="http://127.0.0.1:9/?q={query}") as stage, stage.caller() as client:
        async with asyncio.timeout(20):
            answer = await client.post("/simple-search", json={"query": QUERY})
        assert answer.status_code == 502
        assert "search page" in answer.json()["detail"]


def test_a_page_is_text_and_links_in_its_own_encoding() -> None:
    raw = "<meta charset=gbk><p>蓝色<b>鸭子</b>的价格</p><a href='b#x'>下一页</a><a href='javascript:x'>x</a>".encode(
        "gbk"
    )
    page = page_of("https://example.com/a", "text/html", raw)
    assert page.paragraphs[0] == "蓝色鸭子的价格"
    assert page.links == (Link("https://example.com/b", "下一页"),)
    assert page_of("https://example.com/", "text/plain; charset=nonsense", b"a\n\nb").paragraphs == ("a", "b")


def test_the_search_pages_own_links_are_no_results() -> None:
    html = (
        b"<a href='/settings'>s</a><a href='https://a.example/1'>a</a><a href='/r?u=https%3A%2F%2Fb.example%2F'>b</a>"
    )
    found = results(page_of("https://search.example/?q=x", "text/html", html))
    assert found == ["https://a.example/1", "https://b.example/"]


def test_the_best_link_shares_words_with_the_question_and_stays_on_the_site() -> None:
    html = b"<a href='/a'>About</a><a href='/p'>Prices of ducks</a><a href='https://b.example/'>price of blue ducks</a>"
    page = page_of("https://shop.example/", "text/html", html)
    link = best_link(page, QUERY, set())
    assert link is not None
    assert link.url == "https://shop.example/p"
    assert best_link(page, QUERY, {"https://shop.example/p"}) is None


def test_relevant_paragraphs_come_in_their_order_and_once() -> None:
    paragraphs = ["Welcome", "A blue duck", "Imprint", "The price is 5", "A blue duck"]
    assert relevant(paragraphs, QUERY) == "A blue duck\nThe price is 5"
    assert relevant(paragraphs, "nothing of that") == "Welcome\nA blue duck\nImprint\nThe price is 5"
    assert relevant(["价格是五元", "关于我们"], "鸭子的价格") == "价格是五元"
