"""A video of what a run's browser shows: the frames of its screencast, each at its own time, as an MP4 (H.264).

Chromium sends a frame only when the page changes, so a page that stands still costs nothing; the encoder takes each frame's time from
the clock. The last frame is written once more at the end, or its own time would be lost.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import imageio_ffmpeg
import psutil
import structlog

from agent.cdp import Gone
from agent.engine import NewFile, Viewport, Window
from agent.screencast import Screen

RATE = 5.0
"""Frames a second at the most."""
MAX_BYTES = 256 * 1024 * 1024
_QUALITY = 70
_CLOSE_S = 10.0
_NICE = 10
_log = structlog.get_logger(__name__)


class Recorder:
    """Records one run. `show` says which browser, `close` gives the file."""

    def __init__(self, folder: Path, name: str, viewport: Viewport) -> None:
        """`folder`: where the file is written. `name`: its name, without an ending."""
        self._path = folder / f"{name}.mp4"
        self._viewport = viewport
        self._following: asyncio.Task[None] | None = None
        self._window: Window | None = None
        self._encoder: asyncio.subprocess.Process | None = None
        self._broken = False
        self.last: bytes | None = None
        """The newest frame."""

    def show(self, window: Window | None) -> None:
        """From now on the frames come from this browser; None: from none."""
        if window == self._window:
            return
        self._window = window
        before = self._following
        if before is not None:
            before.cancel()
        self._following = asyncio.create_task(self._follow(before, window), name="recorder")

    async def close(self) -> NewFile | None:
        """Ends the recording. None: there was nothing to be seen, or the encoder failed."""
        self.show(None)
        if self._following is not None:
            await asyncio.gather(self._following, return_exceptions=True)
        encoder = self._encoder
        if encoder is None:
            return None
        try:
            async with asyncio.timeout(_CLOSE_S):
                if self.last is not None:
                    await self._write(self.last)
                if encoder.stdin is not None:
                    encoder.stdin.close()
                done = await encoder.wait() == 0
        except TimeoutError:
            done = False
        finally:
            if encoder.returncode is None:
                encoder.kill()
                await encoder.wait()
        if not done or not self._path.is_file():
            _log.warning("recorder.failed", file=self._path.name, code=encoder.returncode)
            return None
        return NewFile(self._path, self._path.name, "recording", "video/mp4")

    async def _follow(self, before: asyncio.Task[None] | None, window: Window | None) -> None:
        if before is not None:
            await asyncio.gather(before, return_exceptions=True)
        if window is None:
            return
        longest = max(self._viewport.width, self._viewport.height)
        screen = Screen(window, rate=RATE, quality=_QUALITY, longest_side=longest)
        try:
            with contextlib.suppress(Gone):
                async with screen.watched():
                    await self._take(screen)
        finally:
            await screen.close()

    async def _take(self, screen: Screen) -> None:
        number = 0
        while not self._broken:
            frame = await screen.next(number)
            number, self.last = frame.number, frame.jpeg
            await self._write(frame.jpeg)

    async def _write(self, jpeg: bytes) -> None:
        try:
            encoder = self._encoder or await self._start()
            if encoder.stdin is not None:
                encoder.stdin.write(jpeg)
                await encoder.stdin.drain()
        except (
            OSError,
            RuntimeError,
        ) as error:  # no encoder for this system, it died, or the file is as large as it may be
            if not self._broken:
                _log.warning("recorder.stopped", file=self._path.name, error=type(error).__name__)
            self._broken = True

    async def _start(self) -> asyncio.subprocess.Process:
        self._encoder = encoder = await asyncio.create_subprocess_exec(
            *command(self._path, self._viewport),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        with contextlib.suppress(psutil.Error):
            psutil.Process(encoder.pid).nice(_NICE)  # the run comes first
        return encoder


def command(path: Path, viewport: Viewport) -> list[str]:
    """The encoder's command line: JPEGs in on its standard input, timed by the clock; frames of one even size out."""
    width, height = viewport.width & ~1, viewport.height & ~1  # H.264 wants even sides
    shape = (
        f"scale={width}:{height}:force_original_aspect_ratio=decrease:out_range=tv,"
        f"pad={width}:{height}:(ow-iw)/2:(oh-ih)/2,format=yuv420p"
    )
    # The frames' rate is not to be guessed from the first twenty: a page may stand still after one.
    taken = ["-use_wallclock_as_timestamps", "1", "-fpsprobesize", "0", "-f", "mjpeg", "-i", "pipe:0"]
    coded = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "30", "-bf", "0", "-threads", "1"]
    timed = ["-fps_mode", "vfr", "-video_track_timescale", "1000"]
    written = ["-an", "-fs", str(MAX_BYTES), "-movflags", "+faststart", str(path)]
    quiet = ["-nostdin", "-hide_banner", "-loglevel", "quiet", "-y"]
    return [imageio_ffmpeg.get_ffmpeg_exe(), *quiet, *taken, "-vf", shape, *coded, *timed, *written]
