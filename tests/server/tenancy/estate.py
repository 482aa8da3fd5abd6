"""One of every kind of thing that an owner can have, made through the real server's own API."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import select
from sqlmodel import SQLModel

from agent.engine import Assignment, Desk, Outcome
from storage.states import TaskState
from tests.server.cloud.stage import Stage, begun, picture, ran, step

KEPT = ("task", "step", "artifact", "account", "webhook", "delivery", "profile", "schedule")
"""The tables whose rows belong to somebody."""
UPLOAD = "orders.csv"
COOKIE = {"name": "auth", "value": "secret", "domain": "localhost", "path": "/"}


async def wait_for_ever(assignment: Assignment, desk: Desk) -> Outcome:
    await desk.step(step(1, picture("red")))
    await asyncio.Event().wait()
    raise AssertionError


@dataclass(frozen=True, slots=True)
class Estate:
    """What one owner has, by kind."""

    tasks: tuple[str, ...]
    """Finished and shared, running, waiting for approval."""
    account: str
    account_name: str
    webhook: str
    delivery: str
    profile: str
    schedule: str
    files: tuple[str, ...]
    """Ids of stored files, screenshots first."""
    links: tuple[str, ...]
    """Links that work without a key: to files, for an upload, to the public page."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Everything that names a thing."""
        return (*self.tasks, self.account, self.webhook, self.delivery, self.profile, self.schedule, *self.files)


async def settled(stage: Stage, owner: str, name: str) -> Estate:
    """Gives the owner one of everything. `name`: of the account."""
    stage.actor.acts["wait"] = wait_for_ever
    async with stage.caller("admin", owner=owner) as admin:
        call = Caller(admin)
        platform = {"platform": "demo", "tool": "createPost", "accountName": name}
        account = await call.tasks_api("POST", "/accounts", {"platform": "demo", "name": name, "cookies": [COOKIE]})
        webhook = await call.tasks_api(
            "POST", "/webhooks", {"url": "http://127.0.0.1:9/hook", "events": ["task.queued"]}
        )
        upload = await call.cloud("POST", "/uploads/presigned-url", {"file_name": UPLOAD, "content_type": "text/csv"})
        sent = await admin.put(upload["upload_url"], content=b"a,b\n", headers={"Content-Type": "text/csv"})
        assert sent.status_code == 200, sent.text
        profile = await call.cloud("POST", "/browser-profiles", {"profile_name": "Work"})
        hourly = {"task": "x", "schedule_type": "interval", "interval_minutes": 60, "start_at": "2100-01-01T00:00:00Z"}
        schedule = await call.cloud("POST", "/scheduled-task", hourly | {"end_at": "2100-12-31T00:00:00Z"})
        finished = await ran(admin, enable_public_share=True)
        running = await begun(admin, "wait")
        waiting = await call.tasks_api("POST", "/tasks", platform | {"parameters": {"text": "Hi"}, "approval": True})
        await stage.became(running, lambda task: task.state is TaskState.PROCESSING and task.step_count == 1)
        shots = await call.cloud("GET", f"/task/{finished}/screenshots")
        report = await call.cloud("GET", f"/task/{finished}/output-file/report.csv")
        shown = await call.cloud("GET", f"/task/{finished}")
        log = await call.tasks_api("GET", f"/webhooks/{webhook['id']}/deliveries")
    of = stage.house.artifacts.of
    files = [*await of(finished, "screenshot"), *await of(finished, "output")]
    return Estate(
        tasks=(finished, running, waiting["taskId"]),
        account=account["id"],
        account_name=name,
        webhook=webhook["id"],
        delivery=log["deliveries"][0]["id"],
        profile=profile["profile_id"],
        schedule=schedule["id"],
        files=tuple(file.id for file in files),
        links=(*shots["screenshots"], report["download_url"], upload["upload_url"], shown["public_share_url"]),
    )


class Caller:
    """Calls that must succeed."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def tasks_api(self, method: str, path: str, body: Any = None) -> Any:
        """A call of the Tasks API; its `data`."""
        origin = str(self._client.base_url).partition("/api/v1")[0]
        return (await self._sent(method, f"{origin}/api{path}", body))["data"]

    async def cloud(self, method: str, path: str, body: Any = None) -> Any:
        """A call of Cloud v1."""
        return await self._sent(method, path, body)

    async def _sent(self, method: str, path: str, body: Any) -> Any:
        answer = await self._client.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def rows(stage: Stage, owner: str) -> Mapping[str, Mapping[str, Any]]:
    """Every row of the owner, by table and id: what must not change."""
    tables = SQLModel.metadata.tables
    found: dict[str, dict[str, Any]] = {}
    async with stage.house.database.reading() as session:
        for name in KEPT:
            for row in (await session.execute(select(tables[name]))).mappings():
                found.setdefault(name, {})[row["id"]] = dict(row)
    mine = {name: {key: row for key, row in kept.items() if row.get("owner") == owner} for name, kept in found.items()}
    mine["step"] = {key: row for key, row in found["step"].items() if row["task_id"] in mine["task"]}
    mine["delivery"] = {key: row for key, row in found["delivery"].items() if row["webhook_id"] in mine["webhook"]}
    assert all(mine.values()), "the owner must have one of everything"
    return mine
