"""What one would write first: a screencast over a WebSocket of one's own, every frame sent as it comes, drawn on a canvas."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from agent.cdp import Answer, Cdp

PAGE = """<!doctype html><canvas></canvas><script>
const canvas = document.querySelector('canvas'), context = canvas.getContext('2d');
const socket = new WebSocket(location.href.replace('http', 'ws').replace('/plain', '/plain/ws'));
socket.binaryType = 'blob';
socket.onmessage = async event => {
  const picture = await createImageBitmap(event.data);
  if (canvas.width != picture.width || canvas.height != picture.height)
    { canvas.width = picture.width; canvas.height = picture.height; }
  context.drawImage(picture, 0, 0);
};
for (const [kind, type] of [['mousedown', 'mousePressed'], ['mouseup', 'mouseReleased'], ['mousemove', 'mouseMoved']])
  canvas.addEventListener(kind, event => socket.send(JSON.stringify(
    {type, x: event.offsetX, y: event.offsetY, button: kind == 'mousemove' ? 'none' : 'left', clickCount: kind == 'mousemove' ? 0 : 1})));
</script>"""


class PlainCast:
    """One browser's first page, to whoever connects."""

    def __init__(self, cdp_url: str) -> None:
        self._cdp_url = cdp_url

    @property
    def routes(self) -> list[BaseRoute]:
        """The page and its socket."""
        return [Route("/plain", self._page), WebSocketRoute("/plain/ws", self._watch)]

    async def _page(self, _: Any) -> Response:
        return HTMLResponse(PAGE)

    async def _watch(self, socket: WebSocket) -> None:
        await socket.accept()
        frames: asyncio.Queue[Answer] = asyncio.Queue()

        def take(method: str, event: Answer, _: str | None) -> None:
            if method == "Page.screencastFrame":
                frames.put_nowait(event)

        cdp = await Cdp.open(self._cdp_url, take)
        targets = (await cdp.call("Target.getTargets"))["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        session = (await cdp.call("Target.attachToTarget", {"targetId": page, "flatten": True}))["sessionId"]
        await cdp.call("Page.startScreencast", {"format": "jpeg", "quality": 60}, session)
        sending = asyncio.create_task(self._send(socket, cdp, session, frames))
        try:
            while (message := await socket.receive())["type"] == "websocket.receive":
                await cdp.post("Input.dispatchMouseEvent", json.loads(message["text"]), session)
        finally:
            sending.cancel()
            await cdp.close()

    async def _send(self, socket: WebSocket, cdp: Cdp, session: str, frames: asyncio.Queue[Answer]) -> None:
        while True:
            event = await frames.get()
            await socket.send_bytes(base64.b64decode(event["data"]))
            await cdp.post("Page.screencastFrameAck", {"sessionId": event["sessionId"]}, session)
