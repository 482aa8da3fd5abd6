"""Callers of servers on loopback."""

from __future__ import annotations

import ssl
from typing import Any

import httpx

_TLS = ssl.create_default_context()
"""Read once: a client that makes its own reads every authority's certificate for it, which takes longer than most of the tests' calls."""


def caller(**given: Any) -> httpx.AsyncClient:
    """A client that goes nowhere but where it is told."""
    return httpx.AsyncClient(verify=_TLS, trust_env=False, **given)
