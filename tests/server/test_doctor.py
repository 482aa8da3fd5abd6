"""What `webhand doctor` looks at, it looks at as a task would find it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from server.commands.doctor import look_at_chromium
from server.settings import read_settings

ENDS = """#!/bin/sh
echo "$@" >"$0.arguments"
exit 1
"""


@pytest.mark.parametrize(("sandbox", "switched_off"), [("off", True), ("on", False)])
def test_chromium_is_tried_with_the_sandbox_of_the_setting(tmp_path: Path, sandbox: str, switched_off: bool) -> None:
    program = tmp_path / "chromium"
    program.write_text(ENDS)
    program.chmod(0o700)
    finding = asyncio.run(look_at_chromium(read_settings(chromium=program, sandbox=sandbox), fix=False))
    assert finding.standing == "missing"
    arguments = Path(f"{program}.arguments").read_text().split()
    assert ("--no-sandbox" in arguments) == switched_off
