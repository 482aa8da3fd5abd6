"""Pages that would wear a browser, an agent or a server out; the tests of both engines send their browsers there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

SCRIPTS = {
    "hundred-thousand-nodes": "document.body.append(...Array.from({length: 1e5}, () => document.createElement('i')))",
    "push-state": "setInterval(() => { for (let i = 0; i < 100; i++) history.pushState(i, '', '?' + Math.random()) }, 20)",
    "printing": "print()",
    "printing-again-and-again": "print(); setInterval(print, 50)",
    "deep-shadows": """let at = document.body; for (let i = 0; i < 3000; i++) {
        const inner = document.createElement('div'); at.append(inner); at = inner.attachShadow({mode: 'open'}); }""",
    "long-title": "document.title = 'Buy '.repeat(250000)",
    "long-address": "history.replaceState(0, '', '#' + 'x'.repeat(1e6))",
    "talkative-console": "for (let i = 0; i < 1e6; i++) console.log('line', i)",
    "many-sockets": "for (let i = 0; i < 300; i++) new WebSocket('ws://' + location.host + '/nothing')",
    "file-chooser": """document.body.insertAdjacentHTML('beforeend', '<input type=file id=f>');
        f.click(); setInterval(() => f.click(), 1000)""",
    "downloads": "setInterval(() => { location.href = '/attachment' }, 100)",
}
LIES = {
    "a-picture-as-page": ("text/html", b"\x89PNG\r\n\x1a\n" + bytes(5000)),
    "a-page-as-picture": ("image/png", b"<script>location.href = 'http://elsewhere.example/'</script>"),
}


async def scripted(request: Request) -> Response:
    return HTMLResponse(
        f"<title>Harm</title><body><h1>Harm</h1><script>{SCRIPTS[request.path_params['name']]}</script>"
    )


async def lying(request: Request) -> Response:
    kind, body = LIES[request.path_params["name"]]
    return Response(body, media_type=kind)


async def in_circles(request: Request) -> Response:
    return RedirectResponse(f"/in-circles?{int(request.url.query or 0) + 1}")


async def drops(first: bytes) -> AsyncGenerator[bytes]:
    yield first
    while True:
        await asyncio.sleep(0.05)
        yield b" "


async def endless(_: Request) -> Response:
    return StreamingResponse(drops(b"<title>Harm</title><h1>Harm</h1>"), media_type="text/html")


async def attachment(_: Request) -> Response:
    headers = {"Content-Disposition": "attachment; filename=harm.bin"}
    return StreamingResponse(drops(b"x"), media_type="application/octet-stream", headers=headers)


def harmful() -> Starlette:
    """The site."""
    return Starlette(
        routes=[
            Route("/in-circles", in_circles),
            Route("/endless", endless),
            Route("/script/{name}", scripted),
            Route("/lie/{name}", lying),
            Route("/attachment", attachment),
        ]
    )
