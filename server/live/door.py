"""Who may come in to the live view: a signed token, from a page of ours. And the headers of everything behind that door."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response

from server.live.relay import RELAYED, person_of
from server.live.room import Room
from server.live.rooms import Rooms
from server.live.tasks import LiveSettings
from server.signing import Signed, Signer
from tools.errors import Failure

PURPOSE = "live"
CONTROL = "control"
"""The right to take control; without it a token is for watching."""
SEAT = re.compile(r"[A-Za-z0-9_-]{16,64}")


class Turned(Exception):
    """A request that gets no further, with its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class Expired(Exception):
    """The token has expired while it was used."""


def live_url(signer: Signer, base: str, task_id: str, *, seconds: float, control: bool) -> str:
    """A link to a task's live page: for watching, or for control too."""
    expires = int(time.time() + seconds)
    token = signer.sign(PURPOSE, task_id, expires=expires, rights=[CONTROL] if control else [])
    return f"{base.rstrip('/')}/live/{token}"


class Door:
    """Verifies tokens and origins."""

    def __init__(self, signer: Signer, rooms: Rooms, settings: LiveSettings) -> None:
        self._signer = signer
        self._rooms = rooms
        self._settings = settings

    def signed(self, connection: HTTPConnection) -> Signed:
        """What the token in the path says, a person's own or that of a front that speaks for one. Raises Turned."""
        relayed = is_relayed(connection)
        signed = self._signer.verify(RELAYED if relayed else PURPOSE, connection.path_params["token"])
        if signed is None:
            raise Turned(404, "This link is not valid, or not any more.")
        return person_of(signed) if relayed else signed

    def admitted(self, connection: HTTPConnection, *, control: bool = False) -> Signed:
        """The token, from a page of ours; with `control` only for tokens that may take it. Raises Turned."""
        signed = self.signed(connection)
        if not self._is_ours(connection.headers.get("origin"), connection.headers.get("host", "")):
            raise Turned(403, "This page may not connect.")
        if control and CONTROL not in signed.rights:
            raise Turned(403, "This link is for watching only.")
        return signed

    @asynccontextmanager
    async def entered(
        self, connection: HTTPConnection, *, control: bool = False
    ) -> AsyncGenerator[tuple[Signed, Room]]:
        """The token and the room of its task; with `control` only for tokens that may take it. Raises Turned."""
        signed = self.admitted(connection, control=control)
        async with self._rooms.entered(signed.subject) as room:
            if room is None:
                raise Turned(404, "There is no such task.")
            yield signed, room

    def answering(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """The handler, with whoever is turned away told so, and every answer guarded."""

        async def endpoint(request: Request) -> Response:
            try:
                response = await handler(request)
            except Turned as turned:
                response = JSONResponse({"error": str(turned)}, turned.status)
            except Failure as failure:
                response = JSONResponse({"error": failure.message}, 409)
            return self.guarded(response)

        return endpoint

    def guarded(self, response: Response) -> Response:
        """The response with its headers: nothing loaded from elsewhere, nothing kept, no address passed on."""
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            f"base-uri 'none'; form-action 'none'; frame-ancestors {self._settings.frame_ancestors}"
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Robots-Tag"] = "noindex"
        return response

    def _is_ours(self, origin: str | None, host: str) -> bool:
        """Whether a script of our own pages is calling, or no page at all (other clients send no origin)."""
        if origin is None:
            return True
        public = urlsplit(self._settings.public_url or "")
        at = urlsplit(origin)
        return bool(at.netloc) and (at.netloc == host or (at.scheme, at.netloc) == (public.scheme, public.netloc))


@asynccontextmanager
async def until(signed: Signed) -> AsyncGenerator[None]:
    """Raises Expired when the token has."""
    limit = asyncio.timeout(max(0, signed.expires - time.time()))
    try:
        async with limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise Expired from None
        raise


def is_relayed(connection: HTTPConnection) -> bool:
    """Whether a front passes somebody on to us."""
    return str(connection.scope["path"]).startswith(f"/{RELAYED}/")


def seat_of(connection: HTTPConnection) -> str | None:
    """What the page calls its person: drawn at random by the page, the same for all its connections."""
    seat = connection.query_params.get("seat", "")
    return seat if SEAT.fullmatch(seat) else None


def safe_name(name: str) -> str:
    """A file name that stays inside its folder: no path, no control characters, at most 150 bytes, never empty."""
    bare = re.sub(r"[\x00-\x1f\x7f:*?\"<>|]", "_", name.replace("\\", "/").rpartition("/")[2]).strip(". ")
    stem, dot, ending = bare.rpartition(".")
    if not dot or not stem:
        stem, ending = bare, ""
    ending = ending.encode()[:20].decode(errors="ignore")
    stem = stem.encode()[: 149 - len(ending.encode())].decode(errors="ignore")
    return (f"{stem}.{ending}" if ending else stem) or "file"
