"""MCP over one WebSocket, a message a frame: what `webhand mcp` hands through between its client and this server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel.server import Server
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from server.mcp_facade.messages import Fault, message_of, too_large

Incoming = SessionMessage | Exception


class Pipe:
    """The endpoint, an ASGI app. Which era is spoken, the client's first message says."""

    def __init__(self, server: Server[Any], on_close: Callable[[WebSocket], None], largest: int) -> None:
        """`largest`: bytes that a message may have."""
        self._server = server
        self._on_close = on_close
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one client until it goes."""
        socket = WebSocket(scope, receive, send)
        await socket.accept()
        to_server, incoming = anyio.create_memory_object_stream[Incoming](0)
        outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](0)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._receive, socket, to_server, outgoing.clone())
                group.start_soon(_send, socket, from_server)
                await self._server.run(incoming, outgoing, self._server.create_initialization_options())
                group.cancel_scope.cancel()
        finally:
            self._on_close(socket)

    async def _receive(
        self,
        socket: WebSocket,
        to_server: MemoryObjectSendStream[Incoming],
        replies: MemoryObjectSendStream[SessionMessage],
    ) -> None:
        """Each message with the connection that it came by: handlers find their visit there. What is none is answered here."""
        async with to_server, replies:
            try:
                while True:
                    text = await socket.receive_text()
                    sent = message_of(text)
                    if isinstance(sent, dict) and len(text.encode()) > self._largest:
                        sent = too_large(self._largest, sent)
                    if isinstance(sent, Fault):
                        error = types.ErrorData(code=sent.code, message=sent.message)
                        await replies.send(SessionMessage(types.JSONRPCError(jsonrpc="2.0", id=sent.id, error=error)))
                        continue
                    message = types.jsonrpc_message_adapter.validate_python(sent, by_name=False)
                    await to_server.send(SessionMessage(message, ServerMessageMetadata(request_context=socket)))
            except (WebSocketDisconnect, KeyError):  # KeyError: a binary frame, which no client of ours sends
                return


async def _send(socket: WebSocket, from_server: MemoryObjectReceiveStream[SessionMessage]) -> None:
    async with from_server:
        async for sent in from_server:
            try:
                await socket.send_text(sent.message.model_dump_json(by_alias=True, exclude_unset=True))
            except (WebSocketDisconnect, RuntimeError):  # it is closed: the reader ends the rest
                return
