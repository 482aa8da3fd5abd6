"""Which hosts a task's browser may reach: patterns, and which network addresses count as private."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import idna

from tools.errors import InvalidParameters

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
SCHEME = re.compile(r"(https?|http\*|\*)://", re.IGNORECASE)


@dataclass(frozen=True)
class Wall:
    """What a task may reach; everything else is outside.

    `hosts` are patterns: `example.com` (and its `www.`), `*.example.com` (every subdomain and the name itself), `*` (every
    host). `private` lets them lead to loopback, private and link-local addresses too. `opened` are exact `host:port` pairs
    of configured stand-ins, which may be private whatever `private` says. `ads` are names that are blocked with all below
    them, wherever they lie; `named`: the hosts that the task itself asks for, which are never taken for advertisements.
    """

    hosts: tuple[str, ...]
    private: bool = False
    opened: tuple[str, ...] = ()
    ads: frozenset[str] = frozenset()
    named: tuple[str, ...] = ()

    def opens(self, host: str, port: int) -> bool:
        """Whether it is a configured stand-in."""
        return join(host, port) in self.opened

    def covers(self, host: str, port: int) -> bool:
        """Whether the name is inside, wherever it leads."""
        return self.opens(host, port) or any(covers(pattern, host) for pattern in self.hosts)

    def hides(self, host: str, port: int) -> bool:
        """Whether it serves advertisements or trackers, and nobody asked for it."""
        asked_for = self.opens(host, port) or any(covers(pattern, host) for pattern in self.named if pattern != "*")
        return not asked_for and any(name in self.ads for name in above(host))

    def admits(self, host: str, port: int, address: Address) -> bool:
        """Whether that host may be reached at that address."""
        return self.private or self.opens(host, port) or not is_private(address)


def join(host: str, port: int) -> str:
    """`host:port`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def above(host: str) -> Iterator[str]:
    """The name and every domain above it."""
    while host:
        yield host
        host = host.partition(".")[2]


def covers(pattern: str, host: str) -> bool:
    """Whether a pattern takes in a host, or a narrower pattern."""
    if pattern == "*":
        return True
    if pattern.startswith("*."):
        return host.removeprefix("*.") == pattern[2:] or host.endswith(pattern[1:])
    return host in (pattern, f"www.{pattern}")


def narrow(hosts: Sequence[str], by: Sequence[str]) -> tuple[str, ...]:
    """What both lists of patterns take in."""
    both = [host for host in hosts if any(covers(other, host) for other in by)]
    both += [other for other in by if any(covers(host, other) for host in hosts)]
    return tuple(dict.fromkeys(both))


def parse_domains(patterns: Iterable[str]) -> tuple[str, ...]:
    """The patterns as a Wall wants them: lower case, punycode, without scheme. Raises InvalidParameters."""
    return tuple(dict.fromkeys(parse_domain(pattern) for pattern in patterns))


def parse_domain(pattern: str) -> str:
    """One pattern; see `parse_domains`."""
    bare = SCHEME.sub("", pattern.strip(), count=1).removesuffix("/*").rstrip("/.").lower()
    if bare == "*":
        return bare
    wildcard, name = ("*.", bare[2:]) if bare.startswith("*.") else ("", bare)
    try:
        return wildcard + (str(literal(name)) if not wildcard and literal(name) else ascii_name(name))
    except ValueError:
        raise InvalidParameters(
            f"'{pattern[:100]}' is not a domain: write example.com or *.example.com, without port or path"
        ) from None


def ascii_name(name: str) -> str:
    """A host name in ASCII as browsers send it. Raises ValueError."""
    encoded = idna.encode(name, uts46=True, std3_rules=True).decode()
    if encoded.rpartition(".")[2].isdigit():
        raise ValueError("a name that ends in a number is read as an address")
    return encoded


def literal(host: str) -> Address | None:
    """The address that a host is written as, with or without brackets; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def is_private(address: Address) -> bool:
    """Whether an address leads anywhere but to the public internet, also by way of an IPv4 address inside an IPv6 one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_private(inner)
    return not address.is_global or address.is_multicast
