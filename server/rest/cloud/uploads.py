"""Files that tasks may use (3.7): a presigned URL takes each one."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.door import sent
from server.files import media_type
from server.idempotency import Fingerprints, once
from server.rest.cloud.parsing import body_of
from server.rest.cloud.wire import View
from server.rest.endpoint import caller_of
from server.rest.message import Message
from server.state import reach
from storage.artifacts import new_artifact
from storage.idempotency import IdempotencyClash
from tools.errors import Conflict, IdempotencyReused

_OFFICE = "application/vnd.openxmlformats-officedocument"
TYPES = frozenset(
    {
        "text/plain",
        "text/csv",
        "application/json",
        "application/xml",
        "text/xml",
        "text/html",
        "text/markdown",
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "application/pdf",
        "application/msword",
        f"{_OFFICE}.wordprocessingml.document",
        "application/vnd.ms-excel",
        f"{_OFFICE}.spreadsheetml.sheet",
        "application/vnd.ms-powerpoint",
        f"{_OFFICE}.presentationml.presentation",
    }
)


def plain_name(name: str) -> str:
    """A file's name, which is no path. Raises ValueError."""
    if name in {".", ".."} or any(character in '/\\:*?"<>|' or not character.isprintable() for character in name):
        message = "must be a file's name, without folders or control characters"
        raise ValueError(message)
    return name


class PresignedUrl(Message):
    """POST /uploads/presigned-url."""

    model_config = ConfigDict(extra="ignore")

    file_name: Annotated[str, AfterValidator(plain_name)] = Field(min_length=1, max_length=200, examples=["orders.csv"])
    content_type: str = Field(max_length=127, examples=["text/csv"])


class UploadUrl(View):
    """Where the bytes are to be PUT, with the announced Content-Type."""

    upload_url: str


async def presign(request: Request) -> Response:
    """POST /uploads/presigned-url."""
    body, state = await body_of(request, PresignedUrl), reach(request)
    kind = media_type(body.content_type)
    if kind not in TYPES:
        raise Conflict("Unsupported content type")
    caller = caller_of(request)
    announced = new_artifact(caller.owner, None, "upload", body.file_name, kind)
    announced.stored = False
    fingerprint = Fingerprints(state["vault"]).of(["upload", sent(request)])
    asked = once(caller, request.headers.get("idempotency-key"), announced.id, fingerprint)
    try:
        announced = await state["artifacts"].add(announced, asked)
    except IdempotencyClash:
        raise IdempotencyReused from None
    return JSONResponse({"upload_url": state["links"].upload(announced)})
