"""Who gets into the live view: tokens, origins, headers, and what the log holds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from server.live.door import safe_name
from server.live.tasks import LiveSettings
from server.logs import is_news
from server.signing import hide_tokens
from storage.states import TaskState
from tests.server.live_stage import TASK, Stage, eventually, staged
from tests.web import caller

pytestmark = pytest.mark.anyio


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
async def stage(tmp_path: Path, lines: Lines) -> AsyncGenerator[Stage]:
    settings = LiveSettings(
        frame_ancestors="https://partner.example", public_url="https://live.example", largest_file=1000
    )
    async with staged(tmp_path, settings, lines) as stage:
        yield stage


async def refused(url: str, origin: str | None = None) -> int:
    """The HTTP status with which a WebSocket is refused."""
    with pytest.raises(InvalidStatus) as error:
        async with connect(url, origin=Origin(origin) if origin else None):
            pass
    return error.value.response.status_code


async def test_the_page_is_guarded_by_its_headers(stage: Stage) -> None:
    async with caller() as client:
        answer = await client.get(stage.url())
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors https://partner.example" in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert 'src="http' not in answer.text
    assert 'href="http' not in answer.text


@pytest.mark.parametrize("broken", ["expired", "forged", "other purpose", "other task"])
async def test_a_link_that_is_no_good_opens_nothing(stage: Stage, broken: str) -> None:
    later = int(time.time()) + 60
    token = {
        "expired": stage.signer.sign("live", TASK, expires=int(time.time()) - 1, rights=["control"]),
        "forged": stage.signer.sign("live", TASK, expires=later)[:-1] + "_",
        "other purpose": stage.signer.sign("file", TASK, expires=later),
        "other task": stage.signer.sign("live", "task_2", expires=later, rights=["control"]),
    }[broken]
    base = f"{stage.origin}/live/{token}"
    async with caller() as client:
        page = await client.get(base)
        assert page.status_code == 404
        assert "not valid any more" in page.text
        assert (await client.get(f"{base}/state")).status_code == 404
        assert (await client.put(f"{base}/files?name=a", content=b"x")).status_code == 404
    socket = base.replace("http", "ws", 1)
    assert await refused(f"{socket}/news") == 404
    assert await refused(f"{socket}/ws") == 404


async def test_sockets_open_for_our_own_pages_and_for_no_page_at_all(stage: Stage) -> None:
    url = stage.socket_url("news")
    assert await refused(url, "https://evil.example") == 403
    assert await refused(url, "null") == 403
    assert await refused(url, "http://live.example") == 403, "another scheme is another origin"
    assert await refused(stage.socket_url("ws"), "https://evil.example") == 403
    for origin in (None, stage.origin, "https://live.example"):
        async with connect(url, origin=Origin(origin) if origin else None) as socket:
            assert TASK not in str(await socket.recv()), "the page need not know"


async def test_a_watching_link_can_neither_control_nor_stop(stage: Stage) -> None:
    async with connect(stage.socket_url("news", control=False)) as socket:
        assert '"allowed":false' in str(await socket.recv())
        for wish in ("take", "stop", "continue"):
            await socket.send(f'{{"do": "{wish}"}}')
        stage.tasks.turn(message="seen")
        await socket.recv()
    assert stage.tasks.calls == []
    async with caller() as client:
        base = stage.url(control=False)
        assert (await client.put(f"{base}/files?name=a", content=b"x")).status_code == 403
        assert (await client.post(f"{base}/vnc")).status_code == 403


async def test_an_open_connection_ends_with_its_token(stage: Stage) -> None:
    async with connect(stage.socket_url("news", seconds=1.5)) as socket, asyncio.timeout(5):
        await socket.recv()
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 4401


async def test_nonsense_from_the_page_is_ignored(stage: Stage) -> None:
    async with connect(stage.socket_url("news")) as socket:
        await socket.recv()
        for nonsense in ("", "{", '{"do":"explode"}', '{"do":"take","more":1}', "[]", '"take"'):
            await socket.send(nonsense)
        await socket.send(b"\x00\x01")
        await socket.send('{"do":"stop"}')
        while stage.tasks.calls != ["stop"]:
            await asyncio.wait_for(socket.recv(), 5)


async def test_files_come_from_the_person_in_control_alone(stage: Stage) -> None:
    async with caller() as client:
        answer = await client.put(f"{stage.url()}/files?name=a&seat={'s' * 20}", content=b"x")
    assert answer.status_code == 403


async def test_files_are_limited_and_their_names_harmless(stage: Stage, tmp_path: Path) -> None:
    seat = "s" * 20
    async with connect(f"{stage.socket_url('news')}?seat={seat}") as socket, caller() as client:
        await socket.send('{"do":"take"}')
        while '"phase":"held"' not in str(await asyncio.wait_for(socket.recv(), 5)):
            pass
        url = f"{stage.url()}/files"
        answer = await client.put(url, params={"seat": seat, "name": "../../etc/pass wd.txt"}, content=b"x" * 1000)
        assert answer.status_code == 200
        assert (tmp_path / "pass wd.txt").read_bytes() == b"x" * 1000
        answer = await client.put(url, params={"seat": seat, "name": "big"}, content=b"x" * 1001)
        assert answer.status_code == 413


async def test_the_state_is_told_once_too(stage: Stage) -> None:
    stage.tasks.turn(TaskState.COMPLETED, output="All done.")
    async with caller() as client:
        told = (await client.get(f"{stage.url()}/state")).json()
    assert told["task"]["state"] == "completed"
    assert told["task"]["ended"] is True
    assert told["task"]["output"] == "All done."
    assert told["browser"] is None


async def test_rfb_is_refused_after_the_end(stage: Stage) -> None:
    stage.tasks.turn(TaskState.COMPLETED)
    assert await refused(stage.socket_url("ws")) == 410


async def test_a_socket_that_is_refused_is_no_error_of_the_server(stage: Stage, lines: Lines) -> None:
    heard: list[logging.LogRecord] = []
    lines.addFilter(lambda record: heard.append(record) or is_news(record))
    stage.tasks.turn(TaskState.COMPLETED)
    assert await refused(stage.socket_url("ws")) == 410
    await eventually(lambda: [record for record in heard if record.levelno >= logging.ERROR])
    assert "ASGI" not in "\n".join(lines.lines)


async def test_the_log_can_be_kept_free_of_tokens(stage: Stage, lines: Lines) -> None:
    token = stage.url().rpartition("/")[2]
    async with caller() as client:
        await client.get(f"{stage.origin}/live/{token}")
    async with connect(f"{stage.origin.replace('http', 'ws', 1)}/live/{token}/news", subprotocols=[Subprotocol("x")]):
        pass
    logged = "\n".join(lines.lines)
    assert "/live/" in logged, "the web server logs its paths"
    assert token not in hide_tokens(logged)
    assert "/live/[token]/news" in hide_tokens(logged)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("photo.jpg", "photo.jpg"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("..", "file"),
        ("", "file"),
        (".hidden", "hidden"),
        ("a\0b\n.txt", "a_b_.txt"),
        ("日本語.png", "日本語.png"),
        ("x" * 300 + ".pdf", "x" * 146 + ".pdf"),
    ],
)
def test_file_names_stay_in_their_folder(given: str, kept: str) -> None:
    assert safe_name(given) == kept
    assert len(safe_name(given).encode()) <= 150
