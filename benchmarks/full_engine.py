"""The full engine against a bare browser-use script (bare_agent.py) that does the same four steps, side by side in one run.

The model is rehearsed and answers at once, so what is compared is everything but the thinking. `table()` gives the figures as a
markdown table; `python -m benchmarks.full_engine` prints it. Arguments: rounds (6), and how many tasks at once (4 8).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.engine import Assignment, Options, Reason, StepReport, Window
from agent.full.settings import FullSettings
from agent.full.supervisor import FullEngine
from agent.full.vigil import megabytes
from agent.installed import find_chromium
from server.practice.site import serve_demo_site
from server.rehearsal import Scene, Script, Turn, act
from server.rehearsed_model import serve_rehearsed_model
from tools.browser.run_task import RunTask
from tools.browser.run_task import tool as run_task

BARE = Path(__file__).with_name("bare_agent.py")


def script(site: str) -> Script:
    """Four steps: open the login, log in, open the editor, done."""

    def play(scene: Scene) -> Turn:
        if scene.url.endswith("/compose"):
            return Turn([act("done", text="The editor is open.", success=True)])
        if "/login" in scene.url:
            name, word = scene.index("input", name="username"), scene.index("input", type="password")
            return Turn(
                [
                    act("input", index=name, text="alice"),
                    act("input", index=word, text="practice-alice"),
                    act("click", index=scene.index("button", text="Log in")),
                ]
            )
        return Turn([act("navigate", url=f"{site}/{'compose' if scene.url.startswith(site) else 'login'}")])

    return play


@dataclass
class Clock:
    """A desk that only notes when things happened."""

    began: float = field(default_factory=time.perf_counter)
    steps: list[float] = field(default_factory=list[float])
    stepped: asyncio.Event = field(default_factory=asyncio.Event)

    async def progress(self, word: str, percentage: int) -> None:
        """Not noted."""

    async def step(self, report: StepReport) -> None:
        """Notes the time."""
        self.steps.append(time.perf_counter() - self.began)
        self.stepped.set()

    async def arm(self) -> None:
        """Not noted."""

    async def gate(self) -> None:
        """Always open."""

    async def ask(self, reason: Reason, message: str) -> None:
        """Always answered."""

    async def keep_login(self, state: Mapping[str, Any]) -> None:
        """Not kept."""

    def show(self, window: Window | None) -> None:
        """Not shown."""


class Bench:
    """The engine's side."""

    def __init__(self, engine: FullEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.numbers = itertools.count()

    def assignment(self, model: str = "bare") -> Assignment:
        """The benchmark's task, as a conversation of its own."""
        number = next(self.numbers)
        folder = self.folder / f"task-{number}"
        folder.mkdir()
        options = Options(model=f"{model}@full-{number}", max_steps=6)
        parameters = RunTask(task="Log in and look at the editor")
        return Assignment(f"task_{number}", run_task, None, parameters, options, folder)

    async def warm(self) -> None:
        """Waits until the pairs are ready, so that each round begins warm."""
        self.engine.pairs.fill()
        if self.engine.pairs.filling is not None:
            await self.engine.pairs.filling

    async def one(self) -> tuple[float, float]:
        """Seconds of one task, and until its first step was reported."""
        clock = Clock()
        await self.engine.carry_out(self.assignment(), clock)
        return time.perf_counter() - clock.began, clock.steps[0]

    async def together(self, tasks: int) -> float:
        """Seconds until so many tasks that began at once were done."""
        began = time.perf_counter()
        await asyncio.gather(*(self.one() for _ in range(tasks)))
        return time.perf_counter() - began

    async def memory(self) -> int:
        """The most that one task's runner and Chromium used (MB)."""
        most = 0
        pair = self.engine.pairs.ready[0]
        running = asyncio.ensure_future(self.one())
        while not running.done():
            used = await asyncio.to_thread(megabytes, pair.chromium.pid, pair.runner.process.pid)
            most = max(most, used)
            await asyncio.wait({running}, timeout=0.5)
        await running
        return most

    async def cancel(self) -> float:
        """Seconds from cancelling a run in the middle of a model's answer until nothing of it is left."""
        clock = Clock()
        running = asyncio.ensure_future(self.engine.carry_out(self.assignment("slow"), clock))
        await clock.stepped.wait()
        began = time.perf_counter()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return time.perf_counter() - began


async def bare(base_url: str, chromium: Path, rounds: int, at_once: int) -> dict[str, Any]:
    """The bare script's figures."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(BARE),
        base_url,
        str(chromium),
        str(rounds),
        str(at_once),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the bare script failed")
    return json.loads(out.splitlines()[-1])


async def table(rounds: int = 6, together: tuple[int, ...] = (4, 8)) -> str:
    """Measures everything and gives a markdown table; ratios are ours over the bare script's."""
    chromium = find_chromium(None)
    if chromium is None:
        raise RuntimeError("there is no Chromium")
    lines = ["| full engine | ours | bare browser-use | ratio |", "|---|---|---|---|"]

    def line(what: str, ours: float, theirs: float | None = None, unit: str = "s") -> None:
        compared = f"{theirs:.2f} {unit} | {ours / theirs:.2f}" if theirs else "- | -"
        lines.append(f"| {what} | {ours:.2f} {unit} | {compared} |")

    async def slow(scene: Scene) -> Turn:
        return Turn([act("wait", seconds=0)], delay=0 if scene.round == 0 else 60)

    scripts: dict[str, Script] = {"slow": slow}
    with tempfile.TemporaryDirectory(prefix="webhand-full-") as name:
        folder = Path(name)
        async with serve_demo_site() as site, serve_rehearsed_model(scripts) as base_url:
            scripts["bare"] = script(site)
            engine = FullEngine(
                FullSettings(
                    chromium=chromium,
                    run_folder=folder / "run",
                    base_url=base_url,
                    model="bare",
                    warm=1,
                    private_network=True,
                )
            )
            bench = Bench(engine, folder)
            try:
                ours, firsts, theirs, inner, cancels = (list[float]() for _ in range(5))
                bare_memory = 0
                for _ in range(rounds):  # in turn, so that what else the machine does hits both alike
                    await bench.warm()
                    whole, first = await bench.one()
                    ours.append(whole)
                    firsts.append(first)
                    found = await bare(base_url, chromium, 1, 1)
                    theirs += found["whole"]
                    inner += found["inner"]
                    bare_memory = max(bare_memory, found["megabytes"])
                line(
                    "4 steps, warm pair; bare: with its browser's start",
                    statistics.median(ours),
                    statistics.median(theirs),
                )
                line("4 steps, warm pair; bare: without it", statistics.median(ours), statistics.median(inner))
                line("claim to first step, warm", statistics.median(firsts))
                await bench.warm()
                line("most memory of one task", await bench.memory(), bare_memory, "MB")
                for tasks in together:
                    found = await bare(base_url, chromium, 1, tasks)
                    line(f"{tasks} tasks at once; bare: in one process", await bench.together(tasks), found["walls"][0])
                for _ in range(rounds):
                    cancels.append(await bench.cancel())
                line("cancel until nothing is left", statistics.median(cancels))
            finally:
                await engine.close()
    return "\n".join(lines)


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    print(asyncio.run(table(given[0] if given else 6, tuple(given[1:]) or (4, 8))))
