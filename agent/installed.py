"""Finding an installed Chromium, and installing one; and the driver that plays in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from tools.errors import BrowserFailed

DRIVER_TROUBLE = (
    "The driver that plays in the browser does not start: install the library libatomic"
    " (on Debian as root: apt-get install libatomic1), then run 'webhand doctor'"
)


def find_chromium(wished: Path | None) -> Path | None:
    """The Chromium to use: the wished one, Playwright's own newest download, an installed Chrome or Chromium, or None.

    Raises BrowserFailed when the wished one is no program.
    """
    if wished is not None:
        found = shutil.which(wished)
        if found is None:
            raise BrowserFailed(f"{wished} is not a program: set WEBHAND_CHROMIUM to a Chrome or Chromium")
        return Path(found)
    return next(candidates(), None)


def candidates() -> Iterator[Path]:
    """Every browser found in the usual places, best first."""
    yield from downloaded()
    for name in ("google-chrome", "google-chrome-stable", "chromium", "chromium-browser", "chrome"):
        if found := shutil.which(name):
            yield Path(found)
    usual = (
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "C:/Program Files/Google/Chrome/Application/chrome.exe",
        "C:/Program Files (x86)/Google/Chrome/Application/chrome.exe",
        "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
    )
    yield from (path for path in map(Path, usual) if path.is_file())


def downloaded() -> list[Path]:
    """What Playwright's downloader has put into its folder, newest revision first."""
    folder = platformdirs.user_cache_path("ms-playwright", appauthor=False, opinion=False)
    programs = ("chrome-linux*/chrome", "chrome-mac*/*.app/Contents/MacOS/*", "chrome-win*/chrome.exe")
    found = [path for program in programs for path in folder.glob(f"chromium-*/{program}") if os.access(path, os.X_OK)]
    return sorted(found, key=lambda path: int(path.relative_to(folder).parts[0].partition("-")[2] or 0), reverse=True)


def install_chromium() -> Path:
    """Installs a Chromium and returns it: with Playwright's downloader, else, as root on Debian, with apt-get.

    May take minutes. Raises BrowserFailed with one sentence that says what to do.
    """
    if run(sys.executable, "-m", "playwright", "install", "chromium") and (found := downloaded()):
        return found[0]
    if install_package("chromium") and (path := find_chromium(None)):
        return path
    raise BrowserFailed(
        "No Chromium could be installed: install Google Chrome or Chromium yourself"
        " (on Debian as root: apt-get install chromium), or set WEBHAND_CHROMIUM to one"
    )


def make_ready(wished: Path | None) -> Path:
    """The Chromium to use, installed where there is none, and a driver that starts. Raises BrowserFailed."""
    install_driver()
    return find_chromium(wished) or install_chromium()


def install_driver() -> None:
    """Sees that Playwright's driver starts; as root on Debian gives it the library that a bare system lacks.

    Raises BrowserFailed with one sentence that says what to do.
    """
    if not driver_starts() and not (install_package("libatomic1") and driver_starts()):
        raise BrowserFailed(DRIVER_TROUBLE)


def driver_starts() -> bool:
    """Whether the Node.js that comes with Playwright runs here."""
    asked = (sys.executable, "-m", "playwright", "--version")
    return subprocess.run(asked, check=False, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0  # noqa: S603  # as below


def install_package(name: str) -> bool:
    """Installs one of Debian's packages, as root on Debian; whether it is there now."""
    apt = shutil.which("apt-get")
    if apt is None or not is_root():
        return False
    return run(apt, "update") and run(apt, "install", "-y", "--no-install-recommends", name)


def run(*command: str) -> bool:
    """Runs a command to its end, its output going to stderr; whether it succeeded."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}  # not a setting: an installer needs its proxies
    try:
        done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=environment)  # noqa: S603  # fixed commands, no shell
    except OSError:
        return False
    return done.returncode == 0


def is_root() -> bool:
    """Whether this process runs as root, where Chromium's sandbox cannot work."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def main() -> None:
    """`python -m agent.installed [CHROMIUM]`: makes browsers ready at set-up, or ends with what to do."""
    try:
        make_ready(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    except BrowserFailed as error:
        sys.exit(error.message)


if __name__ == "__main__":
    main()
