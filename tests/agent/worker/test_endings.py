"""What the end of a run is called."""

from __future__ import annotations

import pytest

from agent.endings import timed_out
from storage.tables import now
from tests.agent.worker.shop import an_order


@pytest.mark.parametrize(
    ("dialect", "parameter"),
    [("browserman", "timeout"), ("mcp", "timeout"), ("cloud", "max_agent_steps"), ("schedule", "max_agent_steps")],
)
def test_a_task_that_took_too_long_names_what_its_caller_can_raise(dialect: str, parameter: str) -> None:
    failure = timed_out(an_order("done", dialect=dialect, timeout_ms=300_000))
    assert failure.code == "TIMEOUT"
    assert f"raise '{parameter}'" in failure.message


def test_a_task_that_took_too_long_after_its_act_went_out_is_uncertain() -> None:
    failure = timed_out(an_order("done", dialect="mcp", timeout_ms=300_000, armed_at=now()))
    assert failure.code == "OUTCOME_UNCERTAIN"
    assert "look at the site before you try again" in failure.message
