"""The process that runners are forked from.

Importing browser-use and LangChain takes seconds of CPU and 160 MB. It is done once, here; each runner is a fork that starts in
milliseconds and shares that memory. It stays single-threaded and runs no event loop, so that a fork is safe. It serves one
supervisor: a socket comes in on its standard input, each message there carries the line of a new runner, its pid goes back. It ends
with its supervisor, and its runners with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import NoReturn

PID = struct.Struct("!i")
PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Asks the kernel to kill this process when its parent dies (Linux; elsewhere the closed line ends it)."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def main(supervisor: int) -> None:
    """Forks a runner for each line that arrives, until the supervisor is gone."""
    die_with(supervisor)
    from agent.full import runner  # takes seconds: only after the line above

    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the runners: nobody here waits for them
    control = socket.socket(fileno=os.dup(0))
    while True:
        try:
            message, lines, _, _ = socket.recv_fds(control, 1, 1)
        except InterruptedError:
            continue
        if not message:
            return
        own = os.getpid()
        pid = os.fork()
        if pid == 0:
            control.close()
            become_runner(runner.main, socket.socket(fileno=lines[0]), own)
        os.close(lines[0])
        control.sendall(PID.pack(pid))


def become_runner(run: Callable[[socket.socket], None], line: socket.socket, parent: int) -> NoReturn:
    """What the fork does: it runs one task and ends, whatever happens."""
    try:
        die_with(parent)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        with contextlib.suppress(KeyboardInterrupt):
            run(line)
    finally:
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
