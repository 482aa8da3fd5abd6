"""What a task leaves to look at (3.7): recordings, screenshots, the animation, output files. Each URL is signed and needs no key."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.pictures import as_gif
from server.rest.cloud.parsing import named
from server.rest.cloud.wire import View
from server.rest.endpoint import caller_of
from server.state import State, reach
from storage.artifacts import new_artifact
from storage.tables import Artifact, Task
from tools.errors import NotFound


class OutputFileNotFound(NotFound):
    """Output file not found"""


class Recordings(View):
    """GET /task/{task_id}/media."""

    recordings: list[str] | None


class Screenshots(View):
    """GET /task/{task_id}/screenshots."""

    screenshots: list[str] | None


class Animation(View):
    """GET /task/{task_id}/gif."""

    gif: str | None


class Download(View):
    """GET /task/{task_id}/output-file/{file_name}."""

    download_url: str


async def get_media(request: Request) -> Response:
    """GET /task/{task_id}/media: null until the task ended, or when it was not recorded."""
    state, task = await the_task(request)
    found = await state["tasks"].files(task, "recording") if task.state.final else ()
    return JSONResponse({"recordings": [state["links"].file(file) for file in found] or None})


async def get_screenshots(request: Request) -> Response:
    """GET /task/{task_id}/screenshots: one a step, at once."""
    state, task = await the_task(request)
    found = await state["tasks"].files(task, "screenshot")
    return JSONResponse({"screenshots": [state["links"].screenshot(file) for file in found] or None})


async def get_gif(request: Request) -> Response:
    """GET /task/{task_id}/gif: null with fewer than two screenshots."""
    state, task = await the_task(request)
    shots = await state["tasks"].files(task, "screenshot")
    if len(shots) < 2:
        return JSONResponse({"gif": None})
    known = [file for file in await state["tasks"].files(task, "gif") if file.step == shots[-1].step]
    gif = known[0] if known else await animate(state, task, shots)
    return JSONResponse({"gif": state["links"].file(gif)})


async def get_output_file(request: Request) -> Response:
    """GET /task/{task_id}/output-file/{file_name}: where it can be fetched without a key."""
    state, task = await the_task(request)
    name: str = request.path_params["file_name"]
    found = [file for file in await state["tasks"].files(task, "output") if file.name == name]
    if not found:
        raise OutputFileNotFound
    return JSONResponse({"download_url": state["links"].file(found[-1])})


async def the_task(request: Request) -> tuple[State, Task]:
    """The task that the path names."""
    state = reach(request)
    return state, await state["tasks"].get(caller_of(request), named(request, "task_id"))


async def animate(state: State, task: Task, shots: Sequence[Artifact]) -> Artifact:
    """Makes the animation of the screenshots so far, in the place of an older one."""
    store = state["artifacts"]
    old = await state["tasks"].files(task, "gif")
    gif = new_artifact(task.owner, task.id, "gif", f"{task.id}.gif", "image/gif")
    gif.step = shots[-1].step
    places = [await store.local(shot) for shot in shots]
    await store.keep(gif, await asyncio.to_thread(drawn, [place for place in places if place is not None]))
    await store.add(gif)
    await store.remove(old)
    return gif


def drawn(pictures: Sequence[Path]) -> bytes:
    """The animation of the pictures in these files."""
    return as_gif([picture.read_bytes() for picture in pictures if picture.is_file()])
