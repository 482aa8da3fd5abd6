"""A task in a plain VNC viewer, over the raw port: what one setting opens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from tests.journeys.conftest import Running
from tests.server.rfb_client import TIGHT_JPEG, VncClient


async def look(port: int, password: str) -> VncClient:
    """A viewer that has seen a picture."""
    async with asyncio.timeout(60):
        client = VncClient(*await asyncio.open_connection("127.0.0.1", port))
        await client.greet(password)
        client.take(*TIGHT_JPEG)
        await client.pixels(incremental=False)
        await client.close()
    return client


def test_one_setting_opens_a_raw_port_for_any_vnc_viewer(start: Callable[..., Running]) -> None:
    server = start(vnc_port="0")
    server.account()
    httpx.put(f"{server.practice}/api/faults", json={"slow": 60}).raise_for_status()
    task = server.create("Seen by a VNC viewer")
    server.until(task["taskId"], "processing")
    told = httpx.post(f"{task['liveUrl']}/vnc").raise_for_status().json()
    client = asyncio.run(look(told["port"], told["password"]))
    assert client.picture.width > 600
    assert "127.0.0.1" in client.name, "a window's title names the page"
    with pytest.raises(PermissionError):
        asyncio.run(look(told["port"], "a guess."))
