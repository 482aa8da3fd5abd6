"""Scheduled tasks over REST, and one that really comes again through the durable queue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage.tables import Schedule, now
from tests.server.cloud.stage import Stage, staged

pytestmark = pytest.mark.anyio
HOURLY: dict[str, Any] = {"task": "Report the title", "schedule_type": "interval", "interval_minutes": 60}
DAILY: dict[str, Any] = {"task": "Report the title", "schedule_type": "cron", "cron_expression": "0 9 * * *"}
LATER = "2100-01-01T00:00:00Z"


async def created(client: httpx.AsyncClient, **fields: Any) -> str:
    answer = await client.post("/scheduled-task", json={**HOURLY, "start_at": LATER, "end_at": "2101-01-01", **fields})
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["id"]
    return answer.json()["id"]


async def test_a_schedule_shows_every_documented_member(client: httpx.AsyncClient) -> None:
    schedule_id = await created(client)
    schedule = (await client.get(f"/scheduled-task/{schedule_id}")).json()
    assert {name: value for name, value in schedule.items() if not name.endswith("ed_at")} == {
        "id": schedule_id,
        "task": "Report the title",
        "save_browser_data": False,
        "structured_output_json": None,
        "llm_model": "gpt-4.1",
        "use_adblock": True,
        "use_proxy": True,
        "highlight_elements": True,
        "schedule_type": "interval",
        "interval_minutes": 60,
        "cron_expression": None,
        "start_at": LATER,
        "next_run_at": LATER,
        "end_at": "2101-01-01T00:00:00Z",
        "is_active": True,
        "metadata": None,
    }
    assert schedule.keys() >= {"created_at", "updated_at"}


async def test_a_schedule_starts_now_and_ends_in_a_year_unless_it_says_so(client: httpx.AsyncClient) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    answer = await client.post("/scheduled-task", json=DAILY)
    schedule = (await client.get(f"/scheduled-task/{answer.json()['id']}")).json()
    start, end, due = (datetime.fromisoformat(schedule[name]) for name in ("start_at", "end_at", "next_run_at"))
    assert timedelta() <= start - before < timedelta(minutes=1)
    assert end - start == timedelta(days=365)
    assert (due.hour, due.minute) == (9, 0)
    assert before < due < before + timedelta(days=1, minutes=1)


async def test_options_are_shown_as_they_were_sent_and_secrets_never(stage: Stage, client: httpx.AsyncClient) -> None:
    shape = '{"title": "string"}'
    schedule_id = await created(
        client,
        secrets={"password": "open sesame"},
        structured_output_json=shape,
        llm_model="o3",
        use_adblock=False,
        use_proxy=False,
        highlight_elements=False,
        save_browser_data=True,
        max_agent_steps=9,
        metadata={"customer": "42"},
    )
    answer = await client.get(f"/scheduled-task/{schedule_id}")
    schedule = answer.json()
    assert "sesame" not in answer.text + (await client.get("/scheduled-tasks")).text
    assert schedule["structured_output_json"] == shape
    assert (schedule["llm_model"], schedule["metadata"]) == ("o3", {"customer": "42"})
    assert [schedule[name] for name in ("use_adblock", "use_proxy", "highlight_elements")] == [False] * 3
    row = await stage_row(stage, schedule_id)
    assert row.secrets is not None
    assert b"sesame" not in row.secrets
    assert row.options["options"]["max_steps"] == 9
    assert row.options["options"]["structured_output"]["required"] == ["title"]


async def stage_row(stage: Stage, schedule_id: str) -> Schedule:
    async with stage.house.database.reading() as session:
        row = await session.get(Schedule, schedule_id)
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"task": None}, "task"),
        ({"schedule_type": None}, "schedule_type"),
        ({"schedule_type": "yearly"}, "schedule_type"),
        ({"interval_minutes": None}, "interval_minutes"),
        ({"interval_minutes": 0}, "interval_minutes"),
        ({"schedule_type": "cron"}, "cron_expression"),
        ({"schedule_type": "cron", "cron_expression": "every day"}, "cron_expression"),
        ({"start_at": "tomorrow"}, "start_at"),
        ({"start_at": "0001-01-01T00:00:00Z"}, "start_at"),
        ({"start_at": "0001-01-01T00:00:00+23:00"}, "start_at"),
        ({"start_at": "9999-12-31T00:00:00Z"}, "start_at"),
        ({"end_at": "9999-12-31T23:59:59-23:00"}, "end_at"),
        ({"end_at": "2099-01-01T00:00:00Z"}, "end_at"),
        ({"metadata": {"k": "x" * 1001}}, "metadata"),
        ({"max_agent_steps": 201}, "max_agent_steps"),
    ],
)
async def test_what_cannot_be_is_a_422(client: httpx.AsyncClient, fields: dict[str, Any], where: str) -> None:
    answer = await client.post("/scheduled-task", json={**HOURLY, "start_at": LATER, "end_at": "2101-01-01", **fields})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][:2] == ["body", where]


async def test_a_change_leaves_everything_else_as_it_is(client: httpx.AsyncClient) -> None:
    schedule_id = await created(client, metadata={"a": "1"})
    before = (await client.get(f"/scheduled-task/{schedule_id}")).json()
    changed = await client.put(
        f"/scheduled-task/{schedule_id}", json={"task": "Another", "use_adblock": False, "llm_model": None}
    )
    assert changed.status_code == 200
    assert changed.json() == {
        **before,
        "task": "Another",
        "use_adblock": False,
        "updated_at": changed.json()["updated_at"],
    }
    again = await client.put(
        f"/scheduled-task/{schedule_id}",
        json={"schedule_type": "cron", "cron_expression": "0 9 * * 1", "metadata": {}, "is_active": False},
    )
    assert again.json()["schedule_type"] == "cron"
    assert again.json()["interval_minutes"] == 60
    assert again.json()["metadata"] is again.json()["next_run_at"] is None
    active = await client.put(f"/scheduled-task/{schedule_id}", json={"is_active": True})
    assert active.json()["next_run_at"] == "2100-01-04T09:00:00Z"


async def test_a_change_that_cannot_be_changes_nothing(client: httpx.AsyncClient) -> None:
    schedule_id = await created(client)
    before = (await client.get(f"/scheduled-task/{schedule_id}")).json()
    for fields in ({"schedule_type": "cron"}, {"end_at": "2000-01-01T00:00:00Z"}, {"interval_minutes": -1}):
        assert (await client.put(f"/scheduled-task/{schedule_id}", json=fields)).status_code == 422
    assert (await client.get(f"/scheduled-task/{schedule_id}")).json() == before


async def test_schedules_are_listed_newest_first_and_deleted(client: httpx.AsyncClient) -> None:
    ids = [await created(client) for _ in range(3)]
    page = (await client.get("/scheduled-tasks", params={"limit": 2})).json()
    assert [entry["id"] for entry in page.pop("tasks")] == ids[:0:-1]
    assert page == {"total_pages": 2, "page": 1, "limit": 2, "total_count": 3}
    deleted = await client.delete(f"/scheduled-task/{ids[0]}")
    assert (deleted.status_code, deleted.json()) == (200, {})
    for method in ("GET", "PUT", "DELETE"):
        answer = await client.request(method, f"/scheduled-task/{ids[0]}", json={} if method == "PUT" else None)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Scheduled task not found"})


async def test_another_owners_schedule_does_not_exist(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    schedule_id = await created(client)
    for method in ("GET", "PUT", "DELETE"):
        answer = await stranger.request(method, f"/scheduled-task/{schedule_id}", json={} if method == "PUT" else None)
        assert answer.status_code == 404
    assert (await stranger.get("/scheduled-tasks")).json()["total_count"] == 0
    assert (await client.get(f"/scheduled-task/{schedule_id}")).status_code == 200


async def test_the_same_idempotency_key_makes_one_schedule(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "nightly"}
    ids = {(await client.post("/scheduled-task", json=HOURLY, headers=headers)).json()["id"] for _ in range(2)}
    assert len(ids) == 1
    assert (await client.post("/scheduled-task", json=DAILY, headers=headers)).status_code == 409


async def nothing(_subject: str) -> None: ...


async def test_a_schedule_runs_through_the_durable_queue_at_its_time(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, stage.caller() as client:
        await stage.house.queue.work(
            "test",
            on_task=stage.worker.look,
            on_delivery=nothing,
            on_schedule=stage.house.schedules.on_schedule,
            on_upkeep=nothing,
        )
        start = now() + timedelta(seconds=1.5)
        schedule_id = await created(client, start_at=start.isoformat(), metadata={"run": "nightly"})
        task_id = ""
        while not task_id:
            tasks = (await client.get("/tasks")).json()["tasks"]
            task_id = tasks[0]["id"] if tasks else ""
        task = (await client.get(f"/task/{task_id}", params={"wait": 20})).json()
        assert (task["status"], task["task"]) == ("finished", "Report the title")
        assert task["metadata"] == {"run": "nightly"}
        row = await stage.task(task_id)
        assert row.created_at >= start
        assert row.schedule_id == schedule_id
        schedule = await stage_row(stage, schedule_id)
        assert schedule.next_run_at == schedule.start_at + timedelta(hours=1)
