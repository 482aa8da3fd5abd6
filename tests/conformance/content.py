"""What the suite's tools, prompts and resources hold."""

from __future__ import annotations

import base64
from io import BytesIO

import mcp_types as types
from PIL import Image


def png() -> str:
    """One red pixel."""
    made = BytesIO()
    Image.new("RGB", (1, 1), (255, 0, 0)).save(made, "PNG")
    return base64.b64encode(made.getvalue()).decode()


def wav() -> str:
    """A sound of no length."""
    header = b"RIFF" + (36).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = (1).to_bytes(2, "little") * 2 + (8000).to_bytes(4, "little") * 2 + b"\x01\x00\x08\x00"
    return base64.b64encode(header + form + b"data" + (0).to_bytes(4, "little")).decode()


def text(words: str, *, error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=words)], is_error=error)


def embedded(uri: str, media: str, words: str) -> types.EmbeddedResource:
    return types.EmbeddedResource(resource=types.TextResourceContents(uri=uri, mime_type=media, text=words))


def prompted(*blocks: types.ContentBlock) -> types.GetPromptResult:
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=block) for block in blocks])
