"""What the settings say reaches the engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.full.supervisor import FullEngine
from server.engines import build_engines
from server.settings import SettingWrong, read_settings


def test_the_limits_of_a_full_task_are_those_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHAND_FULL_MEMORY", "2000")
    monkeypatch.setenv("WEBHAND_FULL_DISK", "300")
    full = build_engines(read_settings(data=tmp_path), tmp_path / "run", {})["full"]
    assert isinstance(full, FullEngine)
    assert (full.settings.memory_mb, full.settings.disk_mb) == (2000, 300)


def test_a_limit_below_a_new_profile_is_refused_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHAND_FULL_DISK", "1")
    with pytest.raises(SettingWrong, match="WEBHAND_FULL_DISK"):
        read_settings(data=tmp_path)
