"""What comes of each fault on each platform: the table of docs/faults.md, played by the lite engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.agent.platforms.stage import Stage
from tests.replicas.table import COMPLETED, PLATFORMS, ROWS, Row, markdown

pytestmark = pytest.mark.anyio

TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "twitter": ("twitter.createTweet", {"text": "The very first words of the day 😀"}),
    "xueqiu": ("xueqiu.post", {"text": "今天继续看好 $贵州茅台(SH600519)$ 的长期价值"}),
    "eastmoney": ("eastmoney.postWithCode", {"text": "长期看好这只股票", "code": "SH600519"}),
    "tonghuashun": ("tonghuashun.post", {"text": "今天的市场观察,写在收盘之后", "title": "市场观察"}),
}
CASES = [pytest.param(row, name, id=f"{row.title}-{name}") for row in ROWS for name in PLATFORMS if name in row.ends]


@pytest.mark.parametrize(("row", "platform"), CASES)
async def test_each_fault_ends_as_the_table_says(row: Row, platform: str, stage: Stage) -> None:
    replica, end = stage.replicas[platform], row.ends[platform]
    replica.reset(*row.faults)
    tool, parameters = TOOLS[platform]

    ran = await stage.play(tool, parameters, person=replica.faults.clear if row.person else None, in_vain=row.in_vain)

    assert ran.state == end.state, ran.failure
    assert len(replica.published) == end.published
    assert bool(ran.desk.asked) == end.asked
    if end.state == COMPLETED:
        assert ran.result.get("review", False) is end.review
        assert ran.desk.armed == 1
    if ran.failure and end.retry_after:
        assert ran.failure.retry_after is not None
        assert abs(ran.failure.retry_after - end.retry_after) <= 3


def test_the_page_of_faults_is_up_to_date() -> None:
    page = Path(__file__).parents[3] / "docs" / "faults.md"
    assert page.read_text(encoding="utf-8") == markdown(), "run python -m tests.replicas.table > docs/faults.md"
