"""A bare browser-use script that does the benchmark's task, as its own documentation would have it: one process, one session a task.

Arguments: the model's base URL, the executable, how many rounds, how many tasks at once. Prints a JSON line with the seconds of each task
(with and without starting the browser) and of each round, and the most memory that it and its browsers used (MB).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

os.environ.update(  # what would call home is off, as in the engine: the machine may be offline
    ANONYMIZED_TELEMETRY="false",
    BROWSER_USE_CLOUD_SYNC="false",
    BROWSER_USE_VERSION_CHECK="false",
    BROWSER_USE_DISABLE_EXTENSIONS="1",
    BROWSER_USE_SETUP_LOGGING="false",
    SKIP_LLM_API_KEY_VERIFICATION="true",
)

import psutil
from browser_use import Agent, BrowserProfile, BrowserSession, ChatOpenAI


def megabytes(root: int) -> int:
    process = psutil.Process(root)
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            used = one.memory_full_info()
        except psutil.Error:
            continue
        total += getattr(used, "pss", used.rss)
    return total >> 20


async def task(base_url: str, executable: str, number: str) -> tuple[float, float]:
    """Seconds of one task, with and without the browser's start."""
    began = time.perf_counter()
    profile = BrowserProfile(
        executable_path=executable,
        headless=True,
        chromium_sandbox=os.geteuid() != 0,
        enable_default_extensions=False,
        captcha_solver=False,
        viewport={"width": 1280, "height": 960},  # pyright: ignore[reportArgumentType]  # validated into its own type
    )
    session = BrowserSession(browser_profile=profile)
    await session.start()
    started = time.perf_counter()
    agent: Agent[Any, Any] = Agent(
        task="Log in and look at the editor",
        llm=ChatOpenAI(model=f"bare@{number}", base_url=base_url, api_key="none"),
        browser_session=session,
        use_judge=False,
        directly_open_url=False,
        enable_signal_handler=False,
    )
    history = await agent.run(max_steps=6)  # pyright: ignore[reportUnknownMemberType]  # its own hook types are bare
    assert history.is_successful(), history.errors()  # a benchmark of failures would be fast
    ended = time.perf_counter()
    return ended - began, ended - started


async def main(base_url: str, executable: str, rounds: int, at_once: int) -> None:
    whole, inner, walls = list[float](), list[float](), list[float]()
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, await asyncio.to_thread(megabytes, os.getpid()))
            await asyncio.sleep(0.5)

    watching = asyncio.create_task(watch())
    for number in range(rounds):
        began = time.perf_counter()
        done = await asyncio.gather(
            *(task(base_url, executable, f"{os.getpid()}-{number}-{place}") for place in range(at_once))
        )
        walls.append(time.perf_counter() - began)
        whole += [pair[0] for pair in done]
        inner += [pair[1] for pair in done]
    watching.cancel()
    print(json.dumps({"whole": whole, "inner": inner, "walls": walls, "megabytes": most}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
