"""How a front reaches the one server of its data folder: over a Unix socket, where one answers, else by starting one in this process."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, cast

from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.http11 import Response

from server.mcp_facade.lines import Message, parsed

_URI = "ws://localhost/mcp/pipe"
_PATIENCE_S = 60.0
"""How long a server that somebody else is starting may take to answer."""
_STARTING_S = 3.0
_LOOK_S = 0.05
_LARGEST = 32 * 1024 * 1024
Own = Callable[[], AbstractAsyncContextManager[object]]


class Refused(Exception):
    """The server does not let this client in, or there can be none. Says why in a sentence."""


async def connected(
    stack: AsyncExitStack,
    address: Path,
    key: Callable[[], str],
    own: Own,
    headers: Mapping[str, str],
    absent: Callable[[], None],
) -> ClientConnection:
    """A connection to the running server, or to one of our own when there is none. `absent` is called while nobody answers."""
    clock = asyncio.get_running_loop().time
    ends, trouble = clock() + _PATIENCE_S, None
    while True:
        socket = await _try(stack, address, key, headers)
        if socket is not None:
            return socket
        absent()
        with _first(address) as first:
            if first:
                try:
                    await stack.enter_async_context(own())
                    continue
                except Exception as error:  # noqa: BLE001  # it is raised below, unless a server answers soon
                    # Somebody may be starting one by hand: that one answers in a moment.
                    ends, trouble = min(ends, clock() + _STARTING_S), error
        if clock() > ends:
            raise trouble or Refused(f"No Webhand answers at {address}.")
        await asyncio.sleep(_LOOK_S if trouble is None else _LOOK_S * 5)


async def _try(
    stack: AsyncExitStack, address: Path, key: Callable[[], str], headers: Mapping[str, str]
) -> ClientConnection | None:
    try:
        authorization = {"Authorization": f"Bearer {key()}"}
        with _short(address) as path:
            connecting = unix_connect(
                path, _URI, additional_headers={**authorization, **headers}, max_size=_LARGEST, compression=None
            )
            return await stack.enter_async_context(connecting)
    except InvalidStatus as error:
        raise Refused(_told(error.response)) from None
    except (OSError, InvalidHandshake, EOFError):
        return None  # nobody there, or not any more


def _told(response: Response) -> str:
    """Why the server's door did not let us in."""
    body = parsed((response.body or b"").decode(errors="replace"))
    fault: Any = body.get("error")
    told: Any = cast("Message", fault).get("message") if isinstance(fault, dict) else body.get("error_description")
    return str(told or f"HTTP {response.status_code}")


@contextlib.contextmanager
def _first(address: Path) -> Generator[bool]:
    """Whether this process is the one that may start a server now: of several clients that begin at once only one does."""
    address.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(address.with_name("starting"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(handle)


@contextlib.contextmanager
def _short(address: Path) -> Generator[str]:
    """The address in a form that fits into a socket's name, whose length is limited."""
    if len(str(address)) < 100:  # sun_path
        yield str(address)
        return
    folder = os.open(address.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{address.name}"
    finally:
        os.close(folder)
