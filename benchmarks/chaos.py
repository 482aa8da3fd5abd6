"""300 publishing tasks while processes are killed, frozen and restarted, on SQLite and on PostgreSQL with three workers.

What the practice site saw is compared with what is stored. Takes long:
`python -m benchmarks.chaos [tasks [sqlite|postgresql]]`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.postgres import own_server
from tests.chaos.storm import WORKERS, Fault, Storm, on_postgresql, on_sqlite, storm

TASKS_A_ROUND = 60
"""Every fault strikes once in so many tasks."""


def repeated(faults: list[Fault], tasks: int) -> list[Fault]:
    return [fault for _ in range(max(1, tasks // TASKS_A_ROUND)) for fault in faults]


async def weathered(world: Storm, name: str, faults: list[Fault]) -> str:
    world.left, planned, begun = faults, len(faults), time.monotonic()
    world.pace = max(1, world.tasks // (3 * planned))
    ended = await world.weathered()
    counts = world.site.counts
    twice = sum(1 for count in counts.values() if count > 1)
    told = {call.body["taskId"] for call in world.receiver.calls}
    for wrong in world.disagreements(ended):
        print(wrong, file=sys.stderr)
    for task in ended.values():
        if error := task.get("error"):
            print(task["taskId"], error["code"], error["message"], file=sys.stderr)
    outcomes = ", ".join(f"{word} {count}" for word, count in sorted(world.outcomes(ended).items()))
    return (
        f"| {name} | {world.tasks} | {planned - len(world.left)} | {world.tasks - len(ended)} | {twice} | 0 | "
        f"{len(world.disagreements(ended))} | {len(set(world.created.values()) - told)} | {outcomes} | "
        f"{time.monotonic() - begun:.0f} s |"
    )


async def table(tasks: int, which: str) -> None:
    """Prints the rows as they come."""
    show(
        "| Database | Tasks | Faults | Lost | Published twice | Stuck | Disagrees with the site | Untold | Outcomes | Took |"
    )
    show("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if which != "postgresql":
            (folder / "sqlite").mkdir()
            async with storm(folder / "sqlite", tasks=tasks) as world:
                show(await weathered(world, "SQLite, one process", repeated(on_sqlite(world), tasks)))
        if which != "sqlite":
            (folder / "postgresql").mkdir()
            with own_server() as server:
                settings = {"database": server.url, "workers": WORKERS}
                async with storm(folder / "postgresql", tasks=tasks, lite_slots="2", **settings) as world:  # pyright: ignore[reportArgumentType]  # two kinds of keywords
                    faults = repeated(on_postgresql(world, server), tasks)
                    show(await weathered(world, "PostgreSQL, 3 workers", faults))


def show(line: str) -> None:
    """A row as soon as it is known: the whole run takes long."""
    print(line, flush=True)


if __name__ == "__main__":
    asyncio.run(table(int(sys.argv[1]) if len(sys.argv) > 1 else 300, sys.argv[2] if len(sys.argv) > 2 else ""))
