"""The OpenAPI documents as they are sent: each made once, when it is first asked for, so that no start waits for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
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


Writer = Callable[[], Mapping[str, Any]]


class Documents:
    """The three of them. Nothing in them changes while the server runs."""

    def __init__(self, *, everything: Writer, cloud: Writer, platforms: Writer) -> None:
        self._everything = everything
        self._cloud = cloud
        self._platforms = platforms

    @cached_property
    def everything(self) -> Document:
        """/openapi.json"""
        return Document.of(self._everything())

    @cached_property
    def cloud(self) -> Document:
        """/api/v1/openapi.json"""
        return Document.of(self._cloud())

    @cached_property
    def platforms(self) -> Document:
        """/api/platforms/schema"""
        return Document.of(self._platforms())
