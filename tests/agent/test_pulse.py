"""A page whose own thread does not answer: what held it up is told apart."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent.pulse import stop_endless_script

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("busy_with", "stopped"), [("a script", True), ("its layout", False)])
async def test_only_a_script_can_be_stopped(busy_with: str, stopped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.pulse.PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr("agent.pulse.STOP_SECONDS", 0.01)
    asked: list[str] = []

    async def call(method: str, parameters: dict[str, Any]) -> None:
        asked.append(method)
        if method == "Runtime.evaluate" or busy_with == "its layout":
            await asyncio.Event().wait()

    assert await stop_endless_script(call) is stopped
    assert asked == ["Runtime.evaluate", "Runtime.terminateExecution"]


async def test_a_page_that_had_a_script_without_end_finds_less_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.pulse.SUSPICIOUS_SECONDS", 0.01)  # the usual patience would outlast this test's time-out

    async def call(method: str, parameters: dict[str, Any]) -> None:
        if method == "Runtime.evaluate":
            await asyncio.Event().wait()

    async with asyncio.timeout(10):
        assert await stop_endless_script(call, suspicious=True)
