"""How long a site wants one to wait."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tools.patience import seconds_to_wait

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (30, 30),
        ("30", 30),
        (2.2, 3),
        (0, 1),
        (int(NOW.timestamp()) + 900, 900),
        (str(int(NOW.timestamp()) + 900), 900),
        (int(NOW.timestamp() * 1000) + 5000, 5),
        (int(NOW.timestamp()) - 10, 1),
        ("Sat, 21 Nov 2026 12:02:00 GMT", 120),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 1),
        ("发帖太频繁,请60秒后再试", 60),
        ("请5分钟后再试", 300),
        ("请1小时30分钟后再试", 5400),
        ("try again in 5 minutes", 300),
        ("wait 10s", 10),
        ("操作过于频繁", None),
        ("code 187", None),
        ("", None),
        (None, None),
        (True, None),
        (-5, None),
        (float("inf"), None),
        ({"a": 1}, None),
    ],
)
def test_reads_numbers_moments_dates_and_sentences(said: object, seconds: int | None) -> None:
    assert seconds_to_wait(said, NOW) == seconds
