"""Sends one call to a URL that a caller gave us: HTTPS only, no redirects, at most ten seconds, never to a private address.

A name is resolved here and the connection goes to the very address that was checked, so that a name which changes its address between
two looks (DNS rebinding) gains nothing. TLS still verifies the certificate against the name.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import httpx

from agent.domains import Address, is_private, literal
from agent.lite.visit import resolve
from tools.errors import InvalidParameters
from tools.patience import seconds_to_wait

LIMIT_S = 10.0
_LONGEST_URL = 2048
_LAST_PORT = 65535
_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")
_LOCAL_NAME = "localhost"
Resolve = Callable[[str, int], Awaitable[list[Address]]]


class AddressRefused(httpx.ConnectError):
    """The URL leads to an address that is not on the public internet."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call: `error` is None when the receiver took it (2xx)."""

    status_code: int | None = None
    error: str | None = None
    retry_after: int | None = None
    """Seconds that the receiver asked to be left alone for."""
    ms: int | None = None
    """How long the call took."""


def checked_url(text: str, *, private: bool) -> str:
    """The URL as it will be called. Raises InvalidParameters when it could never be."""
    try:
        url = httpx.URL(text.strip())
        port = url.port
    except (httpx.InvalidURL, ValueError):
        raise _wrong("it is not a valid URL") from None
    if len(text) > _LONGEST_URL:
        raise _wrong(f"it is longer than {_LONGEST_URL} characters")
    host = _name(url)
    if url.scheme not in {"http", "https"} or not (_HOST.fullmatch(host) or literal(host)):
        raise _wrong("write https://host/path")
    if port is not None and not 0 < port <= _LAST_PORT:
        raise _wrong("there is no such port")
    if url.userinfo:
        raise _wrong("it must not hold a user name or password: receivers verify the signature")
    if url.scheme == "http" and not _is_loopback(host):
        raise _wrong("it must be HTTPS; plain HTTP is for loopback only")
    address = literal(host)
    if address is not None and not admits(host, address, private=private):
        raise _wrong("it leads to a private address")
    return str(url.copy_with(fragment=None))


def admits(host: str, address: Address, *, private: bool) -> bool:
    """Whether a host may be called at that address: loopback is for those who name it, never for a name that leads there."""
    if _is_loopback(host):
        return address.is_loopback
    return private or not is_private(address)


class Sender:
    """Sends calls. One for the whole process: it keeps no connection, so that no call travels on another one's."""

    def __init__(
        self,
        *,
        private: bool = False,
        user_agent: str = "Webhand",
        tls: ssl.SSLContext | None = None,
        look_up: Resolve = resolve,
        limit: float = LIMIT_S,
    ) -> None:
        """`private`: whether private addresses may be called. `limit`: seconds for all of one call."""
        self._private = private
        self._limit = limit
        transport = CheckedTransport(private=private, tls=tls, look_up=look_up)
        self._client = httpx.AsyncClient(
            transport=transport,
            trust_env=False,  # a proxy from the environment would resolve names by itself
            follow_redirects=False,
            timeout=limit,
            headers={"User-Agent": user_agent, "Accept": "*/*"},
        )

    async def close(self) -> None:
        """Ends what is under way."""
        await self._client.aclose()

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POSTs these very bytes as JSON. Never raises: whatever happens is an answer."""
        begun = time.monotonic()
        answer = await self._send(url, body, headers)
        return replace(answer, ms=round((time.monotonic() - begun) * 1000))

    async def _send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            checked_url(url, private=self._private)
            async with asyncio.timeout(self._limit):
                return await self._post(url, body, headers)
        except InvalidParameters as refused:
            return Answer(error=refused.message)
        except (TimeoutError, httpx.TimeoutException):
            return Answer(error=f"no answer within {self._limit:g} seconds")
        except AddressRefused:
            return Answer(error="the URL leads to a private address, which is not allowed")
        except httpx.ConnectError as error:
            return Answer(error=f"could not connect: {_cause(error)}")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return Answer(error=f"the connection broke: {_cause(error)}")

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        sent = {"Content-Type": "application/json", **headers}
        # Streamed: nobody wants the answer's body, and it may be endless.
        async with self._client.stream("POST", url, content=body, headers=sent) as response:
            status = response.status_code
            if response.is_success:
                return Answer(status)
            pause = seconds_to_wait(response.headers.get("retry-after"))
            what = " (redirects are not followed)" if response.is_redirect else ""
            return Answer(status, f"HTTP {status}{what}", pause)


class CheckedTransport(httpx.AsyncBaseTransport):
    """Connects to addresses that it has resolved and checked itself."""

    def __init__(
        self, *, private: bool, tls: ssl.SSLContext | None = None, look_up: Resolve = resolve, loopback: bool = True
    ) -> None:
        """`loopback`: whether it may be called by whoever names it, though private addresses may not."""
        self._private = private
        self._loopback = loopback
        self._look_up = look_up
        self._tls = tls

    @cached_property
    def _inner(self) -> httpx.AsyncHTTPTransport:
        """Made for the first call: to read the certificates would take a tenth of a second of every start."""
        # A kept connection is found again by its address, and two names may share one: each call gets its own.
        alone = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        return httpx.AsyncHTTPTransport(verify=self._tls or True, limits=alone)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends the request to the first checked address that can be connected to. Raises AddressRefused or httpx's errors."""
        host = _name(request.url)
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        found = await self._look_up(host, port)
        if not found:
            message = "the name does not resolve"
            raise httpx.ConnectError(message, request=request)
        allowed = [address for address in found if self._admits(host, address)]
        if not allowed:
            raise AddressRefused(AddressRefused.__doc__ or "", request=request)
        tries = [_at(request, address, share=1 / len(allowed)) for address in allowed]
        for earlier in tries[:-1]:
            try:
                return await self._inner.handle_async_request(earlier)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue  # nothing was sent yet
        return await self._inner.handle_async_request(tries[-1])

    async def aclose(self) -> None:
        """Closes every connection."""
        if "_inner" in vars(self):
            await self._inner.aclose()

    def _admits(self, host: str, address: Address) -> bool:
        if not self._loopback:
            return self._private or not is_private(address)
        return admits(host, address, private=self._private)


def _at(request: httpx.Request, address: Address, *, share: float) -> httpx.Request:
    """The same request, to be sent to that address: the Host header and TLS keep the name. `share`: of the time to connect."""
    patience = dict(request.extensions["timeout"])
    patience["connect"] *= share
    extensions: dict[str, Any] = {**request.extensions, "timeout": patience}
    name = _name(request.url)
    if literal(name) is None:
        extensions["sni_hostname"] = name
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions=extensions,
    )


def _name(url: httpx.URL) -> str:
    """The host in ASCII, as it is resolved and as TLS is told."""
    return url.raw_host.decode("ascii").strip("[]")


def _is_loopback(host: str) -> bool:
    address = literal(host)
    return address.is_loopback if address is not None else host.rstrip(".").lower() == _LOCAL_NAME


def _cause(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


def _wrong(why: str) -> InvalidParameters:
    return InvalidParameters(f"This 'url' cannot be called: {why}.", details={"fields": {"url": why}})
