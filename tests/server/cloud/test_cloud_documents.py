"""The documented exchanges, kept as facts in tests/documents/cloud, replayed against the real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from agent.engine import Assignment, Desk, Outcome
from tests.server.cloud.stage import Stage, begun, ran

pytestmark = pytest.mark.anyio
DOCUMENTS = Path(__file__).parents[2] / "documents" / "cloud"


async def wait_for_ever(assignment: Assignment, desk: Desk) -> Outcome:
    await asyncio.Event().wait()
    raise AssertionError


async def subjects(stage: Stage, client: httpx.AsyncClient) -> dict[str, str]:
    """What the exchanges are about, by the names that they use for it."""
    stage.actor.acts["wait"] = wait_for_ever
    hourly = {"task": "x", "schedule_type": "interval", "interval_minutes": 60}
    schedule = await client.post("/scheduled-task", json=hourly)
    profile = await client.post("/browser-profiles", json={"profile_name": "x"})
    return {
        "finished": await ran(client),
        "running": await begun(client, "wait"),
        "schedule": schedule.json()["id"],
        "profile": profile.json()["profile_id"],
    }


def filled(value: Any, names: Mapping[str, str]) -> Any:
    """The value with `{name}` replaced, in whatever it holds."""
    text = json.dumps(value)
    for name, meant in names.items():
        text = text.replace(f"{{{name}}}", meant)
    return json.loads(text)


@pytest.mark.parametrize("document", sorted(path.name for path in DOCUMENTS.glob("*.json")))
async def test_every_documented_exchange_goes_as_documented(
    stage: Stage, client: httpx.AsyncClient, document: str
) -> None:
    exchanges = json.loads((DOCUMENTS / document).read_text())["exchanges"]
    assert exchanges
    names = await subjects(stage, client)
    for exchange in filled(exchanges, names):
        request = exchange["request"]
        answer = await client.request(
            request["method"], request["path"], params=request.get("query"), json=request.get("body")
        )
        assert answer.status_code == exchange["status"], (exchange["name"], answer.text)
        validator: Any = Draft202012Validator(exchange["answer"])
        assert [error.message for error in validator.iter_errors(answer.json())] == [], exchange["name"]
