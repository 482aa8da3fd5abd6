"""Tables of the command line on a narrow terminal."""

from __future__ import annotations

import io

from rich.console import Console

from server.commands.local import table


def test_what_is_to_be_copied_is_whole_and_nothing_is_cut_off() -> None:
    terminal = Console(file=io.StringIO(), width=60)
    listed = table("Task", "Tool", "Status")
    listed.add_row("task_01a228e3670e771f8214a8287834b33e", "tonghuashun.post", "completed")
    terminal.print(listed)
    assert isinstance(terminal.file, io.StringIO)
    shown = terminal.file.getvalue()
    assert "task_01a228e3670e771f8214a8287834b33e" in shown
    assert "…" not in shown
