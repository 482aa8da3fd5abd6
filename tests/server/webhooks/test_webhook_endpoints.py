"""Webhooks over REST, through the dialect's real app."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from server.auth import Verifier
from server.meter import Meter
from server.rest.browserman.routes import browserman_app
from server.rest.browserman.webhooks import ENDPOINTS
from server.settings import Settings
from storage.keys import KeyStore
from tests.server.webhooks.house import House, Receiver, running

pytestmark = pytest.mark.anyio
UNKNOWN = "wh_unknown"


@pytest.fixture
async def keys(house: House) -> KeyStore:
    return KeyStore(house.database)


@pytest.fixture
async def client(house: House, keys: KeyStore) -> AsyncGenerator[httpx.AsyncClient]:
    state = {
        "verifier": Verifier(keys),
        "meter": Meter(keys),
        "settings": Settings(_env_file=None),  # pyright: ignore[reportCallIssue]  # pydantic-settings' own argument
        "webhooks": house.service,
    }
    inner = browserman_app(ENDPOINTS)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope | {"state": state}, receive, send)

    _, secret = await keys.create("test", owner="alice", scopes=["read", "write"])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://server", headers={"Authorization": f"Bearer {secret}"}
    ) as opened:
        yield opened


async def ask(client: httpx.AsyncClient, method: str, path: str, status: int = 200, **sent: Any) -> Any:
    response = await client.request(method, path, **sent)
    assert response.status_code == status, response.text
    body = response.json()
    assert body["success"] is (status == 200)
    return body["data"] if status == 200 else body["error"]


async def test_the_documented_request_makes_a_webhook_whose_secret_is_not_shown(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    sent = {"url": receiver.url, "events": ["task.completed", "task.failed"], "secret": "your-webhook-secret"}
    made = await ask(client, "POST", "/webhooks", json=sent)
    assert made["url"] == receiver.url
    assert made["events"] == ["task.completed", "task.failed"]
    assert (made["dialect"], made["status"]) == ("browserman", "active")
    assert "secret" not in made
    assert await ask(client, "GET", f"/webhooks/{made['id']}") == made
    assert await ask(client, "GET", "/webhooks") == {"webhooks": [made], "total": 1}


async def test_without_a_secret_one_is_made_and_shown_once(client: httpx.AsyncClient, receiver: Receiver) -> None:
    made = await ask(client, "POST", "/webhooks", json={"url": receiver.url})
    assert len(made["secret"]) > 32
    assert made["events"] == ["task.completed", "task.failed"]
    assert "secret" not in await ask(client, "GET", f"/webhooks/{made['id']}")


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "url"),
        ({"url": "http://example.com/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://example.com/", "events": ["task.done"]}, "events"),
        ({"url": "https://example.com/", "secret": ""}, "secret"),
        ({"url": "https://example.com/", "dialect": "other"}, "dialect"),
        ({"url": 5}, "url"),
    ],
)
async def test_what_is_wrong_is_named(client: httpx.AsyncClient, sent: Any, field: str) -> None:
    error = await ask(client, "POST", "/webhooks", 400, json=sent)
    assert error["code"] == "INVALID_PARAMETERS"
    assert field in error["details"]["fields"]


async def test_a_cloud_webhook_must_take_the_test_event(client: httpx.AsyncClient, receiver: Receiver) -> None:
    receiver.answers = lambda _call: 404
    error = await ask(client, "POST", "/webhooks", 400, json={"url": receiver.url, "dialect": "cloud"})
    assert "HTTP 404" in error["message"]
    receiver.answers = lambda _call: 200
    made = await ask(client, "POST", "/webhooks", json={"url": receiver.url, "dialect": "cloud"})
    assert made["events"] == ["agent.task.status_update"]


async def test_the_log_shows_each_call_and_replays_it(
    client: httpx.AsyncClient, house: House, receiver: Receiver
) -> None:
    made = await ask(client, "POST", "/webhooks", json={"url": receiver.url})
    webhook = await house.store.get(made["id"])
    assert webhook is not None
    async with running(house.courier):
        task = await house.ended()
        await receiver.heard(1)
        await house.logged(webhook, state="delivered")
        log = await ask(client, "GET", f"/webhooks/{made['id']}/deliveries")
        assert (log["total"], log["limit"], log["offset"]) == (1, 50, 0)
        [entry] = log["deliveries"]
        assert (entry["taskId"], entry["event"], entry["state"]) == (task.id, "task.completed", "delivered")
        assert (entry["statusCode"], entry["attempts"], entry["webhookId"]) == (200, 1, made["id"])
        assert entry["body"].encode() == receiver.calls[0].raw
        again = await ask(client, "POST", f"/webhooks/{made['id']}/deliveries/{entry['id']}/replay")
        assert again["state"] == "owed"
        await receiver.heard(2)
        await house.logged(webhook, state="delivered")
    owed = await ask(client, "GET", f"/webhooks/{made['id']}/deliveries?state=owed")
    assert owed["total"] == 0
    await ask(client, "GET", f"/webhooks/{made['id']}/deliveries?state=odd", 400)


async def test_a_test_event_is_sent_on_demand(client: httpx.AsyncClient, receiver: Receiver) -> None:
    made = await ask(client, "POST", "/webhooks", json={"url": receiver.url})
    entry = await ask(client, "POST", f"/webhooks/{made['id']}/test")
    assert (entry["event"], entry["state"], entry["statusCode"]) == ("webhook.test", "delivered", 200)
    receiver.answers = lambda _call: 500
    entry = await ask(client, "POST", f"/webhooks/{made['id']}/test")
    assert (entry["state"], entry["error"]) == ("given_up", "HTTP 500")
    assert [call.body["event"] for call in receiver.calls] == ["webhook.test"] * 2


async def test_a_deleted_webhook_is_gone(client: httpx.AsyncClient, receiver: Receiver) -> None:
    made = await ask(client, "POST", "/webhooks", json={"url": receiver.url})
    assert await ask(client, "DELETE", f"/webhooks/{made['id']}") == {"id": made["id"], "deleted": True}
    assert (await ask(client, "DELETE", f"/webhooks/{made['id']}", 404))["code"] == "NOT_FOUND"


async def test_an_idempotency_key_makes_one_webhook(client: httpx.AsyncClient, receiver: Receiver) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await ask(client, "POST", "/webhooks", json={"url": receiver.url}, headers=headers)
    assert await ask(client, "POST", "/webhooks", json={"url": receiver.url}, headers=headers) == first
    other = {"url": receiver.url, "secret": "another"}
    error = await ask(client, "POST", "/webhooks", 409, json=other, headers=headers)
    assert error["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert (await ask(client, "GET", "/webhooks"))["total"] == 1


async def test_another_owners_webhook_does_not_exist(
    client: httpx.AsyncClient, keys: KeyStore, receiver: Receiver
) -> None:
    made = await ask(client, "POST", "/webhooks", json={"url": receiver.url})
    entry = await ask(client, "POST", f"/webhooks/{made['id']}/test")
    _, other = await keys.create("other", owner="mallory", scopes=["read", "write", "admin"])
    client.headers["Authorization"] = f"Bearer {other}"
    mine = f"/webhooks/{made['id']}"
    for method, path in [
        ("GET", mine),
        ("DELETE", mine),
        ("GET", f"{mine}/deliveries"),
        ("POST", f"{mine}/deliveries/{entry['id']}/replay"),
        ("POST", f"{mine}/test"),
    ]:
        theirs = await ask(client, method, path, 404)
        assert theirs["code"] == "NOT_FOUND"
        unknown = await ask(client, method, path.replace(made["id"], UNKNOWN), 404)
        assert unknown["message"] == theirs["message"].replace(made["id"], UNKNOWN)
    assert (await ask(client, "GET", "/webhooks"))["total"] == 0


async def test_a_key_that_may_only_read_changes_nothing(
    client: httpx.AsyncClient, keys: KeyStore, receiver: Receiver
) -> None:
    _, reader = await keys.create("reader", owner="alice", scopes=["read"])
    client.headers["Authorization"] = f"Bearer {reader}"
    error = await ask(client, "POST", "/webhooks", 403, json={"url": receiver.url})
    assert error["code"] == "FORBIDDEN"
    assert (await ask(client, "GET", "/webhooks"))["total"] == 0
    assert receiver.calls == []
