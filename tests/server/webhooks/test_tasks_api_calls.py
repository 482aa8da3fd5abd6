"""What the Tasks API's webhooks send, checked by receivers written as its documents show them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server.rest.browserman.events import CANDIDATES, DOCUMENTED, EVENTS, headers, notice
from server.rest.browserman.javascript import javascript_json
from server.rest.cloud.events import STATUS_UPDATE, words
from storage.states import TaskState
from tests.server.webhooks.house import (
    SECRET,
    House,
    NodeReceiver,
    Receiver,
    a_task,
    running,
    tasks_api_genuine,
)

pytestmark = pytest.mark.anyio
MOMENT = datetime(2024, 1, 15, 10, 30, 15, tzinfo=UTC)
AWKWARD: dict[str, Any] = {
    "output": 'Zwölf Äpfel, 十二, 👍, \u2028, \x00, </script> and "quotes"\\',
    "half": "cut \ud83d off",
    "numbers": [1.0, -0.0, 0.1, 1e21, 1e-7, 5e-324, 123456789012345680000.0, 2**53, 10**30, float("nan")],
    "object": {"b": 1, "10": 2, "9": 3, "a": 4, "01": 5, "4294967295": 6, "__proto__": 7},
    "nothing": None,
    "truth": [True, False],
}


def told(task: Any, *subscribed: str) -> str | None:
    found = notice(task, subscribed, MOMENT)
    return found[0] if found else None


def test_every_state_has_its_events_and_every_event_its_meaning() -> None:
    assert set(CANDIDATES) == set(TaskState)
    assert {event for events in CANDIDATES.values() for event in events} == set(EVENTS)


def test_the_guide_names_every_event_and_every_word() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text()
    names = [*EVENTS, STATUS_UPDATE, *words("failed").values(), "x-browserman-signature", "X-Browser-Use-Signature"]
    assert [name for name in names if f"`{name}`" not in guide] == []


def test_a_completed_task_is_told_in_the_documented_members_and_order() -> None:
    task = a_task(id="task_abc123", state=TaskState.COMPLETED, finished_at=MOMENT, result={"output": "Done"})
    found = notice(task, DOCUMENTED, MOMENT)
    assert found == (
        "task.completed",
        (
            '{"event":"task.completed","taskId":"task_abc123","timestamp":"2024-01-15T10:30:15Z","data":{"state":"completed",'
            '"platform":"twitter","tool":"createTweet","accountName":"my-twitter","result":{"success":true,"output":"Done"}}}'
        ),
    )


def test_a_failed_task_carries_its_error_with_retry_after_and_no_result() -> None:
    error = {"code": "RATE_LIMITED", "message": "Slow down", "retryAfter": 900}
    found = notice(a_task(state=TaskState.FAILED, finished_at=MOMENT, error=error), DOCUMENTED, MOMENT)
    assert found is not None
    assert '"error":{"code":"RATE_LIMITED","message":"Slow down","retryAfter":900}' in found[1]
    assert '"result"' not in found[1]


def test_a_timeout_counts_as_failed_unless_its_own_event_is_subscribed_to() -> None:
    task = a_task(state=TaskState.TIMEOUT, finished_at=MOMENT, error={"code": "TIMEOUT", "message": "too long"})
    assert told(task, "task.completed", "task.failed") == "task.failed"
    assert told(task, "task.failed", "task.timeout") == "task.timeout"
    assert told(task, "task.completed") is None


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (TaskState.PENDING, "task.queued"),
        (TaskState.PROCESSING, "task.started"),
        (TaskState.PAUSED, "task.paused"),
        (TaskState.CANCELLED, "task.cancelled"),
    ],
)
def test_events_that_no_document_names_go_only_to_those_who_ask(state: TaskState, event: str) -> None:
    assert told(a_task(state=state), *DOCUMENTED) is None
    assert told(a_task(state=state), *EVENTS) == event


def test_a_paused_task_says_why_in_the_words_of_this_dialect() -> None:
    task = a_task(state=TaskState.PAUSED, pause_reason="approval", pause_message="Post 'Hi'", progress_percentage=40)
    found = notice(task, ["task.paused"], MOMENT)
    assert found is not None
    assert '"state":"processing"' in found[1]
    assert '"progress":{"step":"waiting_for_human","percentage":40,"reason":"approval"' in found[1]


def test_the_body_never_holds_its_own_signature_and_the_header_has_the_one_length_that_is_compared() -> None:
    found = notice(a_task(state=TaskState.COMPLETED, result=AWKWARD), DOCUMENTED, MOMENT)
    assert found is not None
    assert "signature" not in found[1]
    (name, value), *others = headers(found[1], SECRET, MOMENT).items()
    assert not others
    assert name == "x-browserman-signature"
    assert value.startswith("sha256=")
    assert len(value) == len("sha256=") + 64
    assert value == value.lower()


def test_whole_numbers_that_javascript_cannot_hold_become_text() -> None:
    assert javascript_json([2**53 - 1, 2**53, -(2**53)]) == '[9007199254740991,"9007199254740992","-9007199254740992"]'


async def test_the_documented_receiver_in_node_takes_the_call_and_reads_the_result(
    house: House, tasks_api_in_node: NodeReceiver
) -> None:
    await house.webhook(tasks_api_in_node.url)
    async with running(house.courier):
        await house.ended(result={"output": "Tweet posted", "tweetUrl": "https://twitter.com/user/status/1"})
        said = await tasks_api_in_node.said()
    assert said["genuine"]
    assert said["same"]
    assert said["shown"] == {"success": True, "output": "Tweet posted", "tweetUrl": "https://twitter.com/user/status/1"}


async def test_node_writes_back_the_very_same_bytes_whatever_a_result_holds(
    house: House, tasks_api_in_node: NodeReceiver
) -> None:
    await house.webhook(tasks_api_in_node.url)
    awkward = {name: value for name, value in AWKWARD.items() if name != "half" and name != "output"}
    awkward["output"] = str(AWKWARD["output"]).replace("\x00", "")  # PostgreSQL keeps no NUL
    awkward["numbers"] = AWKWARD["numbers"][:-1]
    async with running(house.courier):
        await house.ended(result=awkward)
        said = await tasks_api_in_node.said()
    assert said["genuine"]
    assert said["same"]


async def test_half_a_surrogate_pair_and_nul_survive_the_way_through_node(tasks_api_in_node: NodeReceiver) -> None:
    from agent.sender import Sender

    _, text = notice(a_task(state=TaskState.COMPLETED, result=AWKWARD), DOCUMENTED, MOMENT) or ("", "")
    sender = Sender()
    answer = await sender.send(tasks_api_in_node.url, text.encode(), headers(text, SECRET, MOMENT))
    await sender.close()
    said = await tasks_api_in_node.said()
    assert said["same"]
    assert said["genuine"]
    assert answer.status_code == 200


async def test_a_receiver_with_another_secret_refuses_and_the_log_says_so(
    house: House, tasks_api_in_node: NodeReceiver
) -> None:
    webhook = await house.webhook(tasks_api_in_node.url)
    await house.database_secret(webhook, "another-secret")
    async with running(house.courier):
        await house.ended(error={"code": "PLATFORM_ERROR", "message": "The site refused"})
        said = await tasks_api_in_node.said()
        entry = await house.logged(webhook, attempts=1)
    assert not said["genuine"]
    assert (entry.state, entry.status_code, entry.error) == ("owed", 401, "HTTP 401")


async def test_a_receiver_in_python_takes_the_call(house: House, receiver: Receiver) -> None:
    webhook = await house.webhook(receiver.url)
    async with running(house.courier):
        await house.ended(error={"code": "PLATFORM_ERROR", "message": "Fehler: Ä"})
        [call] = await receiver.heard(1)
        entry = await house.logged(webhook, state="delivered")
    assert tasks_api_genuine(call.raw, call.headers)
    assert not tasks_api_genuine(call.raw, call.headers, "another-secret")
    assert call.headers["content-type"] == "application/json"
    assert call.headers["x-webhand-delivery"] == entry.id
    assert call.body["data"]["error"]["message"] == "Fehler: Ä"
    assert "Ä".encode() in call.raw
