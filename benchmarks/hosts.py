"""Hosts of a network on one machine: network namespaces on a bridge, and a PostgreSQL that they reach over TCP. Linux, as root."""

from __future__ import annotations

import subprocess
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.chaos.postgres import Server

BRIDGE, NETWORK, PORT = "whbridge", "10.77.0", 5499


@dataclass(frozen=True)
class Network:
    """A network of so many hosts; this machine is at `address`."""

    hosts: int
    address: str = f"{NETWORK}.1"

    @staticmethod
    def on(host: int, command: Sequence[str]) -> list[str]:
        """The command, to be run on that host (from 0)."""
        return ["ip", "netns", "exec", name(host), *command]


def name(host: int) -> str:
    """The namespace of a host."""
    return f"whhost{host}"


def run(*words: str) -> None:
    """Runs ip. Raises CalledProcessError."""
    subprocess.run(words, check=True)


@contextmanager
def network(hosts: int) -> Generator[Network]:
    """Makes the hosts, and removes them again."""
    with ExitStack() as stack:
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        stack.callback(run, "ip", "link", "del", BRIDGE)
        run("ip", "addr", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        for host in range(hosts):
            run("ip", "netns", "add", name(host))
            stack.callback(run, "ip", "netns", "del", name(host))
            plug = f"whplug{host}"
            run("ip", "link", "add", plug, "type", "veth", "peer", "name", "eth0", "netns", name(host))
            run("ip", "link", "set", plug, "master", BRIDGE, "up")
            inside = ("ip", "-n", name(host))
            run(*inside, "addr", "add", f"{NETWORK}.{host + 2}/24", "dev", "eth0")
            run(*inside, "link", "set", "lo", "up")
            run(*inside, "link", "set", "eth0", "up")
        yield Network(hosts)


@contextmanager
def reachable(server: Server, address: str) -> Generator[str]:
    """The server's URL over TCP, for whoever is in the network."""
    data, control = server.server.pgdata, str(server.server.bin_path / "pg_ctl")
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {NETWORK}.0/24 trust\n")
    server.stop()
    start = [control, "-D", str(data), "-w", "-o", f"-h {address} -p {PORT} -k {data}", "-l", str(server.server.log)]
    subprocess.run([*start, "start"], check=True, user=server.server.system_user, stdout=subprocess.DEVNULL)
    try:
        yield f"postgresql://postgres@{address}:{PORT}/postgres"
    finally:
        server.restart()
