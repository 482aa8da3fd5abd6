"""Tasks as callers see them, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import delete, text
from sqlalchemy.dialects import sqlite
from sqlmodel import col

from storage.database import Database
from storage.filters import TaskFilter, page_of
from storage.idempotency import IDEMPOTENCY_KEPT, IdempotencyClash
from storage.runs import RunStore
from storage.states import FOLLOWS, TaskState
from storage.tables import Idempotency, Task, now
from storage.tasks import QueueFull, TaskStore

pytestmark = pytest.mark.anyio
MakeTask = Callable[..., Task]


def test_every_state_has_its_followers_and_only_four_are_final() -> None:
    assert set(FOLLOWS) == set(TaskState)
    assert {state for state in TaskState if state.final} == {"completed", "failed", "timeout", "cancelled"}


async def test_an_added_task_wakes_a_worker_in_the_same_transaction(
    tasks: TaskStore, task: MakeTask, outbox: object
) -> None:
    added = await tasks.add(task())
    assert getattr(outbox, "readied") == [added.id]  # noqa: B009  # the fixture's class lives in a conftest


async def test_a_task_of_another_owner_is_not_there(tasks: TaskStore, task: MakeTask) -> None:
    added = await tasks.add(task(owner="alice"))
    assert await tasks.get(added.id, "alice") is not None
    assert await tasks.get(added.id, "bob") is None


async def test_the_list_is_newest_first_with_the_total_of_all_pages(tasks: TaskStore, task: MakeTask) -> None:
    added = [await tasks.add(task(account_id=None)) for _ in range(5)]
    page, total = await tasks.list("alice", TaskFilter(), limit=2, offset=1)
    assert total == 5
    assert [row.id for row in page] == [added[3].id, added[2].id]


async def test_filters_are_all_required_to_hold(tasks: TaskStore, task: MakeTask) -> None:
    wanted = await tasks.add(task(platform="demo", tool="likePost", account_name="a"))
    await tasks.add(task(platform="demo", tool="createPost", account_name="a"))
    await tasks.add(task(platform="twitter", tool="likePost", account_name="a"))
    found, total = await tasks.list("alice", TaskFilter(platform="demo", tool="likePost", account_name="a"), limit=9)
    assert ([row.id for row in found], total) == ([wanted.id], 1)


async def test_moments_filter_from_inclusive_to_exclusive(tasks: TaskStore, task: MakeTask) -> None:
    moment = now()
    early = await tasks.add(task(created_at=moment - timedelta(days=2)))
    exact = await tasks.add(task(created_at=moment))
    found, _ = await tasks.list("alice", TaskFilter(since=moment), limit=9)
    assert [row.id for row in found] == [exact.id]
    found, _ = await tasks.list("alice", TaskFilter(until=moment), limit=9)
    assert [row.id for row in found] == [early.id]


async def test_the_position_counts_who_comes_before(tasks: TaskStore, task: MakeTask) -> None:
    first = await tasks.add(task())
    second = await tasks.add(task())
    urgent = await tasks.add(task(priority=1))
    await tasks.add(task(engine="full"))
    assert [await tasks.position(row) for row in (urgent, first, second)] == [1, 2, 3]


async def test_a_pending_task_is_cancelled_at_once_and_only_once(tasks: TaskStore, task: MakeTask) -> None:
    added = await tasks.add(task())
    cancelled = await tasks.cancel(added.id)
    assert cancelled is not None
    assert cancelled.state is TaskState.CANCELLED
    assert cancelled.finished_at is not None
    assert await tasks.cancel(added.id) is None


async def test_a_running_task_is_asked_to_cancel(tasks: TaskStore, runs: RunStore, task: MakeTask) -> None:
    added = await tasks.add(task())
    await runs.claim("worker", "lite")
    asked = await tasks.cancel(added.id)
    assert asked is not None
    assert (asked.state, asked.cancel_wanted) == (TaskState.PROCESSING, True)


async def test_the_same_idempotency_key_answers_with_the_first_task(tasks: TaskStore, task: MakeTask) -> None:
    def request(subject: str, request_hash: str = "h") -> Idempotency:
        return Idempotency(key_id="key", idempotency_key="once", request_hash=request_hash, subject=subject)

    first = await tasks.add(task(id="one"), request("one"))
    again = await tasks.add(task(id="two"), request("two"))
    assert (first.id, again.id) == ("one", "one")
    with pytest.raises(IdempotencyClash):
        await tasks.add(task(id="three"), request("three", request_hash="other"))


async def test_an_idempotency_key_is_forgotten_after_a_day(tasks: TaskStore, task: MakeTask) -> None:
    old = now() - IDEMPOTENCY_KEPT - timedelta(seconds=1)
    await tasks.add(
        task(id="one"), Idempotency(key_id="k", idempotency_key="once", request_hash="h", subject="one", created_at=old)
    )
    fresh = await tasks.add(
        task(id="two"), Idempotency(key_id="k", idempotency_key="once", request_hash="other", subject="two")
    )
    assert fresh.id == "two"


async def test_identical_requests_at_the_same_moment_make_one_task(tasks: TaskStore, task: MakeTask) -> None:
    made = await asyncio.gather(*(tasks.add(task(request_hash="same"), merge=True) for _ in range(8)))
    assert len({row.id for row in made}) == 1


async def test_a_key_that_was_answered_with_an_identical_task_stays_answered_with_it(
    tasks: TaskStore, task: MakeTask
) -> None:
    def request(subject: str) -> Idempotency:
        return Idempotency(key_id="key", idempotency_key="once", request_hash="same", subject=subject)

    first = await tasks.add(task(id="one", key_id="key", request_hash="same"), merge=True)
    merged = await tasks.add(task(id="two", key_id="key", request_hash="same"), request("two"), merge=True)
    await tasks.cancel(first.id)
    again = await tasks.add(task(id="three", key_id="key", request_hash="same"), request("three"), merge=True)
    assert (merged.id, again.id) == ("one", "one")


async def test_a_task_that_waits_for_approval_goes_to_the_queue_when_resumed(
    tasks: TaskStore, runs: RunStore, task: MakeTask
) -> None:
    added = await tasks.add(task(state=TaskState.PAUSED, pause_reason="approval", paused_at=now()))
    assert await runs.claim("worker", "lite") is None
    resumed = await tasks.ask_resume(added.id)
    assert resumed is not None
    assert (resumed.state, resumed.pause_reason) == (TaskState.PENDING, None)
    assert await runs.claim("worker", "lite") is not None


async def test_acts_count_what_was_armed_and_what_still_may_be(
    database: Database, tasks: TaskStore, runs: RunStore, task: MakeTask
) -> None:
    armed = await tasks.add(task())
    claimed = await runs.claim("worker", "lite")
    assert claimed is not None
    await runs.arm(claimed)
    await runs.fail(claimed, {"code": "OUTCOME_UNCERTAIN"})
    never = await tasks.add(task())
    await tasks.cancel(never.id)
    await tasks.add(task())
    async with database.reading() as session:
        acts = await tasks.acts(session, "acc", ["publish"], now() - timedelta(hours=1))
    assert len(acts) == 2
    assert armed.id != never.id


async def test_followers_wake_when_the_task_changes(database: Database, tasks: TaskStore, task: MakeTask) -> None:
    added = await tasks.add(task())
    with database.changes.follow(added.id) as follower:
        await tasks.cancel(added.id)
        assert await follower.changed(5)


async def test_a_change_in_another_process_wakes_followers_on_postgresql(
    postgres_url: str, task: MakeTask, outbox: object
) -> None:
    here, there = Database(postgres_url), Database(postgres_url)
    await here.open()
    await there.open()
    added = await TaskStore(here, outbox).add(task())  # pyright: ignore[reportArgumentType]  # the fixture's class lives in a conftest
    with there.changes.follow(added.id) as follower:
        await TaskStore(here, outbox).cancel(added.id)  # pyright: ignore[reportArgumentType]  # as above
        assert await follower.changed(5)
    await here.close()
    await there.close()


async def test_the_total_is_exact_whatever_is_asked_for(database: Database, tasks: TaskStore, task: MakeTask) -> None:
    kinds = [
        task(),
        task(account_id="other", account_name="other"),
        task(tool="likePost"),
        task(platform="browser", tool="runTask", account_id=None, account_name=None, engine="full"),
        task(state=TaskState.COMPLETED),
        task(owner="bob"),
    ]
    async with database.writing() as session:
        session.add_all(kinds)
    filters = [
        TaskFilter(),
        TaskFilter(platform="demo"),
        TaskFilter(platform="demo", tool="createPost", account_name="my-demo"),
        TaskFilter(account_id="other"),
        TaskFilter(platforms=frozenset({"browser", "twitter"})),
        TaskFilter(engine="full"),
        TaskFilter(states=frozenset({TaskState.COMPLETED})),
        TaskFilter(platform="nowhere"),
    ]
    for one in filters:
        for owner in ("alice", "bob", None):
            rows, total = await tasks.list(owner, one, limit=100)
            assert total == len(rows), (owner, one)
    assert (await tasks.list("alice", TaskFilter(), limit=2))[1] == 5
    async with database.writing() as session:
        await session.execute(delete(Task).where(col(Task.owner) == "alice", col(Task.tool) == "createPost"))
    assert (await tasks.list("alice", TaskFilter(), limit=2))[1] == 2


async def test_creates_at_once_are_all_counted(tasks: TaskStore, task: MakeTask) -> None:
    await asyncio.gather(*(tasks.add(task()) for _ in range(20)))
    assert (await tasks.list("alice", TaskFilter(), limit=1))[1] == 20


async def test_many_at_once_do_not_get_past_the_limit(tasks: TaskStore, task: MakeTask) -> None:
    added = await asyncio.gather(
        *(tasks.add(task(account_id=None), most=10) for _ in range(40)), return_exceptions=True
    )
    assert len([one for one in added if isinstance(one, Task)]) == 10
    assert {type(one) for one in added} == {Task, QueueFull}
    assert await tasks.waiting() == {"lite": 10}


async def test_a_page_of_several_states_is_the_newest_of_them_all(tasks: TaskStore, task: MakeTask) -> None:
    begun = now()
    states = [TaskState.FAILED, TaskState.COMPLETED, TaskState.CANCELLED, TaskState.FAILED, TaskState.TIMEOUT]
    for age, state in enumerate(states):
        await tasks.add(task(id=f"task{age}", state=state, created_at=begun - timedelta(seconds=age)))
    unlucky = TaskFilter(states=frozenset(TaskState) - {TaskState.COMPLETED})
    found = [(await tasks.list("alice", unlucky, limit=2, offset=offset)) for offset in (0, 2, 4)]
    assert [[row.id for row in rows] for rows, _ in found] == [["task0", "task2"], ["task3", "task4"], []]
    assert {total for _, total in found} == {4}


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        (TaskFilter(), "task_newest"),
        (TaskFilter(platform="demo"), "task_by_platform"),
        (TaskFilter(account_id="acc"), "task_by_account"),
        (TaskFilter(account_name="my-demo"), "task_by_account_name"),
        (TaskFilter(states=frozenset({TaskState.FAILED})), "task_by_state"),
        (TaskFilter(states=frozenset({TaskState.PROCESSING, TaskState.PAUSED})), "task_by_state"),
        (TaskFilter(since=now()), "task_newest"),
    ],
)
async def test_on_sqlite_a_page_comes_from_its_filters_index_in_order(
    sqlite_url: str, filters: TaskFilter, index: str
) -> None:
    """PostgreSQL plans by what is in the table."""
    wanted = page_of("alice", filters, 50, 0).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    database = Database(sqlite_url)
    async with database.reading() as session:
        plan = [row[3] for row in (await session.execute(text(f"EXPLAIN QUERY PLAN {wanted}"))).all()]
    await database.close()
    searches = [step for step in plan if step.startswith("SEARCH")]
    assert searches
    assert all(f"COVERING INDEX {index} (" in step for step in searches), plan
    assert sum("TEMP B-TREE" in step for step in plan) == (len(searches) > 1), "only states apart are put together"
