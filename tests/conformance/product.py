"""`webhand serve` as the protocol's conformance suite can reach it: the suite knows nothing of keys, so a proxy shows one in its name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from tests.journeys.conftest import end, serve
from tests.server.mcp.client import http_client
from tests.server.mcp.house import listener, listening

_METHODS = ["GET", "POST", "DELETE", "OPTIONS", "PUT"]


def proxy(server: str, secret: str, http: httpx2.AsyncClient) -> Starlette:
    """Passes everything on as it comes, the name under which it was called too, and adds the key."""

    async def forward(request: Request) -> StreamingResponse:
        asked = http.build_request(
            request.method,
            server + request.url.path,
            headers=[*request.headers.items(), ("authorization", f"Bearer {secret}")],
            content=await request.body(),
        )
        answer = await http.send(asked, stream=True)
        headers = {name: value for name, value in answer.headers.items() if name != "transfer-encoding"}
        return StreamingResponse(answer.aiter_raw(), answer.status_code, headers)

    return Starlette(routes=[Route("/{path:path}", forward, methods=_METHODS)])


@asynccontextmanager
async def product(folder: Path) -> AsyncGenerator[str]:
    """The URL at which a running `webhand serve` answers without a key."""
    running = await asyncio.to_thread(serve, folder, "log", mcp_wait="5", demo_site="false")
    try:
        secret = (running.folder / "local.key").read_text().strip()
        with listener() as opened:
            async with http_client() as http:
                app = proxy(str(running.client.base_url).rstrip("/"), secret, http)
                async with listening(app, opened):
                    yield f"http://127.0.0.1:{opened.getsockname()[1]}/mcp"
    finally:
        end(running)
