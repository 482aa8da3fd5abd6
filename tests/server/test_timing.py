"""When schedules are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.timing import Timing, first
from storage.tables import now
from tools.errors import InvalidParameters

START = datetime(2024, 1, 1, 9, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def timing(**given: Any) -> Timing:
    usual: dict[str, Any] = {
        "kind": "interval",
        "interval_minutes": 60,
        "cron": None,
        "start_at": START,
        "end_at": START + timedelta(days=365),
    }
    return Timing(**{**usual, **given})


def cron(expression: str, **given: Any) -> Timing:
    return timing(kind="cron", cron=expression, interval_minutes=None, **given)


def test_an_interval_counts_from_its_start() -> None:
    hourly = timing()
    assert hourly.following(START - timedelta(days=3)) == START
    assert hourly.following(START - TICK) == START
    assert hourly.following(START) == START + timedelta(hours=1)
    assert hourly.following(START + timedelta(minutes=59)) == START + timedelta(hours=1)
    assert hourly.following(START + timedelta(days=10, minutes=1)) == START + timedelta(days=10, hours=1)


def test_a_cron_expression_is_read_in_utc() -> None:
    weekdays = cron("30 9 * * 1-5")
    assert weekdays.following(START) == START + timedelta(minutes=30)
    friday_evening = datetime(2024, 1, 5, 20, 0, tzinfo=UTC)
    assert weekdays.following(friday_evening) == datetime(2024, 1, 8, 9, 30, tzinfo=UTC)
    elsewhere = friday_evening.astimezone(UTC).replace(tzinfo=UTC)
    assert weekdays.following(elsewhere) == datetime(2024, 1, 8, 9, 30, tzinfo=UTC)


def test_a_start_that_fits_the_expression_is_due_itself() -> None:
    assert cron("0 9 * * *").following(START - TICK) == START
    assert cron("0 9 * * *").following(START) == START + timedelta(days=1)


def test_nothing_is_due_after_the_end() -> None:
    ends = START + timedelta(hours=2)
    assert timing(end_at=ends).following(START + timedelta(hours=1)) == ends
    assert timing(end_at=ends).following(ends) is None
    assert cron("0 9 * * *", end_at=ends).following(START) is None


def test_a_schedule_that_starts_now_is_due_at_once_and_an_older_one_at_its_next_moment() -> None:
    moment = now()
    assert first(timing(start_at=moment, end_at=moment + timedelta(days=1))) == moment
    later = moment + timedelta(days=2)
    assert first(timing(start_at=later, end_at=later + timedelta(days=1))) == later
    earlier = moment - timedelta(minutes=90)
    due = first(timing(start_at=earlier, end_at=moment + timedelta(days=1)))
    assert due == earlier + timedelta(hours=2)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"interval_minutes": None}, "interval_minutes"),
        ({"kind": "cron"}, "cron_expression"),
        ({"end_at": START}, "end_at"),
        *(
            ({"kind": "cron", "cron": wrong}, "cron_expression")
            for wrong in (
                "never",
                "* * * *",
                "* * * * * *",
                "61 * * * *",
                "0 0 30 2 *",
                "R * * * *",
                "H * * * *",
                "@hourly",
                "*/0 * * * *",
                "0 0 * * x",
            )
        ),
    ],
)
def test_a_timing_that_cannot_be_names_its_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        timing(**given).check()
    assert refused.value.details == {"field": field}


@pytest.mark.parametrize("right", ["* * * * *", "*/5 9-17 * * mon-fri", "0 0 1,15 * *", "0 0 L * *", "0 0 29 2 *"])
def test_the_usual_cron_expressions_are_understood(right: str) -> None:
    cron(right).check()
