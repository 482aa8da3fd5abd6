"""Stand-ins: the configured origins that are used in the place of a platform's documented ones, for replicas and practice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from agent.domains import covers, join
from tools.site import Site

PORTS = {"http": 80, "https": 443}


class Origins:
    """Which origin stands for which: `{"https://x.com": "http://127.0.0.1:8801"}`. Every other origin stands for itself."""

    def __init__(self, stand_ins: Mapping[str, str] | None = None) -> None:
        self._stand_ins = {origin(documented): origin(stand_in) for documented, stand_in in (stand_ins or {}).items()}
        self._documented = {stand_in: documented for documented, stand_in in self._stand_ins.items()}

    def resolve(self, url: str, site: Site) -> str:
        """Where to go for a URL, or for a path of the site."""
        if "://" not in url:
            url = f"{site.home}/{url.lstrip('/')}"
        return replaced(url, self._stand_ins)

    def document(self, url: str) -> str:
        """The URL as the platform's own documents would write it."""
        return replaced(url, self._documented)

    def opened(self, hosts: Sequence[str] | None = None) -> tuple[str, ...]:
        """`host:port` of each stand-in for a wall; with `hosts` (patterns), only of those that stand for one of them."""
        return tuple(
            address(stand_in)
            for documented, stand_in in self._stand_ins.items()
            if hosts is None or any(covers(pattern, urlsplit(documented).hostname or "") for pattern in hosts)
        )


def origin(url: str) -> str:
    """`scheme://host[:port]` of a URL, the default port left out."""
    parts = urlsplit(url)
    host = join(parts.hostname or "", 0).removesuffix(":0")
    port = "" if parts.port in (None, PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def replaced(url: str, origins: Mapping[str, str]) -> str:
    """The URL with its origin replaced, where it is one of these."""
    try:
        found = origins.get(origin(url))
    except ValueError:
        return url
    if found is None:
        return url
    parts = urlsplit(url)
    return found + parts._replace(scheme="", netloc="").geturl()


def address(url: str) -> str:
    """`host:port` of an origin."""
    parts = urlsplit(url)
    return join(parts.hostname or "", parts.port or PORTS[parts.scheme])
