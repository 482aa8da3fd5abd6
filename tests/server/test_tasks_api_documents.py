"""The Tasks API's documented exchanges, kept as facts in tests/documents/browserman, replayed against the real server.

Rows are put there as the documents tell of them, so that answers are determined to the last value.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import delete

from server.rest.browserman.events import NOTICES
from storage.states import TaskState
from storage.tables import Account, Task
from tests.server.cloud.stage import Stage, staged

pytestmark = pytest.mark.anyio
DOCUMENTS = Path(__file__).parents[1] / "documents" / "browserman"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
TASK_ID = re.compile(r"task_\w+")
MINTED: Mapping[str, re.Pattern[str]] = {"taskId": TASK_ID, "createdAt": MOMENT, "cancelledAt": MOMENT}
"""What a call makes anew, and so has only a shape."""
OWNER = "documents"


def cases(name: str) -> list[Any]:
    found = json.loads((DOCUMENTS / f"{name}.json").read_text())
    assert found
    return [pytest.param(case, id=case["name"]) for case in found]


def case_of(name: str, title: str) -> Any:
    return next(case.values[0] for case in cases(name) if case.id == title)


def at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    async with staged(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest.fixture(autouse=True)
async def nothing_yet(stage: Stage) -> None:
    async with stage.house.database.writing() as session:
        await session.execute(delete(Task))
        await session.execute(delete(Account))
        session.add(an_account())


@pytest.fixture
async def client(stage: Stage) -> AsyncGenerator[httpx.AsyncClient]:
    async with stage.caller("read", "write", owner=OWNER) as opened:
        opened.base_url = httpx.URL(stage.origin)
        yield opened


def an_account(**given: Any) -> Account:
    fields: dict[str, Any] = {
        "id": "acc_abc123",
        "owner": OWNER,
        "platform": "twitter",
        "name": "my-twitter",
        "status": "active",
        "auth_method": "oauth",
        "created_at": datetime(2024, 1, 1, tzinfo=UTC),
        "last_used_at": datetime(2024, 1, 15, 10, 30, tzinfo=UTC),
    }
    return Account(**(fields | given))


async def put(stage: Stage, *rows: Task | Account) -> None:
    async with stage.house.database.writing() as session:
        for row in rows:
            await session.merge(row)


def detailed(told: Mapping[str, Any], **given: Any) -> Task:
    """The row of a documented single view."""
    result = {name: value for name, value in told.get("result", {}).items() if name != "success"}
    fields: dict[str, Any] = {
        "id": told["taskId"],
        "owner": OWNER,
        "dialect": "browserman",
        "platform": told["platform"],
        "tool": told["tool"],
        "effect": "publish",
        "writes": True,
        "account_id": "acc_abc123",
        "account_name": told["accountName"],
        "parameters": {"text": "Hello World!"},
        "engine": "lite",
        "timeout_ms": 120_000,
        "state": TaskState(told["state"]),
        "created_at": at(told.get("createdAt")) or datetime(2024, 1, 15, 10, 30, tzinfo=UTC),
        "started_at": at(told.get("startedAt")),
        "finished_at": at(told.get("completedAt") or told.get("failedAt")),
        "progress_word": told.get("progress", {}).get("step", "queued"),
        "progress_percentage": told.get("progress", {}).get("percentage", 0),
        "result": result or None,
        "error": told.get("error"),
    }
    return Task(**(fields | given))


def listed(told: Mapping[str, Any]) -> Task:
    """The row of a documented list item."""
    view = {"taskId": told["id"], "platform": told["platform"], "tool": told["action"], "accountName": "my-twitter"}
    return detailed(
        view | {"state": told["status"], "createdAt": told["created_at"], "startedAt": told.get("started_at")},
        finished_at=at(told["completed_at"]),
        result=told.get("data"),
        parameters=told["params"],
        engine=told["execution_engine"],
        account_id=told["platform_account_id"],
    )


async def asked(client: httpx.AsyncClient, case: Mapping[str, Any]) -> Any:
    answer = await client.request(case["method"], case["path"], json=case.get("request"))
    assert answer.status_code == case["status"], answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def held(documented: Any, actual: Any, minted: Mapping[str, re.Pattern[str]] | None = None, where: str = "") -> None:
    """Everything documented is there, of the same type and with the same value."""
    assert type(documented) is type(actual), where
    if isinstance(documented, dict):
        for name, value in cast("dict[str, Any]", documented).items():
            assert name in actual, f"{where}.{name}"
            held(value, actual[name], minted, f"{where}.{name}")
    elif isinstance(documented, list):
        items = cast("list[Any]", documented)
        assert len(items) == len(actual), where
        for place, (one, other) in enumerate(zip(items, actual, strict=True)):
            held(one, other, minted, f"{where}[{place}]")
    elif (pattern := (minted or {}).get(where.rpartition(".")[2])) is not None:
        assert pattern.fullmatch(documented), where
        assert pattern.fullmatch(actual), where
    else:
        assert documented == actual, where


@pytest.mark.parametrize("case", cases("create_task"))
async def test_a_task_is_created_as_documented(client: httpx.AsyncClient, case: Any) -> None:
    held(case["response"], await asked(client, case), MINTED)


@pytest.mark.parametrize("case", cases("get_task"))
async def test_a_task_is_shown_as_documented(stage: Stage, client: httpx.AsyncClient, case: Any) -> None:
    told = case["response"]["data"]
    before = [f"task_before{number}" for number in range(told.get("queuePosition", 1) - 1)]
    earlier = [detailed(told, id=name, created_at=datetime(2024, 1, 14, tzinfo=UTC)) for name in before]
    await put(stage, detailed(told), *earlier)
    shown = await asked(client, case)
    held(case["response"], shown)
    others = {name for other in cases("get_task") for name in other.values[0]["response"]["data"]}
    assert others & set(shown["data"]) == set(told), "what another state has is absent"
    assert None not in shown["data"].values()


async def test_tasks_are_listed_as_documented(stage: Stage, client: httpx.AsyncClient) -> None:
    case = case_of("list_tasks", "filters together, echoed, null where unset")
    told = case["response"]["data"]
    await put(stage, *(listed(item) for item in told["tasks"]))
    # The documents show a task of another platform under a filter by platform: each filter holds here, so it is asked for in two steps.
    shown = (await asked(client, case))["data"]
    held({name: told[name] for name in ("limit", "offset", "filters")}, shown)
    assert set(shown["filters"]) == set(told["filters"])
    held(told["tasks"][:1], shown["tasks"])
    assert shown["total"] == 1
    both = (await asked(client, case | {"path": "/api/tasks?success=true&startDate=2024-01-01"}))["data"]
    held({name: told[name] for name in ("tasks", "total", "limit", "offset")}, both)
    documented = set(told["tasks"][0]) - set(told["tasks"][1])
    assert not documented & set(both["tasks"][1]), "what is not known is absent"


@pytest.mark.parametrize("case", cases("cancel_task"))
async def test_a_task_is_cancelled_as_documented(stage: Stage, client: httpx.AsyncClient, case: Any) -> None:
    await put(stage, detailed(case_of("get_task", "pending")["response"]["data"]))
    held(case["response"], await asked(client, case), {"cancelledAt": MOMENT})


@pytest.mark.parametrize("case", cases("accounts"))
async def test_accounts_are_shown_as_documented(stage: Stage, client: httpx.AsyncClient, case: Any) -> None:
    told = case["response"]["data"]
    one = told["accounts"][0] if "accounts" in told else told
    error = one.get("error", {})
    row = an_account(status=one["status"], auth_method=one["authMethod"])
    row.error_code, row.error_message = error.get("code"), error.get("message")
    await put(stage, row)
    shown = await asked(client, case)
    held(case["response"], shown)
    assert "error" in one or "error" not in shown["data"]["accounts"][0]


@pytest.mark.parametrize("case", cases("platforms"))
async def test_every_documented_platform_has_its_documented_actions_in_their_order(
    client: httpx.AsyncClient, case: Any
) -> None:
    shown = (await asked(client, case))["data"]["platforms"]
    told = case["response"]["data"]["platforms"]
    known = {platform["id"] for platform in told}
    assert [platform for platform in shown if platform["id"] in known] == told


@pytest.mark.parametrize("case", cases("errors"))
async def test_errors_are_as_documented(stage: Stage, client: httpx.AsyncClient, case: Any) -> None:
    if case["status"] == 401:
        client.headers["Authorization"] = "Bearer sk_live_of_nobody"
    shown = await asked(client, case)
    held(case["response"], shown)
    assert set(shown) == {"success", "error"}
    assert set(shown["error"]) == {"code", "message", "details"}


async def test_a_webhook_is_registered_as_documented(client: httpx.AsyncClient) -> None:
    held(case_of("webhooks", "registering")["response"], await asked(client, case_of("webhooks", "registering")))


@pytest.mark.parametrize("title", ["a call about a completed task", "a call about a failed task"])
async def test_a_webhook_is_called_with_the_very_bytes_that_are_documented(title: str) -> None:
    call = case_of("webhooks", title)["call"]
    task = detailed(call["data"] | {"taskId": call["taskId"], "completedAt": call["timestamp"]})
    told = NOTICES.notice(task, ("task.completed", "task.failed"), datetime.now(UTC))
    assert told == (call["event"], json.dumps(call, separators=(",", ":")))
