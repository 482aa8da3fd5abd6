"""One picture of a page, as Chromium's screencast sends it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of the page."""

    number: int
    jpeg: bytes
    width: int
    """Of the JPEG, in pixels."""
    height: int
    page_width: float
    """Of the viewport that the pixels stand for, in CSS pixels."""
    page_height: float


def jpeg_size(jpeg: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the start-of-frame segment. Raises ValueError."""
    at = 2
    while at + 9 <= len(jpeg):
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(jpeg[at + 7 : at + 9], "big"), int.from_bytes(jpeg[at + 5 : at + 7], "big")
        at += 2 + length
    raise ValueError("not a JPEG")
