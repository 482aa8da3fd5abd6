"""What a worker does with tasks, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from storage.database import Database
from storage.ids import mint
from storage.runs import RunStore
from storage.states import TaskState
from storage.tables import Artifact, Step, Task, Worker, now
from storage.tasks import TaskStore

pytestmark = pytest.mark.anyio
MakeTask = Callable[..., Task]


def a_step(task: Task) -> Step:
    return Step(id=mint("step"), task_id=task.id, sequence=0, kind="stage", next_goal="Write it", tokens=7)


async def claimed(runs: RunStore, engine: str = "lite", worker: str = "worker") -> Task:
    task = await runs.claim(worker, engine)
    assert task is not None
    return task


async def stored(tasks: TaskStore, task_id: str) -> Task:
    task = await tasks.get(task_id)
    assert task is not None
    return task


async def test_a_task_is_claimed_once(tasks: TaskStore, runs: RunStore, task: MakeTask) -> None:
    await tasks.add(task())
    got = await asyncio.gather(*(runs.claim(f"worker-{number}", "lite") for number in range(6)))
    assert len([row for row in got if row is not None]) == 1


async def test_a_claimed_task_that_has_not_begun_can_be_given_back(
    tasks: TaskStore, runs: RunStore, task: MakeTask
) -> None:
    await tasks.add(task(id="first"))
    taken = await claimed(runs)
    assert await runs.give_back(taken)
    assert not await runs.complete(taken, {"output": "done"})
    again = await claimed(runs, worker="another")
    assert (again.id, again.token != taken.token) == ("first", True)


async def test_a_task_whose_cancel_was_wanted_meanwhile_is_cancelled_instead_of_given_back(
    tasks: TaskStore, runs: RunStore, task: MakeTask
) -> None:
    await tasks.add(task(id="first"))
    taken = await claimed(runs)
    await tasks.cancel("first")
    assert await runs.give_back(taken)
    assert (await stored(tasks, "first")).state is TaskState.CANCELLED


async def test_the_urgent_come_first_and_then_the_oldest(tasks: TaskStore, runs: RunStore, task: MakeTask) -> None:
    for name, priority in (("old", 100), ("young", 100), ("urgent", 1)):
        await tasks.add(task(id=name, priority=priority, account_id=None))
    assert [(await claimed(runs)).id for _ in range(3)] == ["urgent", "old", "young"]


async def test_an_engine_takes_only_its_own_tasks(tasks: TaskStore, runs: RunStore, task: MakeTask) -> None:
    await tasks.add(task(engine="full"))
    assert await runs.claim("worker", "lite") is None
    assert await runs.claim("worker", "full") is not None


async def test_one_write_at_a_time_per_account(tasks: TaskStore, runs: RunStore, task: MakeTask) -> None:
    await tasks.add(task(id="first"))
    await tasks.add(task(id="second"))
    await tasks.add(task(id="other", account_id="another"))
    first = await claimed(runs)
    assert (first.id, (await claimed(runs)).id) == ("first", "other")
    assert await runs.claim("worker", "lite") is None
    await runs.complete(first, {"output": "done"})
    assert (await claimed(runs)).id == "second"


async def test_writes_of_one_account_never_overlap_however_many_claim(
    tasks: TaskStore, runs: RunStore, task: MakeTask
) -> None:
    for _ in range(5):
        await tasks.add(task())
    got = await asyncio.gather(*(runs.claim(f"worker-{number}", "lite") for number in range(5)))
    assert len([row for row in got if row is not None]) == 1


async def test_reading_tasks_do_not_wait_for_a_write(tasks: TaskStore, runs: RunStore, task: MakeTask) -> None:
    await tasks.add(task(id="write"))
    await tasks.add(task(id="read", writes=False, effect="read"))
    assert {(await claimed(runs)).id, (await claimed(runs)).id} == {"write", "read"}


async def test_the_limit_over_all_workers_holds(tasks: TaskStore, runs: RunStore, task: MakeTask) -> None:
    for _ in range(3):
        await tasks.add(task(account_id=None))
    got = [await runs.claim(f"worker-{number}", "lite", everywhere=2) for number in range(3)]
    assert len([row for row in got if row is not None]) == 2


async def test_the_account_rests_after_an_act_also_for_tasks_that_come_later_and_after_a_restart(
    database: Database, outbox: Any, tasks: TaskStore, runs: RunStore, task: MakeTask
) -> None:
    approved = await tasks.add(task(state=TaskState.PAUSED, pause_reason="approval", paused_at=now()))
    await tasks.add(task(id="first"))
    await tasks.add(task(id="waits"))
    first = await claimed(runs)
    await runs.arm(first)
    await runs.fail(first, {"code": "OUTCOME_UNCERTAIN"}, spacing=60)
    await tasks.add(task(id="comes later", effect="engage"))
    await tasks.ask_resume(approved.id)
    await tasks.add(task(id="only looks", writes=False, effect="read"))
    await tasks.add(task(id="somebody else's", account_id="another"))
    again = RunStore(database, outbox)
    assert {(await claimed(again)).id, (await claimed(again)).id} == {"only looks", "somebody else's"}
    assert await again.claim("worker", "lite") is None


async def test_the_account_goes_on_when_it_has_rested_and_needs_no_rest_without_an_act(
    tasks: TaskStore, runs: RunStore, task: MakeTask
) -> None:
    for name in ("acts", "does not act", "third"):
        await tasks.add(task(id=name))
    acts = await claimed(runs)
    await runs.arm(acts)
    await runs.complete(acts, {"output": "done"}, spacing=-1)  # over already
    idle = await claimed(runs)
    await runs.fail(idle, {"code": "PAGE_CHANGED"}, spacing=60)
    assert (await claimed(runs)).id == "third"


async def test_steps_are_numbered_without_gaps_and_counted(tasks: TaskStore, runs: RunStore, task: MakeTask) -> None:
    await tasks.add(task())
    run = await claimed(runs)
    shot = Artifact(
        id=mint("file"), owner="alice", task_id=run.id, kind="screenshot", name="a", media_type="image/jpeg"
    )
    assert [await runs.step(run, a_step(run), shot), await runs.step(run, a_step(run), None)] == [1, 2]
    stored = await tasks.get(run.id)
    assert stored is not None
    assert (stored.step_count, stored.tokens, shot.step) == (2, 14, 1)
    assert [step.sequence for step in await tasks.steps(run.id)] == [1, 2]
    assert [step.sequence for step in await tasks.steps(run.id, after=1)] == [2]


async def test_who_lost_the_task_changes_nothing(tasks: TaskStore, runs: RunStore, task: MakeTask) -> None:
    await tasks.add(task())
    run = await claimed(runs)
    await runs.fail(run, {"code": "X"})
    assert not await runs.complete(run, {"output": "late"})
    assert not await runs.arm(run)
    assert not await runs.progress(run, "late", 50)
    assert await runs.step(run, a_step(run), None) is None
    stored = await tasks.get(run.id)
    assert stored is not None
    assert (stored.state, stored.error) == (TaskState.FAILED, {"code": "X"})


async def test_a_pause_does_not_count_as_running_time(tasks: TaskStore, runs: RunStore, task: MakeTask) -> None:
    await tasks.add(task())
    run = await claimed(runs)
    assert await runs.pause(run, "challenge", "Solve it")
    paused = await tasks.get(run.id)
    assert paused is not None
    assert (paused.state, paused.pause_reason) == (TaskState.PAUSED, "challenge")
    resumed = await tasks.ask_resume(run.id)
    assert resumed is not None
    assert resumed.state is TaskState.PROCESSING
    assert resumed.paused_ms >= 0
    assert resumed.paused_at is None


async def test_secrets_leave_the_row_when_the_task_ends(tasks: TaskStore, runs: RunStore, task: MakeTask) -> None:
    await tasks.add(task(secrets=b"sealed"))
    run = await claimed(runs)
    await runs.complete(run, {"output": "done"})
    stored = await tasks.get(run.id)
    assert stored is not None
    assert stored.secrets is None


async def test_the_tasks_of_a_silent_worker_fail_and_those_of_a_living_one_go_on(
    tasks: TaskStore, runs: RunStore, task: MakeTask, outbox: object
) -> None:
    for name, worker in (("lost", "dead"), ("fine", "alive")):
        await tasks.add(task(id=name, account_id=name))
        await claimed(runs, worker=worker)
    await runs.beat(Worker(id="alive"))
    lost = await runs.reap(30, lambda row: {"code": "INTERRUPTED", "of": row.id})
    assert lost == ["lost"]
    failed, fine = await tasks.get("lost"), await tasks.get("fine")
    assert failed is not None
    assert fine is not None
    assert (failed.state, failed.error) == (TaskState.FAILED, {"code": "INTERRUPTED", "of": "lost"})
    assert fine.state is TaskState.PROCESSING
    assert ("lost", "failed") in getattr(outbox, "events")  # noqa: B009  # the fixture's class lives in a conftest


async def test_a_clock_that_jumps_ahead_costs_a_living_worker_nothing(
    tasks: TaskStore, runs: RunStore, task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tasks.add(task())
    run = await claimed(runs, worker="alive")
    await runs.beat(Worker(id="alive"))
    later = now() + timedelta(hours=2)
    monkeypatch.setattr(runs, "_clock", lambda: later)
    assert await runs.reap(30, lambda _row: {"code": "INTERRUPTED"}, reaper="alive") == []
    assert [worker.id for worker in await runs.workers()] == ["alive"]
    assert await runs.complete(run, {"output": "Done"})


async def test_a_clock_that_is_set_back_makes_no_task_end_before_it_began(
    tasks: TaskStore, runs: RunStore, task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tasks.add(task())
    earlier = now() - timedelta(hours=2)
    monkeypatch.setattr("storage.runs.now", lambda: earlier)
    monkeypatch.setattr("storage.tasks.now", lambda: earlier)
    run = await claimed(runs)
    assert await runs.complete(run, {"output": "Done"})
    done = await tasks.get(run.id)
    assert done is not None
    assert done.started_at is not None
    assert done.finished_at is not None
    assert done.created_at <= done.started_at <= done.finished_at


async def test_a_reaped_account_goes_on_with_its_next_task(tasks: TaskStore, runs: RunStore, task: MakeTask) -> None:
    await tasks.add(task(id="lost"))
    await tasks.add(task(id="next"))
    await claimed(runs, worker="dead")
    await runs.reap(30, lambda _row: {"code": "INTERRUPTED"})
    assert (await claimed(runs)).id == "next"


async def test_signals_tell_what_is_wanted_of_held_tasks(tasks: TaskStore, runs: RunStore, task: MakeTask) -> None:
    await tasks.add(task())
    run = await claimed(runs)
    assert await runs.signals("worker") == [(run.id, False, False)]
    await tasks.ask_pause(run.id)
    await tasks.cancel(run.id)
    assert await runs.signals("worker") == [(run.id, True, True)]


async def test_a_worker_that_leaves_is_forgotten(database: Database, runs: RunStore) -> None:
    assert database.changes is not None
    await runs.beat(Worker(id="one", version="1"))
    assert [row.id for row in await runs.workers()] == ["one"]
    await runs.leave("one")
    assert await runs.workers() == []
