"""More than can be done is asked: some of it is refused with the time to come back, the rest waits, and the server answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.journeys.conftest import Running


def test_creates_beyond_the_limit_are_told_when_to_come_back(start: Callable[..., Running]) -> None:
    server = start(max_pending="10", full_slots="0")

    def create(number: int) -> httpx.Response:
        body = {"platform": "browser", "tool": "runTask", "parameters": {"task": f"Do {number}"}}
        return server.client.post("/api/tasks", json=body)

    with ThreadPoolExecutor(20) as together:
        answers = list(together.map(create, range(60)))
    assert Counter(answer.status_code for answer in answers) == {200: 10, 429: 50}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["Retry-After"]) == refused.json()["error"]["retryAfter"] > 0
    assert refused.json()["error"]["code"] == "RATE_LIMITED"
    assert server.client.get("/healthz").status_code == 200
    first = next(answer.json()["data"]["taskId"] for answer in answers if answer.status_code == 200)
    server.call("DELETE", f"/api/tasks/{first}")
    assert create(99).status_code == 200
