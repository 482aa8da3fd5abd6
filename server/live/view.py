"""The live view over HTTP: the page, its news, RFB over WebSocket, and a person's files. A token is the only credential.

GET  /live/{token}                    the page; after the task's end it shows the recorded run
GET  /live/{token}/state              the task, its steps, who is in control: JSON
WS   /live/{token}/news               the same at every change; the person's wishes the other way
WS   /live/{token}/ws                 RFB 3.8 (subprotocol `binary`), for the page and any other VNC client
PUT  /live/{token}/files?name=        a file for the page's file chooser
POST /live/{token}/vnc                a password for the raw VNC port of the machine that runs the task, where one is open
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from pathlib import Path
from socket import gethostname

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from agent.cdp import Gone, Refused
from agent.screencast import Screen
from server.live.door import CONTROL, Door, Expired, Turned, is_relayed, safe_name, seat_of, until
from server.live.handshake import welcome
from server.live.news import Said, news
from server.live.relay import RELAYED, Moved, Relay, Unreachable
from server.live.room import Over, Room
from server.live.rooms import Rooms
from server.live.stream import Broken, Stream
from server.live.tasks import LiveSettings, LiveTasks
from server.live.vnc_port import VncPort
from server.signing import Signer
from tools.errors import Failure

ENDED, EXPIRED, NO_BROWSER = 4410, 4401, 4503
"""WebSocket close codes: the task has ended; the token has; the browser is gone, another may come."""
BROWSER_WAIT = 30.0
PAGES = Path(__file__).parent.parent / "pages" / "live"
NOVNC = Path(__file__).parent.parent / "static" / "novnc"


class Live:
    """The live view of every task. Mount `routes`; `close` ends what is open. `vnc`: the raw port, if one is wanted."""

    def __init__(self, tasks: LiveTasks, signer: Signer, settings: LiveSettings, relay: Relay | None = None) -> None:
        """`relay`: the way to tasks that other processes run, where there can be any."""
        self._relay = relay
        self.rooms = Rooms(tasks, settings)
        self.vnc = VncPort(self.rooms)
        self._door = Door(signer, self.rooms, settings)
        self._tasks = tasks
        self._settings = settings

    @property
    def routes(self) -> list[BaseRoute]:
        """Everything below /live, and the static files of the page."""
        answering = self._door.answering
        return [
            Route("/live/{token}", answering(self.page)),
            Route("/live/{token}/state", answering(self.state)),
            WebSocketRoute("/live/{token}/news", self.news),
            WebSocketRoute("/live/{token}/ws", self.watch),
            Route("/live/{token}/files", answering(self.receive), methods=["PUT"]),
            Route("/live/{token}/vnc", answering(self.open_vnc), methods=["POST"]),
            Mount("/static/live", StaticFiles(directory=PAGES)),
            Mount("/static/novnc", StaticFiles(directory=NOVNC, check_dir=False)),
        ]

    @property
    def relayed_routes(self) -> list[BaseRoute]:
        """What a worker answers fronts that pass somebody on."""
        answering = self._door.answering
        return [
            Route(f"/{RELAYED}/{{token}}/state", answering(self.state)),
            WebSocketRoute(f"/{RELAYED}/{{token}}/news", self.news),
            WebSocketRoute(f"/{RELAYED}/{{token}}/ws", self.watch),
            Route(f"/{RELAYED}/{{token}}/files", answering(self.receive), methods=["PUT"]),
            Route(f"/{RELAYED}/{{token}}/vnc", answering(self.open_vnc), methods=["POST"]),
        ]

    async def close(self) -> None:
        """Ends every room, the raw port, and what is passed on."""
        await self.vnc.close()
        await self.rooms.close()
        if self._relay is not None:
            await self._relay.close()

    async def page(self, request: Request) -> Response:
        """The page. It learns everything else from its news; where the link is no good, it says so itself."""
        try:
            known = await self._tasks.look(self._door.signed(request).subject) is not None
        except Turned:
            known = False
        return FileResponse(PAGES / ("live.html" if known else "unknown.html"), 200 if known else 404)

    async def state(self, request: Request) -> Response:
        """The task, its steps and who is in control."""
        if passed_on := await self._passed_on(request, "state"):
            return passed_on
        async with self._door.entered(request) as (signed, room):
            return JSONResponse(news(room, "", may_control=CONTROL in signed.rights))

    async def receive(self, request: Request) -> Response:
        """A file from the person in control; the answer's `file` goes into their answer to the file chooser."""
        if passed_on := await self._passed_on(request, "files", control=True):
            return passed_on
        async with self._door.entered(request, control=True) as (_, room):
            if not room.control.allows(seat_of(request) or ""):
                raise Turned(403, "Only the person in control may send files.")
            name = safe_name(request.query_params.get("name", ""))
            path = await self._tasks.receive_file(room.task_id, name, self._pieces(request))
            return JSONResponse({"file": room.receive(path)})

    async def open_vnc(self, request: Request) -> Response:
        """A password for this task on the raw VNC port, good until the task ends or the token expires. The port is on the
        loopback of the machine that runs the task's browser, which the answer names: a tunnel leads there.
        """
        if passed_on := await self._passed_on(request, "vnc", control=True):
            return passed_on
        async with self._door.entered(request, control=True) as (signed, room):
            if self.vnc.port is None:
                raise Turned(404, "No VNC port is open.")
            if room.snapshot.ended:
                raise Turned(410, "The task has ended.")
            password = self.vnc.password(room.task_id, signed.expires)
            return JSONResponse({"machine": gethostname(), "port": self.vnc.port, "password": password})

    async def news(self, socket: WebSocket) -> None:
        """Tells the page what changes and does what its person wants."""
        try:
            if await self._relayed(socket, "news"):
                return
            async with self._door.entered(socket) as (signed, room):
                seat = seat_of(socket) or secrets.token_urlsafe(16)
                await socket.accept()
                async with room.seated(seat), until(signed), self._staying(room.task_id):
                    await self._converse(socket, room, seat, may_control=CONTROL in signed.rights)
        except Moved:
            await _shut(socket, NO_BROWSER)  # the page comes back, and is passed on
        except Turned as turned:
            await _refuse(socket, turned)
        except Expired:
            await _shut(socket, EXPIRED)

    async def watch(self, socket: WebSocket) -> None:
        """RFB. With a seat, its person takes control in the page; without one the first input does."""
        try:
            if await self._relayed(socket, "ws"):
                return
            async with self._door.entered(socket) as (signed, room):
                screen = await _screen(room)
                async with screen.watched():
                    await socket.accept("binary" if "binary" in socket.scope["subprotocols"] else None)
                    stream = _stream(socket)
                    async with until(signed):
                        await welcome(stream)
                        await room.serve(stream, screen, seat_of(socket), may_control=CONTROL in signed.rights)
        except Turned as turned:
            await _refuse(socket, turned)
        except Expired:
            await _shut(socket, EXPIRED)
        except Over:
            await _shut(socket, ENDED)
        except (Gone, TimeoutError):
            await _shut(socket, NO_BROWSER)
        except (Broken, WebSocketDisconnect):
            await _shut(socket, 1000)

    async def _relayed(self, socket: WebSocket, what: str) -> bool:
        """Whether another process runs the task: the connection has then been passed on, and is over. Raises Turned or Expired."""
        if self._relay is None or is_relayed(socket):
            return False
        signed = self._door.admitted(socket)
        address = await self._relay.address(signed.subject)
        if address is None:
            return False
        try:
            async with until(signed):
                code = await self._relay.socket(socket, signed, address, what)
        except Unreachable as refusal:
            raise Turned(refusal.status, str(refusal)) from None
        await _shut(socket, code)
        return True

    async def _passed_on(self, request: Request, what: str, *, control: bool = False) -> Response | None:
        """The answer of the other process that runs the task, if one does. Raises Turned."""
        if self._relay is None or is_relayed(request):
            return None
        signed = self._door.admitted(request, control=control)
        address = await self._relay.address(signed.subject)
        if address is None:
            return None
        try:
            return await self._relay.request(request, signed, address, what)
        except Unreachable as refusal:
            raise Turned(refusal.status, str(refusal)) from None

    def _staying(self, task_id: str) -> AbstractAsyncContextManager[None]:
        return self._relay.staying(task_id) if self._relay is not None else nullcontext()

    async def _converse(self, socket: WebSocket, room: Room, seat: str, *, may_control: bool) -> None:
        telling = asyncio.create_task(_tell(socket, room, seat, may_control=may_control))
        try:
            while (message := await socket.receive())["type"] == "websocket.receive":
                if may_control:
                    await self._do(room, seat, message.get("text") or "")
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _do(self, room: Room, seat: str, text: str) -> None:
        """One wish; what cannot be done is told as a notice."""
        try:
            await self._carry_out(room, seat, Said.model_validate_json(text))
        except ValidationError:
            return
        except (Refused, Gone, TimeoutError):
            room.notify("The page did not take that.")
        except Failure as failure:
            room.notify(failure.message)

    async def _carry_out(self, room: Room, seat: str, said: Said) -> None:
        match said.do:
            case "take":
                room.control.take(seat)
            case "give_back":
                if room.control.holder == seat:
                    await room.control.give_back()
            case "continue":
                if room.control.holder in {None, seat}:
                    await room.control.go_on()
            case "stop":
                await self._tasks.stop(room.task_id)
            case "answer":
                await room.answer(seat, said.id, accept=said.accept, text=said.text, files=said.files)
            case button:
                await room.use_toolbar(seat, button, said.id)

    async def _pieces(self, request: Request) -> AsyncIterator[bytes]:
        left = self._settings.largest_file
        async for piece in request.stream():
            left -= len(piece)
            if left < 0:
                raise Turned(413, "The file is too large.")
            yield piece


async def _screen(room: Room) -> Screen:
    """The screen of the room's task, as soon as it has a browser. Raises Turned."""
    screen = await room.open_screen(BROWSER_WAIT)
    if room.snapshot.ended:
        raise Turned(410, "The task has ended.")
    if screen is None:
        raise Turned(503, "The task has no browser yet.")
    return screen


def _stream(socket: WebSocket) -> Stream:
    async def receive() -> bytes:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return b""
        if message.get("bytes") is None:
            raise Broken("text, where RFB is spoken")
        return message["bytes"]

    return Stream(receive, socket.send_bytes)


async def _tell(socket: WebSocket, room: Room, seat: str, *, may_control: bool) -> None:
    """Sends the news whenever they differ from the last ones."""
    known, last = 0, None
    with room.stirring() as stale:
        while True:
            stale.clear()
            told = news(room, seat, may_control=may_control, steps_known=known)
            if told != last:
                await socket.send_json(told)
            known = len(room.snapshot.steps)
            last = news(room, seat, may_control=may_control, steps_known=known)
            await stale.wait()


async def _refuse(socket: WebSocket, turned: Turned) -> None:
    await socket.send_denial_response(PlainTextResponse(f"{turned}\n", turned.status))


async def _shut(socket: WebSocket, code: int) -> None:
    """Closes the connection; one that was not accepted yet is refused."""
    if socket.application_state is WebSocketState.CONNECTING:
        await _refuse(socket, Turned(503, "The browser does not answer."))
        return
    with suppress(RuntimeError, WebSocketDisconnect):  # it is closed already
        await socket.close(code)
