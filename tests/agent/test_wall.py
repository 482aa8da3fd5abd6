"""The gate lets through what is inside the wall and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncGenerator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect as open_websocket

from agent.domains import is_private
from agent.wall import Gate, Wall, narrow, parse_domains
from tests.agent.conftest import canary, served
from tools.errors import InvalidParameters

pytestmark = pytest.mark.anyio


async def echo(request: Request) -> Response:
    """Says what arrived: method, target, headers and body."""
    seen = {"method": request.method, "path": str(request.url).partition(request.url.netloc)[2]}
    body = (await request.body()).decode()
    return PlainTextResponse(f"{seen['method']} {seen['path']} {body}", headers={"X-Saw": ",".join(request.headers)})


async def streamed(_: Request) -> Response:
    async def pieces() -> AsyncGenerator[bytes]:
        for number in range(5):
            yield f"{number}\n".encode() * 20_000

    return StreamingResponse(pieces())


async def to_home(_: Request) -> Response:
    return RedirectResponse("/echo")


async def talk(socket_: WebSocket) -> None:
    await socket_.accept()
    await socket_.send_text(f"heard {await socket_.receive_text()}")
    await socket_.close()


SITE = Starlette(
    routes=[
        Route("/echo", echo, methods=["GET", "POST", "PUT"]),
        Route("/streamed", streamed),
        Route("/home", to_home),
        WebSocketRoute("/talk", talk),
    ]
)


def at(origin: str) -> str:
    return origin.removeprefix("http://")


def through(gate: Gate) -> httpx.AsyncClient:
    return httpx.AsyncClient(proxy=gate.url, trust_env=False)


async def spoken(gate: Gate, said: bytes) -> bytes:
    """What the gate answers to these bytes, until it hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gate.url.rpartition(":")[2]))
    writer.write(said)
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


async def test_requests_to_an_opened_stand_in_pass_with_body_answer_and_redirect() -> None:
    async with served(SITE) as origin, Gate.open(Wall(hosts=(), opened=(at(origin),))) as gate:
        async with through(gate) as client:
            answer = await client.post(f"{origin}/echo?q=1#part", content=b"x" * 200_000, headers={"TE": "trailers"})
            assert answer.text == f"POST /echo?q=1 {'x' * 200_000}"
            assert "te" not in answer.headers["x-saw"].split(",")
            assert len((await client.get(f"{origin}/streamed")).content) == 200_000
            assert (await client.head(f"{origin}/echo")).status_code == 200
            assert (await client.get(f"{origin}/home", follow_redirects=True)).text.startswith("GET /echo")
        assert gate.blocked == []


async def test_a_websocket_passes_through_a_tunnel() -> None:
    async with (
        served(SITE) as origin,
        Gate.open(Wall(hosts=(), opened=(at(origin),))) as gate,
        open_websocket(f"ws://{at(origin)}/talk", proxy=gate.url) as talking,
    ):
        await talking.send("hello")
        assert await talking.recv() == "heard hello"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0", "2130706433", "0x7f.1", "127.0.0.2"]
)
async def test_an_open_wall_still_keeps_loopback_out_however_it_is_written(host: str) -> None:
    async with canary() as trap, Gate.open(Wall(hosts=("*",))) as gate:
        for asked in (f"CONNECT {host}:{trap.port}", f"GET http://{host}:{trap.port}/"):
            assert b" 403 " in (await spoken(gate, f"{asked} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()))
        assert trap.heard == []
        assert gate.blocked == [host.strip("[]")]


async def test_a_name_that_leads_to_this_very_machine_is_private() -> None:
    async with canary() as trap, Gate.open(Wall(hosts=("*",))) as gate, through(gate) as client:
        name = socket.gethostname()
        answer = await client.get(f"http://{name}:{trap.port}/")
        assert answer.status_code in {403, 502}
        assert trap.heard == []


async def test_private_addresses_are_reached_only_where_the_wall_says_so_and_the_name_is_inside() -> None:
    async with served(SITE) as origin:
        port = origin.rpartition(":")[2]
        async with Gate.open(Wall(hosts=("localhost",), private=True)) as gate, through(gate) as client:
            assert (await client.get(f"http://localhost:{port}/echo")).status_code == 200
            assert (await client.get(f"{origin}/echo")).status_code == 403
            assert gate.blocked == ["127.0.0.1"]


async def test_only_the_very_port_of_a_stand_in_is_opened() -> None:
    async with served(SITE) as origin, canary() as trap, Gate.open(Wall(hosts=(), opened=(at(origin),))) as gate:
        async with through(gate) as client:
            assert (await client.get(f"http://127.0.0.1:{trap.port}/")).status_code == 403
        assert trap.heard == []


async def test_hosts_outside_are_refused_with_a_short_page_and_noted_once() -> None:
    async with Gate.open(Wall(hosts=("*.example.com",))) as gate, through(gate) as client:
        for _ in range(3):
            answer = await client.get("http://elsewhere.test/?secret=1")
            assert answer.status_code == 403
            assert answer.text == "elsewhere.test is outside the hosts that this task may reach."
        assert gate.blocked == ["elsewhere.test"]
        assert gate.refused("https://elsewhere.test/page")
        assert not gate.refused("https://www.example.com/")
        for number in range(100):
            await client.get(f"http://n{number}.test/")
        assert len(gate.blocked) == 50


async def test_a_site_inside_that_does_not_answer_is_a_502() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with Gate.open(Wall(hosts=(), opened=(f"127.0.0.1:{port}",))) as gate, through(gate) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 502


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET https://example.com/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT example.com HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT :443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET ftp://example.com/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://example.com:99999/ HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_what_is_no_request_to_a_proxy_is_refused(said: bytes) -> None:
    async with Gate.open(Wall(hosts=("*",))) as gate:
        assert b" 400 " in await spoken(gate, said)


async def test_an_endless_head_ends_the_connection() -> None:
    async with Gate.open(Wall(hosts=("*",))) as gate:
        assert await spoken(gate, b"GET http://example.com/ HTTP/1.1\r\nX: " + b"y" * 200_000) == b""


async def test_closing_a_gate_cuts_what_runs_through_it() -> None:
    async with served(SITE) as origin:
        async with Gate.open(Wall(hosts=(), opened=(at(origin),))) as gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(gate.url.rpartition(":")[2]))
            writer.write(f"CONNECT {at(origin)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_an_upstream_proxy_is_used_with_its_password_and_the_wall_holds_before_it() -> None:
    async with served(SITE) as origin, Gate.open(Wall(hosts=(), opened=(at(origin),))) as upstream:
        asked: list[bytes] = []

        async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            asked.append(head)
            inner, outer = await asyncio.open_connection("127.0.0.1", int(upstream.url.rpartition(":")[2]))
            outer.write(head)
            async with asyncio.TaskGroup() as both:
                for one, other in ((reader, outer), (inner, writer)):

                    async def copy(one: asyncio.StreamReader = one, other: asyncio.StreamWriter = other) -> None:
                        while piece := await one.read(65536):
                            other.write(piece)
                        other.close()

                    both.create_task(copy())

        proxy = await asyncio.start_server(watch, "127.0.0.1", 0)
        url = f"http://me:p%40ss@127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        async with Gate.open(Wall(hosts=("*",), opened=(at(origin),)), upstream=url) as gate:
            async with through(gate) as client:
                assert (await client.get(f"{origin}/echo")).text.startswith("GET /echo")
            async with open_websocket(f"ws://{at(origin)}/talk", proxy=gate.url) as talking:
                await talking.send("hello")
                assert await talking.recv() == "heard hello"
            async with through(gate) as client:
                assert (await client.get("http://127.0.0.1:9/")).status_code == 403
        assert len(asked) == 2
        assert all(b"proxy-authorization: basic bwu6cebzcw==" in head.lower() for head in asked)
        proxy.close()


def test_patterns_cover_what_they_say() -> None:
    wall = Wall(hosts=("example.com", "*.shop.test"), opened=("127.0.0.1:8801", "[::1]:8801"))
    inside = [("example.com", 443), ("www.example.com", 80), ("shop.test", 1), ("a.b.shop.test", 1)]
    outside = [("evil-example.com", 443), ("a.example.com", 443), ("ashop.test", 1), ("example.com.evil.test", 443)]
    assert all(wall.covers(*place) for place in [*inside, ("127.0.0.1", 8801), ("::1", 8801)])
    assert not any(wall.covers(*place) for place in [*outside, ("127.0.0.1", 8802), ("localhost", 8801)])


@pytest.mark.parametrize(
    ("hosts", "by", "left"),
    [
        (["x.com", "*.x.com"], ["x.com"], ("x.com",)),
        (["*.x.com"], ["api.x.com", "evil.test"], ("api.x.com",)),
        (["api.x.com"], ["*.x.com"], ("api.x.com",)),
        (["x.com"], ["*"], ("x.com",)),
        (["*"], ["a.test", "*.b.test"], ("a.test", "*.b.test")),
        (["x.com"], ["y.com"], ()),
    ],
)
def test_narrowing_keeps_what_both_take_in(hosts: list[str], by: list[str], left: tuple[str, ...]) -> None:
    assert narrow(hosts, by) == left


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Example.COM", "example.com"),
        ("*.Example.com.", "*.example.com"),
        ("https://example.com/", "example.com"),
        ("http*://*.example.com/*", "*.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("雪球.cn", "xn--5eyn85e.cn"),
        ("*", "*"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("localhost", "localhost"),
    ],
)
def test_domains_are_read_as_people_write_them(written: str, meant: str) -> None:
    assert parse_domains([written, written]) == (meant,)


@pytest.mark.parametrize(
    "written", ["", " ", "exa mple.com", "example.com:8080", "example.com/path", "*.*", "a.*.com", "*example.com", "x..y",
                "https://", "1.2.3", "256.1.1.1", "-a.com", "a" * 300, "*.127.0.0.1", "user@example.com"],
)  # fmt: skip
def test_what_is_no_domain_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(InvalidParameters, match="is not a domain: write"):
        parse_domains([written])


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("93.184.216.34", False),
        ("2606:2800:220:1:248:1893:25c8:1946", False),
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("172.16.0.1", True),
        ("192.168.1.1", True),
        ("169.254.169.254", True),
        ("100.64.0.1", True),
        ("0.1.2.3", True),
        ("224.0.0.1", True),
        ("255.255.255.255", True),
        ("::1", True),
        ("::", True),
        ("fe80::1", True),
        ("fd00::1", True),
        ("ff02::1", True),
        ("::ffff:10.0.0.1", True),
        ("::ffff:93.184.216.34", False),
        ("64:ff9b::7f00:1", True),
        ("64:ff9b::5db8:d822", False),
        ("2002:7f00:1::", True),
    ],
)
def test_private_addresses_are_known_in_every_disguise(address: str, private: bool) -> None:  # a parameter
    assert is_private(ipaddress.ip_address(address)) is private
