"""Runs the benchmarks (the usual ones, or those named) and writes benchmarks/RESULTS.md: `python -m benchmarks [name ...]`."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

FOLDER = Path(__file__).parent
USUAL = ("server", "lists", "platforms", "full_engine", "mcp", "live_view")
LONG = ("scale", "chaos", "endurance", "upkeep")
"""Minutes each: only where they are named."""
NAMES = (*USUAL, *LONG)


def run(name: str) -> str:
    """The table of one benchmark, run in a process of its own so that none disturbs another."""
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
    return done.stdout.strip()


def section(name: str, table: str) -> str:
    load = os.getloadavg()[0]
    when = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f} at the end"
    source = (FOLDER / f"{name}.py").read_text()
    title = source.partition('"""')[2].partition("\n")[0].rstrip('".')
    return f"## {name}\n\n{title}. {when}.\n\n{table}\n"


def main(names: list[str]) -> None:
    path = FOLDER / "RESULTS.md"
    old = path.read_text() if path.exists() else ""
    kept = {part.partition("\n")[0].strip(): f"## {part}" for part in re.split(r"^## ", old, flags=re.MULTILINE)[1:]}
    for name in names or USUAL:
        kept[name] = section(name, run(name))
        print(kept[name])
        head = "# Results\n\nEach figure stands beside a named alternative that was run in the same run. `make bench` writes this file.\n\n"
        path.write_text(head + "\n".join(kept[one].strip() + "\n" for one in NAMES if one in kept))


if __name__ == "__main__":
    main(sys.argv[1:])
