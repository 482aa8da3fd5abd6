"""What Cloud v1's webhooks send: each trap of its documents and of its known verifiers is a test."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from server.rest.cloud.events import STATUS_UPDATE, headers, notice, trial, words
from storage.states import TaskState
from tests.server.webhooks.house import SECRET, House, NodeReceiver, Receiver, a_task, cloud_genuine, running
from tools.errors import InvalidParameters

pytestmark = pytest.mark.anyio
MOMENT = datetime(2025, 5, 25, 9, 22, 22, 269116, tzinfo=UTC)


def body_of(task: Any, failed: Any = "stopped") -> str:
    found = notice(task, [STATUS_UPDATE], MOMENT, failed=failed)
    assert found is not None
    assert found[0] == "agent.task.status_update"
    return found[1]


def test_every_state_has_one_of_the_documented_words() -> None:
    assert set(words("stopped")) == set(TaskState)
    assert set(words("stopped").values()) == {"initializing", "started", "paused", "stopped", "finished"}


def test_a_failure_is_told_as_stopped_unless_the_setting_says_failed() -> None:
    for state in (TaskState.FAILED, TaskState.TIMEOUT):
        task = a_task(state=state, finished_at=MOMENT)
        assert json.loads(body_of(task))["payload"]["status"] == "stopped"
        assert json.loads(body_of(task, "failed"))["payload"]["status"] == "failed"


def test_the_envelope_and_the_payload_hold_the_documented_members_and_no_other() -> None:
    body = json.loads(body_of(a_task(state=TaskState.PROCESSING, labels={"a": "b"})))
    assert set(body) == {"type", "timestamp", "payload"}
    assert set(body["payload"]) == {"session_id", "task_id", "status", "metadata"}


def test_metadata_is_left_out_when_unset_and_never_null() -> None:
    body = body_of(a_task(state=TaskState.PROCESSING))
    assert "metadata" not in json.loads(body)["payload"]
    assert "null" not in body


def test_the_session_is_the_task() -> None:
    payload = json.loads(body_of(a_task(id="cd9cc7bf", state=TaskState.PROCESSING)))["payload"]
    assert payload["session_id"] == payload["task_id"] == "cd9cc7bf"


@pytest.mark.parametrize("microsecond", [269116, 0])
def test_the_timestamp_has_microseconds_and_an_offset_even_on_the_full_second(microsecond: int) -> None:
    moment = MOMENT.replace(microsecond=microsecond)
    _, body = notice(a_task(state=TaskState.PROCESSING), [STATUS_UPDATE], moment) or ("", "{}")
    assert json.loads(body)["timestamp"] == f"2025-05-25T09:22:22.{microsecond:06}+00:00"


def test_the_body_is_canonical_keys_sorted_no_blanks_everything_beyond_ascii_escaped() -> None:
    body = body_of(a_task(id="t", state=TaskState.COMPLETED, finished_at=MOMENT, labels={"ö": "Ä 👍", "a": "1"}))
    assert body == (
        '{"payload":{"metadata":{"a":"1","\\u00f6":"\\u00c4 \\ud83d\\udc4d"},"session_id":"t","status":"finished","task_id":"t"},'
        '"timestamp":"2025-05-25T09:22:22.269116+00:00","type":"agent.task.status_update"}'
    )
    assert body.isascii()


def test_the_signature_covers_the_whole_envelope_and_the_time_in_bare_lower_case_hex() -> None:
    body = body_of(a_task(state=TaskState.COMPLETED))
    signed = headers(body, SECRET, MOMENT)
    assert signed["X-Browser-Use-Timestamp"] == "1748164942"
    expected = hmac.new(SECRET.encode(), f"1748164942.{body}".encode(), hashlib.sha256).hexdigest()
    assert signed["X-Browser-Use-Signature"] == expected
    inner = json.dumps(json.loads(body)["payload"], separators=(",", ":"), sort_keys=True)
    only_payload = hmac.new(SECRET.encode(), f"1748164942.{inner}".encode(), hashlib.sha256).hexdigest()
    assert signed["X-Browser-Use-Signature"] != only_payload
    assert re.fullmatch("[0-9a-f]{64}", signed["X-Browser-Use-Signature"])


def test_the_test_event_is_the_documented_one() -> None:
    name, body = trial(MOMENT)
    assert name == "test"
    assert json.loads(body) == {
        "type": "test",
        "timestamp": "2025-05-25T09:22:22.269116+00:00",
        "payload": {"test": "ok"},
    }


async def test_a_webhook_is_only_created_once_it_took_the_test_event(house: House, receiver: Receiver) -> None:
    receiver.answers = lambda _call: 500
    with pytest.raises(InvalidParameters, match=r"did not take the test event \(HTTP 500\)"):
        await house.webhook(receiver.url, dialect="cloud")
    assert await house.store.list("alice") == []
    receiver.answers = lambda _call: 200
    await house.webhook(receiver.url, dialect="cloud")
    assert [call.body["type"] for call in receiver.calls] == ["test", "test"]
    assert cloud_genuine(receiver.calls[1].raw, receiver.calls[1].headers)


@pytest.mark.parametrize("labels", [None, {"campaign": "q4"}, {"Straße": "naïve 十二 👍"}])
async def test_the_documented_receiver_in_python_takes_every_step_of_a_task(
    house: House, receiver: Receiver, labels: dict[str, str] | None
) -> None:
    await house.webhook(receiver.url, dialect="cloud")
    async with running(house.courier):
        await house.ended(labels=labels)
        calls = await receiver.heard(4)
    assert [call.body["payload"].get("status") for call in calls[1:]] == ["initializing", "started", "finished"]
    assert all(cloud_genuine(call.raw, call.headers) for call in calls)
    assert calls[3].body["payload"].get("metadata") == labels
    assert all(abs(time.time() - int(call.headers["x-browser-use-timestamp"])) < 300 for call in calls)


async def test_a_receiver_in_node_takes_metadata_beyond_ascii(house: House, cloud_in_node: NodeReceiver) -> None:
    await house.webhook(cloud_in_node.url, dialect="cloud")
    async with running(house.courier):
        await house.ended(labels={"Straße": "naïve 十二 👍\u007f"}, error={"code": "PLATFORM_ERROR", "message": "no"})
        said = [await cloud_in_node.said() for _ in range(4)]
    assert all(call["genuine"] for call in said)
    assert [call["payload"].get("status") for call in said] == [None, "initializing", "started", "stopped"]


async def test_a_later_attempt_sends_the_same_body_with_a_time_and_signature_of_its_own(
    house: House, receiver: Receiver
) -> None:
    webhook = await house.webhook(receiver.url, dialect="cloud")
    receiver.answers = lambda _call: 500 if len(receiver.calls) < 3 else 200
    async with running(house.impatient()):
        [delivery] = await house.owe(webhook, body_of(a_task(state=TaskState.PROCESSING)))
        _, first, second = await receiver.heard(3)
        await house.logged(webhook, state="delivered")
    assert first.raw == second.raw == delivery.body.encode()
    assert cloud_genuine(first.raw, first.headers)
    assert cloud_genuine(second.raw, second.headers)
