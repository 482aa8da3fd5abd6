"""Whether what a client sent is a message of the protocol at all, and in words what to do about it when it is not.

The protocol's library would tell a client what its validator thinks, or, on a pipe, nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import from_json

PARSE_ERROR, INVALID_REQUEST = -32700, -32600
"""JSON-RPC 2.0, section 5.1."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a message. `id`: of the request that it was meant to be, as far as that can be told."""

    message: str
    code: int = INVALID_REQUEST
    id: str | int | None = None

    def answer(self) -> Json:
        """The response that tells it."""
        return {"jsonrpc": "2.0", "id": self.id, "error": {"code": self.code, "message": self.message}}


def message_of(raw: bytes | str) -> Json | Fault:
    """The message that was sent, or what is wrong with it."""
    try:
        sent: Any = from_json(raw)
    except ValueError as error:
        return Fault(f"This cannot be read as JSON ({error}): send one message as a JSON object in UTF-8.", PARSE_ERROR)
    if isinstance(sent, list):
        return Fault("Batches are not part of the protocol (since 2025-06-18): send each message by itself.")
    if not isinstance(sent, dict):
        return Fault("A message is a JSON object with the members jsonrpc, method and, for a request, id.")
    message = cast("Json", sent)
    wrong = _wrong(message)
    return message if wrong is None else Fault(wrong, id=_id(message))


def too_large(largest: int, message: Json | None = None) -> Fault:
    """The fault of a message that has more than so many bytes."""
    return Fault(f"A message may have at most {largest} bytes: send less.", id=_id(message or {}))


def _wrong(message: Json) -> str | None:
    if message.get("jsonrpc") != "2.0":
        return 'The member jsonrpc must be "2.0".'
    if "id" in message and "error" not in message and _id(message) is None:
        return "The member id must be a text or a whole number; a notification has none."
    if "method" not in message:
        answered = "id" in message and ("result" in message) != ("error" in message)
        return None if answered else "The member method is missing."
    if not isinstance(message["method"], str):
        return "The member method must be a text."
    if not isinstance(message.get("params") or {}, dict):
        return "The member params must be an object."
    return None


def _id(message: Json) -> str | int | None:
    given = message.get("id")
    return given if isinstance(given, str) or (isinstance(given, int) and not isinstance(given, bool)) else None
