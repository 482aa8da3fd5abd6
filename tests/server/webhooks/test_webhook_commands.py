"""`webhand webhook`, beside a running server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from server.commands.root import app
from server.house import House
from server.serving import serving
from server.settings import read_settings
from storage.tables import Delivery
from storage.webhooks import DELIVERIES
from tests.server.webhooks.house import Receiver

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[House]:
    data = tmp_path / "data"
    monkeypatch.setenv("WEBHAND_DATA", str(data))
    quiet = read_settings(data=data, port=0, demo_site=False, log_level="error", webhook_give_up_hours=0.0001)
    async with serving(quiet) as opened:
        yield opened


@pytest.fixture
async def client(house: House) -> AsyncGenerator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {(house.settings.data / 'local.key').read_text().strip()}"}
    async with httpx.AsyncClient(base_url=f"{house.public_url}/api", headers=headers) as opened:
        yield opened


async def webhand(*arguments: str, code: int = 0) -> str:
    """What the command prints."""
    done = await asyncio.to_thread(CliRunner().invoke, app, ["webhook", *arguments])
    assert done.exit_code == code, done.output
    return done.output


async def logged(house: House, webhook: str, state: str) -> Delivery:
    """The log's entry of a state, once there is one."""
    async with asyncio.timeout(30):
        with house.database.changes.follow(DELIVERIES) as follower:
            while True:
                rows, _ = await house.webhook_store.deliveries(webhook, limit=1, state=state)
                if rows:
                    return rows[0]
                await follower.changed(0.1)


async def test_what_was_given_up_is_shown_and_sent_again_by_command(
    house: House, client: httpx.AsyncClient, receiver: Receiver
) -> None:
    receiver.answers = lambda _call: 500
    hook = {"url": receiver.url, "events": ["task.queued"], "secret": "s"}
    webhook = (await client.post("/webhooks", json=hook)).json()["data"]["id"]
    body = {"platform": "browser", "tool": "runTask", "parameters": {"task": "x"}}
    assert (await client.post("/tasks", json=body)).status_code == 200
    lost = await logged(house, webhook, "given_up")

    [hooked] = json.loads(await webhand("list", "--json"))["webhooks"]
    assert (hooked["url"], hooked["status"]) == (receiver.url, "failing")
    assert "failing" in await webhand("list")
    [shown] = json.loads(await webhand("deliveries", webhook, "--json"))["deliveries"]
    assert shown["id"] == lost.id
    assert [one["error"] for one in shown["tries"]] == ["HTTP 500"] * shown["attempts"]
    assert all(one["durationMs"] >= 0 and one["statusCode"] == 500 for one in shown["tries"])
    assert "given_up" in await webhand("deliveries", webhook)

    receiver.answers = lambda _call: 200
    [again] = json.loads(await webhand("replay", webhook, "--json"))
    taken = await logged(house, webhook, "delivered")
    assert taken.id == again["id"] != lost.id
    assert taken.body == lost.body
    assert "is sent again" in await webhand("replay", webhook, taken.id)
    assert "not found" in await webhand("replay", webhook, "dlv_unknown", code=2)


async def test_a_test_event_is_sent_by_command_and_what_came_of_it_said(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    hook = {"url": receiver.url, "events": ["task.completed"], "secret": "s"}
    webhook = (await client.post("/webhooks", json=hook)).json()["data"]["id"]
    receiver.answers = lambda _call: 500
    assert "was not taken: " in await webhand("test", webhook, code=2)
    receiver.answers = lambda _call: 200
    assert "was taken" in await webhand("test", webhook)
    assert json.loads(await webhand("test", webhook, "--json"))["state"] == "delivered"
