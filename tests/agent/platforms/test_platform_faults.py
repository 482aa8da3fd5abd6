"""What comes of each fault on each platform: the table of docs/faults.md, played by the lite engine on two platforms at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.agent.platforms.stage import Ran, Stage
from tests.replicas.faults import Fault
from tests.replicas.replica import Replica
from tests.replicas.table import COMPLETED, PLATFORMS, ROWS, End, Row, markdown

pytestmark = pytest.mark.anyio

TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "twitter": ("twitter.createTweet", {"text": "The very first words of the day 😀"}),
    "xueqiu": ("xueqiu.post", {"text": "今天继续看好 $贵州茅台(SH600519)$ 的长期价值"}),
    "eastmoney": ("eastmoney.postWithCode", {"text": "长期看好这只股票", "code": "SH600519"}),
    "tonghuashun": ("tonghuashun.post", {"text": "今天的市场观察,写在收盘之后", "title": "市场观察"}),
}

AT_ONCE = 2
"""More would wait for each other on a small machine, until one of them loses patience."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
async def test_each_fault_ends_as_the_table_says(row: Row, stage: Stage) -> None:
    at_once = asyncio.Semaphore(len(PLATFORMS) if row.in_vain else AT_ONCE)  # to wait in vain costs nothing

    async def played(platform: str) -> Ran:
        replica = stage.replicas[platform]
        replica.reset(*row.faults)
        person = replica.solved if row.person else None
        async with at_once:
            return await stage.play(*TOOLS[platform], person=person, in_vain=row.in_vain)

    ran = await asyncio.gather(*map(played, row.ends))
    checked = [wrong(end, one, stage.replicas[name]) for (name, end), one in zip(row.ends.items(), ran, strict=True)]
    assert "\n".join(filter(None, checked)) == ""


def wrong(end: End, ran: Ran, replica: Replica) -> str:
    """How the end differs from the table's, in what the caller is told or in what really happened; empty: it does not."""
    asked, review = bool(ran.desk.asked), bool(ran.outcome and ran.outcome.result.get("review", False))
    wait = ran.failure.retry_after if ran.failure and end.retry_after else None
    found = End(
        ran.state, len(replica.published), end.retry_after if near(wait, end.retry_after) else wait, review, asked
    )
    authors = {post.author for post in replica.published}
    allowed = {replica.stranger if Fault.OTHER_AUTHOR in replica.faults else replica.member}
    unarmed = end.state == COMPLETED and not ran.desk.armed
    if found == end and authors <= allowed and not unarmed:
        return ""
    return f"{replica.platform}: {found}, written by {authors}, armed {ran.desk.armed} times: {ran.failure!r}"


def near(wait: int | None, wanted: int | None) -> bool:
    """Whether both are the same but for the seconds that have passed."""
    return wait == wanted if wait is None or wanted is None else abs(wait - wanted) <= 3


def test_the_page_of_faults_is_up_to_date() -> None:
    page = Path(__file__).parents[3] / "docs" / "faults.md"
    assert page.read_text(encoding="utf-8") == markdown(), "run python -m tests.replicas.table > docs/faults.md"
