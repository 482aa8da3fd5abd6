"""Where runners come from: one zygote process, started when first needed, forks them."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

import agent
from agent.full.wire import LONGEST_LINE, Message, encode
from agent.full.zygote import PID
from agent.ownership import remove_folder, write_record
from tools.errors import Interrupted

ENVIRONMENT = {
    "PATH": os.defpath,
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
    "PYTHON_DOTENV_DISABLED": "1",  # it would read a .env file with our own secrets
    "ANONYMIZED_TELEMETRY": "false",
    "BROWSER_USE_CLOUD_SYNC": "false",
    "BROWSER_USE_VERSION_CHECK": "false",
    "BROWSER_USE_CLOUD_HINTS": "false",
    "BROWSER_USE_DISABLE_EXTENSIONS": "1",
    "BROWSER_USE_SETUP_LOGGING": "false",
    "SKIP_LLM_API_KEY_VERIFICATION": "true",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
}
"""All that a runner sees of an environment: nothing of ours, and every switch that keeps its libraries from calling home."""


class Runner:
    """A runner's process and the line to it."""

    def __init__(self, process: psutil.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process = process
        self.reader = reader
        self.writer = writer

    def send(self, message: Message) -> None:
        """Tells the runner something."""
        self.writer.write(encode(message))

    async def kill(self) -> None:
        """Ends it at once and waits until it is gone."""
        with suppress(psutil.NoSuchProcess):
            self.process.kill()  # looks whether it is still the same process
        self.writer.close()
        with suppress(psutil.TimeoutExpired):
            await asyncio.to_thread(self.process.wait, 5)


class Nursery:
    """Forks runners. The zygote has a folder of its own in `folder`, removed by `close` (or by the next start's reap_orphans)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home: Path | None = None
        self.process: asyncio.subprocess.Process | None = None
        self.control: socket.socket
        self.turn = asyncio.Lock()

    async def runner(self) -> Runner:
        """A new runner. Raises Interrupted when none can be started."""
        ours, theirs = socket.socketpair()
        forking = asyncio.ensure_future(self.fork(theirs))
        try:
            process = psutil.Process(await asyncio.shield(forking))
            reader, writer = await asyncio.open_connection(sock=ours, limit=LONGEST_LINE)
        except (OSError, EOFError, psutil.NoSuchProcess) as error:
            ours.close()
            raise Interrupted(
                "The agent's process could not be started: it is safe to create the task again"
            ) from error
        except asyncio.CancelledError:
            ours.close()  # the runner ends when it finds its line closed
            raise
        return Runner(process, reader, writer)

    async def fork(self, line: socket.socket) -> int:
        """Has the zygote fork a runner that speaks on that line; its pid. Raises OSError or EOFError. Must not be cancelled."""
        with line:
            async with self.turn:
                if self.process is None or self.process.returncode is not None:
                    await self.start()
                socket.send_fds(self.control, [b"r"], [line.fileno()])
                answer = await asyncio.get_running_loop().sock_recv(self.control, PID.size)
        if len(answer) != PID.size:
            raise EOFError
        return int(PID.unpack(answer)[0])

    async def start(self) -> None:
        """Starts the zygote; it needs some seconds before it forks for the first time."""
        if self.home is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.home = Path(tempfile.mkdtemp(prefix="zygote-", dir=self.folder))
            write_record(self.home)
        home = self.home
        self.control, theirs = socket.socketpair()
        self.control.setblocking(False)
        packages = os.pathsep.join(str(Path(path).parent) for path in agent.__path__)
        own = {
            "HOME": str(home),
            "TMPDIR": str(home),
            "BROWSER_USE_CONFIG_DIR": str(home / "config"),
            "PYTHONPATH": packages,
        }
        with theirs, (home / "output.log").open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "agent.full.zygote",
                str(os.getpid()),
                stdin=theirs.fileno(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=home,
                env={**ENVIRONMENT, **own},
            )

    async def close(self) -> None:
        """Ends the zygote and every runner that is left."""
        if self.process is not None:
            self.control.close()
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
            self.process = None
        if self.home is not None:
            await asyncio.to_thread(remove_folder, self.home)
            self.home = None
