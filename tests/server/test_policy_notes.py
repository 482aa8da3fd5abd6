"""What the platforms' own rules say of automation is told where a user looks first."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.commands.doctor import policies

NAMES = {"Twitter/X": "X", "Xueqiu": "Xueqiu", "Eastmoney": "Eastmoney", "Tonghuashun": "Tonghuashun"}


@pytest.mark.parametrize("name", NAMES)
def test_doctor_and_readme_warn_of_each_platform_and_say_how_far_it_was_proved(name: str) -> None:
    (note,) = (note for note in policies() if note.what == name)
    assert note.standing == "note"
    assert "let a person approve" in note.says
    assert "(proved on: replica)" in note.says
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    warning = readme.partition("## Before you automate an account")[2].partition("\n## ")[0]
    assert NAMES[name] in warning
    assert "verified: replica" in warning
