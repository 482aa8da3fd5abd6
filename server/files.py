"""Files over signed links: GET /files/<name>?token= and PUT /uploads/<name>?token= (contract 3.7). The token is the only credential.

It names one artifact, and where that lies is made of ids that we minted: no name in a URL leads anywhere. What is sent back may have
been written by anybody, so it is shown only as what it was stored as, in a sandbox without scripts, and otherwise offered as a download.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from server.door import BodyTooLarge, read_body
from server.links import FILE, UPLOAD
from server.pictures import as_png
from server.signing import Signed
from server.state import reach
from storage.artifacts import ArtifactStore
from storage.tables import Artifact

MAX_UPLOAD = 10 * 1024 * 1024
"""Bytes of one uploaded file (contract 3.7)."""
_SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "video/mp4", "video/webm", "text/plain"})
_GUARD = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Robots-Tag": "noindex",
}
_KEPT_S = 600
_STALE = "This link is not valid or has expired: ask for a new one."


async def download(request: Request) -> Response:
    """GET /files/<name>?token=: the bytes; ranges are understood."""
    signed = signed_for(request, FILE)
    if signed is None:
        return refused(403, _STALE)
    store = reach(request)["artifacts"]
    artifact = await store.get(signed.subject)
    if artifact is None or not artifact.stored:
        return refused(404, "This file is gone.")
    return await sent(store, artifact, request.path_params["name"], f"private, max-age={_KEPT_S}")


async def sent(store: ArtifactStore, artifact: Artifact, name: str, caching: str) -> Response:
    """An artifact's bytes; a JPEG under a name that ends in .png is made a PNG."""
    headers = {**_GUARD, "Cache-Control": caching}
    try:
        path = await store.local(artifact)
    except OSError:
        return refused(503, "The store of files does not answer: try again.")
    if path is None:
        return refused(404, "This file is gone.")
    if name.lower().endswith(".png") and artifact.media_type == "image/jpeg":
        return Response(await asyncio.to_thread(read_as_png, path), media_type="image/png", headers=headers)
    shown = artifact.media_type in _SHOWN
    return FileResponse(
        path,
        headers=headers,
        media_type=artifact.media_type,
        filename=artifact.name,
        content_disposition_type="inline" if shown else "attachment",
    )


async def upload(request: Request) -> Response:
    """PUT /uploads/<name>?token=: the bytes of an announced file, with the Content-Type that was announced."""
    signed = signed_for(request, UPLOAD)
    if signed is None:
        return refused(403, _STALE)
    store = reach(request)["artifacts"]
    artifact = await store.get(signed.subject)
    if artifact is None:
        return refused(404, "This upload is gone: ask for a new URL.")
    if media_type(request.headers.get("content-type", "")) != artifact.media_type:
        return refused(400, f"Send the file with 'Content-Type: {artifact.media_type}', as it was announced.")
    try:
        content = await read_body(request, MAX_UPLOAD)
    except BodyTooLarge as failure:
        return refused(413, failure.message)
    await store.arrive(artifact, content)
    return Response(status_code=200)


def signed_for(request: Request, purpose: str) -> Signed | None:
    """What the token in the query says; None: it says nothing, or nothing any more."""
    return reach(request)["signer"].verify(purpose, request.query_params.get("token", ""))


def refused(status: int, why: str) -> Response:
    """Why there is no file."""
    return JSONResponse({"detail": why}, status, headers={**_GUARD, "Cache-Control": "no-store"})


def read_as_png(path: Path) -> bytes:
    """The picture in the file as a PNG."""
    return as_png(path.read_bytes())


def media_type(header: str) -> str:
    """A Content-Type without its parameters."""
    return header.partition(";")[0].strip().lower()


FILE_ROUTES = (
    Route("/files/{name:path}", download),
    Route("/uploads/{name:path}", upload, methods=["PUT"]),
)
"""To be mounted at the root."""
