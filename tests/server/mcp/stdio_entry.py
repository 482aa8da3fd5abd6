"""`webhand mcp` as tests run it: the product's front, and a server of the tests' own behind it.

python -m tests.server.mcp.stdio_entry FOLDER [HEADER=VALUE ...]
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from server.mcp_facade.stdio import Refused, serve_stdio

SOCKET, KEY, LOCK = "webhand.sock", "local.key", "lock"


@asynccontextmanager
async def own_server(folder: Path) -> AsyncGenerator[None]:
    """A server on the folder's socket; only one at a time may use the folder."""
    from tests.server.mcp.house import app_of, listening, open_house  # a front alone must not pay for it

    handle = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    path = folder / SOCKET
    path.unlink(missing_ok=True)
    try:
        async with open_house(folder) as house:
            if not (folder / KEY).exists():
                (folder / KEY).write_text(await house.key(owner="local"))
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(path))
                async with listening(app_of(house.facade("http://localhost:1")), listener):
                    yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


async def main(folder: Path, headers: dict[str, str]) -> None:
    await serve_stdio(folder / SOCKET, lambda: (folder / KEY).read_text().strip(), lambda: own_server(folder), headers)


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1]), dict(given.split("=", 1) for given in sys.argv[2:])))
    except Refused as refused:
        sys.exit(str(refused))
