"""Who is in control: the states between the agent and one person, without a browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

import server.live.control
from server.live.control import Control, Diary, bare_url
from server.live.tasks import LiveSettings
from storage.states import TaskState
from tests.server.live_stage import TASK, StagedTasks, eventually
from tools.errors import Conflict

pytestmark = pytest.mark.anyio

ANNE, BERT = "seat-of-anne-0001", "seat-of-bert-0001"


class Table:
    """A control over a staged task, fed with the task's changes as a room does it."""

    def __init__(self, folder: Path, settings: LiveSettings) -> None:
        self.tasks = StagedTasks(folder)
        self.began = 0
        self.ended: list[str] = []
        self.control = Control(TASK, self.tasks, settings, changed=lambda: None, began=self._begin, ended=self._end)
        self.following = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        async for snapshot in self.tasks.follow(TASK):
            await self.control.observe(snapshot)

    async def _begin(self) -> None:
        self.began += 1

    async def _end(self, seat: str) -> None:
        self.ended.append(seat)

    async def phase(self, phase: str) -> None:
        """Waits for a phase."""
        await eventually(lambda: self.control.phase == phase)


@pytest.fixture
async def table(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Table]:
    settings: LiveSettings = getattr(request, "param", LiveSettings())
    table = Table(tmp_path, settings)
    await asyncio.sleep(0)
    yield table
    table.following.cancel()


async def test_taking_waits_until_the_agent_stands_still(table: Table) -> None:
    table.tasks.may_land.clear()
    table.control.take(ANNE)
    await eventually(lambda: table.tasks.calls == ["take"])
    assert (table.control.phase, table.control.holder) == ("taking", ANNE)
    assert not table.control.allows(ANNE), "no input while the agent still acts"
    assert not table.began
    table.tasks.may_land.set()
    await table.phase("held")
    assert table.control.allows(ANNE)
    assert not table.control.allows(BERT)
    assert table.began == 1


async def test_giving_back_lets_the_agent_go_on(table: Table) -> None:
    table.control.take(ANNE)
    await table.phase("held")
    await table.control.give_back()
    assert table.tasks.calls == ["take", "give back"]
    assert table.tasks.snapshot.state is TaskState.PROCESSING
    assert table.ended == [ANNE]
    assert not table.control.allows(ANNE)
    await table.control.give_back()
    assert table.tasks.calls == ["take", "give back"], "twice is once"


async def test_only_one_person_has_control(table: Table) -> None:
    table.control.take(ANNE)
    with pytest.raises(Conflict, match="Somebody else"):
        table.control.take(BERT)
    table.control.take(ANNE)
    await table.phase("held")
    assert table.tasks.calls == ["take"]


async def test_taking_can_be_called_off_before_it_lands(table: Table) -> None:
    table.tasks.may_land.clear()
    table.control.take(ANNE)
    await eventually(lambda: table.tasks.calls == ["take"])
    await table.control.give_back()
    assert table.tasks.calls == ["take", "give back"]
    assert table.control.phase == "free"
    assert table.ended == [], "it had not begun"


async def test_a_refusal_is_told(table: Table) -> None:
    table.tasks.may_land.clear()
    table.control.take(ANNE)
    await eventually(lambda: table.tasks.calls == ["take"])
    table.following.cancel()  # the room has not heard yet what the task knows
    table.tasks.turn(TaskState.COMPLETED)
    table.tasks.may_land.set()
    await table.phase("free")
    assert table.control.notice == "The task has ended."


async def test_a_task_that_waits_for_a_person_is_not_paused_again(table: Table) -> None:
    table.tasks.turn(TaskState.PAUSED, reason="challenge")
    await asyncio.sleep(0)
    table.control.take(ANNE)
    await table.phase("held")
    await table.control.give_back()
    assert table.tasks.calls == []
    assert table.tasks.snapshot.state is TaskState.PAUSED, "it still waits"


async def test_continue_ends_the_wait_and_the_control(table: Table) -> None:
    table.tasks.turn(TaskState.PAUSED, reason="two_factor")
    await asyncio.sleep(0)
    table.control.take(ANNE)
    await table.phase("held")
    await table.control.go_on()
    assert table.tasks.calls == ["continue"]
    assert table.control.phase == "free"
    assert table.ended == [ANNE]


async def test_continue_after_a_take_over_gives_back(table: Table) -> None:
    table.control.take(ANNE)
    await table.phase("held")
    await table.control.go_on()
    assert table.tasks.calls == ["take", "give back"]


async def test_an_agent_that_was_resumed_elsewhere_takes_control_away(table: Table) -> None:
    table.control.take(ANNE)
    await table.phase("held")
    await eventually(lambda: table.tasks.snapshot.state is TaskState.PAUSED)
    await asyncio.sleep(0.05)
    table.tasks.turn(TaskState.PROCESSING, reason=None)
    await table.phase("free")
    assert table.control.notice == "The agent has gone on."
    assert table.tasks.calls == ["take"], "it goes on already"


async def test_the_end_of_the_task_ends_control(table: Table) -> None:
    table.control.take(ANNE)
    await table.phase("held")
    table.tasks.turn(TaskState.CANCELLED)
    await table.phase("free")
    assert table.tasks.calls == ["take"]
    with pytest.raises(Conflict, match="ended"):
        table.control.take(BERT)


@pytest.mark.parametrize("table", [LiveSettings(idle=0.6)], indirect=True)
async def test_an_idle_person_is_warned_and_loses_control(table: Table) -> None:
    table.control.take(ANNE)
    await table.phase("held")
    assert table.control.seconds_left is None
    await eventually(lambda: table.control.seconds_left is not None)
    assert table.control.allows(ANNE), "a sign of life"
    assert table.control.seconds_left is None
    await table.phase("free")
    assert "Nothing was done" in table.control.notice
    assert table.tasks.calls[-1] == "give back"


@pytest.mark.parametrize("table", [LiveSettings(idle=0.5)], indirect=True)
async def test_an_active_person_keeps_control(table: Table) -> None:
    table.control.take(ANNE)
    await table.phase("held")
    ends = asyncio.get_running_loop().time() + 1.5
    while asyncio.get_running_loop().time() < ends:
        assert table.control.allows(ANNE)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("table", [LiveSettings(leave=0.3)], indirect=True)
async def test_who_leaves_loses_control_unless_they_come_back(table: Table) -> None:
    table.control.take(ANNE)
    await table.phase("held")
    table.control.left(BERT)
    table.control.left(ANNE)
    table.control.returned(ANNE)
    await asyncio.sleep(0.5)
    assert table.control.phase == "held"
    table.control.left(ANNE)
    await table.phase("free")
    assert "has left" in table.control.notice
    await eventually(lambda: table.tasks.calls[-1] == "give back")


async def test_the_diary_tells_acts_without_what_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.live.control, "QUIET", 0.05)
    written: list[tuple[str, str]] = []

    async def write(what: str, where: str) -> None:
        written.append((what, where))

    diary = Diary(write)
    for act in ("clicked", "typed", "typed", "typed", "clicked", "pasted"):
        diary.add(act, "https://a.example/login?code=secret#token")
    diary.add("clicked", "https://a.example/home")
    await eventually(lambda: len(written) == 2)
    diary.add("scrolled", "https://a.example/home")
    await diary.close()
    assert written == [
        ("clicked 2 times, typed, pasted", "https://a.example/login"),
        ("clicked", "https://a.example/home"),
        ("scrolled", "https://a.example/home"),
    ]


def test_addresses_are_kept_without_what_may_be_secret() -> None:
    assert bare_url("https://a.example/x/y?code=1#z") == "https://a.example/x/y"
    assert bare_url("https://user:pw@a.example/x") == "https://a.example/x"
    assert bare_url("data:text/html,secret") == "data"
    assert bare_url("about:blank") == "about"
