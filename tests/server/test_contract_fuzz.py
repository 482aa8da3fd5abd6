"""Found inputs: what the OpenAPI documents promise holds for requests that nobody thought of. Bounded, and the same at every run."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any, Self

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi import checks as openapi_checks

from server.app import build_app
from server.house import House
from server.rest.apis import everything
from server.settings import read_settings

ENOUGH = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
ELSEWHERE = ("/api/v1/search-url", "/api/v1/simple-search")
"""These read pages of the web, which a test does not."""


class Served:
    """A front without a worker in a thread of its own: what is created is never carried out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.origin = ""
        self.key = ""
        self._ready = threading.Event()
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        quiet = read_settings(data=self.folder, demo_site=False, hourly_limit=1_000_000, daily_limit=1_000_000)
        house = House(quiet, self.origin, work=False)
        async with house.open():
            self._server = uvicorn.Server(uvicorn.Config(build_app(house), log_level="critical"))
            serving = asyncio.create_task(self._server.serve(sockets=[listener]))
            while not self._server.started and not serving.done():  # noqa: ASYNC110  # uvicorn tells it no other way
                await asyncio.sleep(0.02)
            _, self.key = await house.key_store.create("fuzz", owner="fuzz")
            self._ready.set()
            await serving

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(30)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    with Served(tmp_path_factory.mktemp("fuzz")) as opened:
        yield opened


_DOCUMENT: Any = schemathesis.openapi.from_dict(everything("0.1.0", "http://127.0.0.1"))
# A webhook's test event is a call to somewhere else; their endpoints have tests of their own.
DOCUMENTED = _DOCUMENT.exclude(path_regex="/webhooks").exclude(path=list(ELSEWHERE))


# What we take beyond the documents (0 for false, as both hosted services do), and what we refuse although its shape is right (a date that
# is none, a host that is none), is no fault: the answers to both must still be documented ones.
CHECKS: Any = openapi_checks
LENIENT: list[Any] = [CHECKS.negative_data_rejection, CHECKS.positive_data_acceptance]
STEERING: list[Any] = [CHECKS.unsupported_method, CHECKS.allow_header_conformance]


@DOCUMENTED.parametrize()
@ENOUGH
def test_every_answer_is_as_documented(case: Any, served: Served) -> None:
    # Steering calls are taken as POST, too, as real callers make them (contract 3.5).
    further = STEERING if case.path.endswith("-task") else []
    headers = {"Authorization": f"Bearer {served.key}"}
    case.call_and_validate(base_url=served.origin, headers=headers, excluded_checks=LENIENT + further)
