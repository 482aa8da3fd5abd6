"""Pictures in another form: a screenshot as a PNG, a run's screenshots as an animation. It takes time: call it in a thread."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageOps

_GIF_WIDTH = 640
_GIF_FRAMES = 100
_GIF_MS = 1000


def as_png(picture: bytes) -> bytes:
    """The picture as a PNG."""
    with Image.open(io.BytesIO(picture)) as image:
        return _encoded(image.convert("RGB"), "PNG", compress_level=1)


def as_gif(pictures: Sequence[bytes]) -> bytes:
    """The pictures one after another, a second each, small enough to be sent around; of very many, evenly chosen ones."""
    every = -(-len(pictures) // _GIF_FRAMES)
    frames = [_small(picture) for picture in pictures[::every]]
    size = frames[0].size
    frames = [frame if frame.size == size else ImageOps.fit(frame, size) for frame in frames]
    drawn = [frame.quantize(128, dither=Image.Dither.NONE) for frame in frames]
    return _encoded(drawn[0], "GIF", save_all=True, append_images=drawn[1:], duration=_GIF_MS, loop=0)


def _small(picture: bytes) -> Image.Image:
    with Image.open(io.BytesIO(picture)) as image:
        return ImageOps.contain(image.convert("RGB"), (_GIF_WIDTH, _GIF_WIDTH * 4))


def _encoded(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()
