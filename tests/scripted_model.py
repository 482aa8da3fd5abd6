"""The rehearsed model for tests: served over real HTTP on loopback, keeping every request it gets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from server.rehearsal import Fault, Scene, Script, Turn
from server.rehearsed_model import RehearsedModel

__all__ = ["Fault", "Scene", "Script", "Turn", "acts", "done", "in_turn", "scripted_model", "served", "unused_port"]

Act = Mapping[str, Any]
Line = Act | list[Act] | Callable[[Scene], Act | list[Act] | Turn | Fault] | Turn | Fault
"""One round: actions, a whole turn, a fault, or what makes one of them from what is shown."""


@contextmanager
def served(app: ASGIApp) -> Generator[str]:
    """Serves the app on a free port of 127.0.0.1; yields its origin."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", ws_per_message_deflate=False)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()  # connections wait in the socket's queue until it is up
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)


@contextmanager
def scripted_model(scripts: Mapping[str, Script], api_key: str | None = None) -> Generator[tuple[RehearsedModel, str]]:
    """Serves the scripts; yields the model and its base URL."""
    model = RehearsedModel(scripts, api_key=api_key)
    model.keep_requests = True
    with served(model.app) as origin:
        yield model, f"{origin}/v1"


def in_turn(*lines: Line) -> Script:
    """A script that says its lines one after the other, and the last one again and again."""

    def script(scene: Scene) -> Turn | Fault:
        line = lines[min(scene.round, len(lines) - 1)]
        said = line(scene) if callable(line) else line
        if isinstance(said, Turn | Fault):
            return said
        return Turn(
            said if isinstance(said, list) else [said], next_goal=f"Round {scene.round + 1}", memory=f"m{scene.round}"
        )

    return script


def acts(name: str, **parameters: Any) -> Act:
    """One action."""
    return {name: parameters}


def done(text: str = "It is done.", *, success: bool = True, **more: Any) -> Act:
    """The action that ends a run."""
    return {"done": {"text": text, "success": success, **more}}


def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
