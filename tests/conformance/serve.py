"""The server for the protocol's conformance suite: the product's wiring with the suite's fixtures.

python -m tests.conformance.serve        serves until it is interrupted, and prints the URL
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from server.codes import Codes
from server.links import Links
from tests.conformance.jobs import ConformanceEngine, TwoQuestions, task_tools
from tests.conformance.suite import Suite
from tests.server.mcp.house import app_of, listener, listening, open_house
from tools.catalog import Catalog, catalog


class WithKey:
    """ASGI middleware that shows a key in the name of a client that has none: the suite knows nothing of keys."""

    def __init__(self, app: ASGIApp, secret: str) -> None:
        self._app = app
        self._header = (b"authorization", f"Bearer {secret}".encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], self._header]}
        await self._app(scope, receive, send)


@asynccontextmanager
async def conformant(folder: Path) -> AsyncGenerator[str]:
    """The URL of a server for the suite."""
    own, product = task_tools(), catalog()
    tools = Catalog({**product.sites, **own.sites}, {**product.tools, **own.tools})
    engine = ConformanceEngine()
    async with open_house(folder, tools, {"lite": engine, "full": engine}) as house:
        with listener() as opened:
            base = f"http://127.0.0.1:{opened.getsockname()[1]}"
            people = TwoQuestions(house.tasks, Links(house.signer, base, live_seconds=60), Codes(house.signer))
            facade = house.facade(base, people, wait=5)  # the suite gives up sooner than other clients
            Suite(facade)
            async with listening(WithKey(app_of(facade), await house.key()), opened):
                yield f"{base}/mcp"


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with conformant(Path(folder)) as url:
            print(url, flush=True)  # noqa: T201  # what it is run for
            await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit()
