"""The OpenAPI documents as they are sent: made once, at the start, since nothing in them changes later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class Document:
    """One document as it is sent."""

    content: bytes
    tag: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Document:
        """From the document itself."""
        content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(content, f'"{hashlib.sha256(content).hexdigest()[:32]}"')

    def answer(self, request: Request) -> Response:
        """The document, or 304 where the caller has it."""
        headers = {"ETag": self.tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type="application/json", headers=headers)


@dataclass(frozen=True, slots=True)
class Documents:
    """The three of them."""

    everything: Document
    """/openapi.json"""
    cloud: Document
    """/api/v1/openapi.json"""
    platforms: Document
    """/api/platforms/schema"""
