"""What is owed is paid: at least once, again after a failure, and no receiver at another's cost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from agent import deliveries
from agent.deliveries import PER_WEBHOOK, Patience
from agent.sender import Answer
from server.rest.browserman.events import EVENTS
from storage.ids import mint
from storage.tables import Delivery, now
from storage.webhooks import MOST_TRIES
from tests.server.webhooks.house import House, Receiver, a_task, caller, receiving, running
from tools.errors import Conflict, NotFound

pytestmark = pytest.mark.anyio
MOMENT = datetime(2025, 1, 1, tzinfo=UTC)
DAY = 24 * 3600


async def test_a_delivery_is_made_at_once_and_logged(house: House, receiver: Receiver) -> None:
    webhook = await house.webhook(receiver.url)
    async with running(house.courier):
        task = await house.ended()
        await receiver.heard(1)
        entry = await house.logged(webhook, state="delivered")
    assert (entry.task_id, entry.event, entry.attempts, entry.status_code) == (task.id, "task.completed", 1, 200)
    assert entry.error is None
    assert entry.next_at is None
    assert entry.delivered_at is not None


async def test_a_delivery_that_fails_is_made_again_until_it_is_taken(each_house: House, receiver: Receiver) -> None:
    webhook = await each_house.webhook(receiver.url)
    receiver.answers = lambda _call: 503 if len(receiver.calls) < 4 else 204
    async with running(each_house.impatient()):
        await each_house.ended()
        calls = await receiver.heard(4)
        entry = await each_house.logged(webhook, state="delivered")
    assert (entry.attempts, entry.status_code) == (4, 204)
    assert len({call.raw for call in calls}) == 1
    seen = await each_house.store.get(webhook.id)
    assert seen is not None
    assert seen.failing_since is None


async def test_a_delivery_is_given_up_in_the_end_and_the_log_says_why(house: House, receiver: Receiver) -> None:
    webhook = await house.webhook(receiver.url)
    receiver.answers = lambda _call: 500
    async with running(house.impatient(give_up=1)):
        await house.ended()
        entry = await house.logged(webhook, state="given_up")
    assert entry.attempts == len(receiver.calls)
    assert (entry.status_code, entry.error, entry.next_at) == (500, "HTTP 500", None)
    seen = await house.store.get(webhook.id)
    assert seen is not None
    assert seen.failing_since is not None
    assert seen.disabled_at is None


async def test_a_webhook_that_nothing_reaches_is_disabled_visibly_and_a_test_it_takes_enables_it(
    each_house: House, receiver: Receiver
) -> None:
    webhook = await each_house.webhook(receiver.url)
    receiver.answers = lambda _call: 500
    async with running(each_house.impatient(give_up=5, disable=0.01)):
        await each_house.ended()
        await each_house.logged(webhook, state="given_up")
    seen = await each_house.service.get(caller(), webhook.id)
    assert seen.disabled_at is not None
    assert seen.disabled_reason is not None
    assert seen.disabled_reason.startswith("Every call since ")
    assert seen.disabled_reason.endswith("UTC failed: HTTP 500")
    heard = len(receiver.calls)
    await each_house.ended()
    assert (await each_house.store.deliveries(webhook.id, limit=10))[1] == 1  # a disabled webhook is owed nothing
    with pytest.raises(Conflict, match="disabled"):
        await each_house.service.replay(caller(), webhook.id, (await each_house.logged(webhook)).id)
    refused = await each_house.service.test(caller(), webhook.id)
    assert (refused.state, refused.error) == ("given_up", "HTTP 500")
    assert (await each_house.service.get(caller(), webhook.id)).disabled_at is not None
    receiver.answers = lambda _call: 200
    assert (await each_house.service.test(caller(), webhook.id)).state == "delivered"
    assert (await each_house.service.get(caller(), webhook.id)).disabled_at is None
    assert len(receiver.calls) == heard + 2


async def test_a_slow_receiver_holds_nobody_else_up(house: House, receiver: Receiver) -> None:
    async with receiving(Receiver(held=asyncio.Event())) as slow:
        webhook = await house.webhook(slow.url)
        quick = await house.webhook(receiver.url)
        async with running(house.courier):
            await house.owe(webhook, *(f'{{"n":{number}}}' for number in range(3 * PER_WEBHOOK)))
            await slow.heard(PER_WEBHOOK)
            await house.owe(quick, "{}")
            await house.logged(quick, state="delivered")
            assert slow.most_at_once == len(slow.calls) == PER_WEBHOOK
            assert slow.held is not None
            slow.held.set()
            await slow.heard(3 * PER_WEBHOOK)
    assert slow.most_at_once == PER_WEBHOOK


async def test_the_events_of_a_task_reach_a_webhook_in_their_order(each_house: House) -> None:
    async with receiving(Receiver(held=asyncio.Event())) as slow:
        webhook = await each_house.webhook(slow.url, events=list(EVENTS))
        async with running(each_house.courier):
            await each_house.ended()
            await slow.heard(1)
            await each_house.courier.look()
            assert slow.held is not None
            slow.held.set()
            calls = await slow.heard(3)
            await each_house.logged(webhook, state="delivered")
    assert [call.body["event"] for call in calls] == ["task.queued", "task.started", "task.completed"]
    assert slow.most_at_once == 1


async def test_an_event_that_was_refused_does_not_hold_up_the_next_one(house: House, receiver: Receiver) -> None:
    webhook = await house.webhook(receiver.url, events=list(EVENTS))
    receiver.answers = lambda call: 500 if call.body["event"] == "task.started" else 200
    async with running(house.courier):
        await house.ended()
        calls = await receiver.heard(3)
        await house.logged(webhook, state="delivered")
    assert [call.body["event"] for call in calls] == ["task.queued", "task.started", "task.completed"]


async def test_a_delivery_whose_wake_up_was_lost_is_found_by_looking(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "_LOOK_S", 0.05)
    webhook = await house.webhook(receiver.url)
    async with running(house.courier):
        async with house.database.writing() as session:  # nobody is told, nothing is promised
            session.add(
                Delivery(id=mint("dlv"), webhook_id=webhook.id, event="task.completed", body="{}", next_at=now())
            )
        await receiver.heard(1)


async def test_an_attempt_whose_process_died_is_made_again_and_its_late_word_counts_for_nothing(
    each_house: House, receiver: Receiver
) -> None:
    webhook = await each_house.webhook(receiver.url)
    await each_house.owe(webhook, "{}")
    dead = await each_house.store.claim(30)
    assert dead is not None
    assert await each_house.store.claim(30) is None
    async with each_house.database.writing() as session:  # half a minute goes by
        await session.execute(update(Delivery).values(next_at=now() - timedelta(seconds=1)))
    again = await each_house.store.claim(30)
    assert again is not None
    assert again.delivery.attempts == 2
    await each_house.store.failed(dead, "late", status_code=None, again=None, patience=timedelta(0))
    await each_house.store.delivered(again, 200)
    entry = await each_house.logged(webhook)
    assert (entry.state, entry.attempts, entry.error) == ("delivered", 2, None)


async def test_two_workers_never_make_the_same_attempt(each_house: House, receiver: Receiver) -> None:
    webhook = await each_house.webhook(receiver.url)
    await each_house.owe(webhook, *(f'{{"n":{number}}}' for number in range(20)))
    async with running(each_house.impatient()), running(each_house.impatient()):
        await receiver.heard(20)
        await each_house.logged(webhook, state="delivered")
    rows, _ = await each_house.store.deliveries(webhook.id, limit=50)
    assert [row.attempts for row in rows] == [1] * 20
    assert sorted(call.body["n"] for call in receiver.calls) == list(range(20))


async def test_what_was_rolled_back_is_owed_to_nobody(each_house: House, receiver: Receiver) -> None:
    webhook = await each_house.webhook(receiver.url, events=["task.queued"])

    async def broken() -> None:
        async with each_house.database.writing() as session:
            task = a_task()
            session.add(task)
            await session.flush()
            await each_house.queue.happened(session, task)
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await broken()
    assert (await each_house.store.deliveries(webhook.id, limit=1))[1] == 0
    await each_house.tasks.add(a_task())
    assert (await each_house.store.deliveries(webhook.id, limit=1))[1] == 1


async def test_a_replay_sends_the_same_bytes_as_a_new_entry(house: House, receiver: Receiver) -> None:
    webhook = await house.webhook(receiver.url)
    async with running(house.courier):
        await house.ended()
        await receiver.heard(1)
        first = await house.logged(webhook, state="delivered")
        again = await house.service.replay(caller(), webhook.id, first.id)
        await receiver.heard(2)
    assert again.id != first.id
    assert receiver.calls[0].raw == receiver.calls[1].raw
    assert receiver.calls[1].headers["x-webhand-delivery"] == again.id
    with pytest.raises(NotFound):
        await house.service.replay(caller(), webhook.id, "dlv_unknown")


async def test_owners_hear_only_of_their_own_tasks(house: House, receiver: Receiver) -> None:
    webhook = await house.webhook(receiver.url)
    await house.ended(owner="mallory")
    assert (await house.store.deliveries(webhook.id, limit=1))[1] == 0


async def test_a_deleted_webhook_is_sent_nothing_more(each_house: House, receiver: Receiver) -> None:
    webhook = await each_house.webhook(receiver.url)
    await each_house.owe(webhook, "{}")
    await each_house.service.delete(caller(), webhook.id)
    assert await each_house.store.claim(30) is None
    with pytest.raises(NotFound):
        await each_house.service.get(caller(), webhook.id)


async def test_old_entries_are_forgotten_and_open_ones_kept(house: House, receiver: Receiver) -> None:
    webhook = await house.webhook(receiver.url)
    await house.owe(webhook, "{}", "{}")
    attempt = await house.store.claim(30)
    assert attempt is not None
    await house.store.delivered(attempt, 200)
    assert await house.store.prune(now() - timedelta(days=1)) == 0
    assert await house.store.prune(now() + timedelta(seconds=1)) == 1
    assert (await house.store.deliveries(webhook.id, limit=1))[1] == 1


async def test_the_queue_wakes_the_courier_when_an_attempt_is_due(house: House, receiver: Receiver) -> None:
    woken: asyncio.Queue[str] = asyncio.Queue()

    async def ignore(_subject: str) -> None:
        return None

    webhook = await house.webhook(receiver.url)
    await house.queue.work("worker", on_task=ignore, on_delivery=woken.put, on_schedule=ignore, on_upkeep=ignore)
    [delivery] = await house.owe(webhook, "{}")
    async with asyncio.timeout(20):
        assert await woken.get() == delivery.id


def test_attempts_grow_apart_and_the_last_one_is_at_the_end_of_the_time() -> None:
    patience = Patience(give_up=DAY, disable=3 * DAY)
    delivery = Delivery(id="d", webhook_id="w", event="e", body="{}", created_at=MOMENT)
    moment, gaps = MOMENT, list[float]()
    while (again := patience.again(delivery, Answer(500, "HTTP 500"), moment)) is not None:
        gaps.append((again - moment).total_seconds())
        moment = again
        delivery.attempts += 1
    assert moment == MOMENT + timedelta(seconds=DAY)
    assert gaps[0] < 20
    assert max(gaps) <= DAY / 8 * 4 / 3
    assert 10 <= len(gaps) <= 25


def test_attempts_are_spread_so_that_a_receiver_that_comes_back_is_not_flooded() -> None:
    delivery = Delivery(id="d", webhook_id="w", event="e", body="{}", created_at=MOMENT, attempts=4)
    moments = {Patience().again(delivery, Answer(500, "HTTP 500"), MOMENT) for _ in range(20)}
    assert len(moments) > 10


def test_a_receiver_that_says_when_to_come_back_is_believed_up_to_a_point() -> None:
    delivery = Delivery(id="d", webhook_id="w", event="e", body="{}", created_at=MOMENT, attempts=1)
    asked = Patience().again(delivery, Answer(429, "HTTP 429", retry_after=600), MOMENT)
    assert asked == MOMENT + timedelta(seconds=600)
    greedy = Patience().again(delivery, Answer(429, "HTTP 429", retry_after=10 * DAY), MOMENT)
    assert greedy == MOMENT + timedelta(seconds=DAY / 8)


async def test_each_attempt_is_kept_with_its_time_answer_and_duration(each_house: House, receiver: Receiver) -> None:
    webhook = await each_house.webhook(receiver.url)
    receiver.answers = lambda call: 200 if len(receiver.calls) > 2 else 503
    async with running(each_house.impatient()):
        await each_house.owe(webhook, "{}")
        row = await each_house.logged(webhook, state="delivered")
    tries = row.tries or []
    assert [(one.get("status_code"), one.get("error")) for one in tries] == [
        (503, "HTTP 503"),
        (503, "HTTP 503"),
        (200, None),
    ]
    assert [one["at"] for one in tries] == sorted(one["at"] for one in tries)
    assert all(0 <= one["ms"] < 10_000 for one in tries)


async def test_an_attempt_whose_worker_was_lost_is_kept_too_and_of_many_the_newest(house: House) -> None:
    webhook = await house.webhook("http://127.0.0.1:9/")
    await house.owe(webhook, "{}")
    for _ in range(MOST_TRIES + 5):
        assert await house.store.claim(lease=-1) is not None
    [row], _ = await house.store.deliveries(webhook.id, limit=1)
    assert row.attempts == MOST_TRIES + 5
    assert len(row.tries or []) == MOST_TRIES
    assert {one["error"] for one in row.tries or []} == {"its worker was lost: nobody knows how it went"}
