"""What must be right around Webhand before it starts: its packages and folders are its own, and the certificates it is pointed to exist."""

from __future__ import annotations

import os
from importlib.metadata import distributions, version
from pathlib import Path

from server.settings import SettingWrong

_PACKAGES = ("agent", "server", "storage", "tools")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where OpenSSL looks for authorities instead of the system's (openssl-env(7)); Python's and every HTTP library's TLS does."""


def own_version() -> str:
    """The installed version."""
    return version("webhand")


def check_surroundings() -> None:
    """Refuses to start where it could not work. Raises SettingWrong."""
    _check_packages()
    _check_certificates()


def usable(folder: Path) -> Path:
    """The folder, made where it is missing. Raises SettingWrong where there can be none, or where nothing may be written in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        message = f"{folder} cannot be a folder, for a file stands in its place or above it: move the file away."
        raise SettingWrong(message) from error
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        message = f"Nothing can be written to {folder}: give that folder to the user as whom Webhand runs."
        raise SettingWrong(message)
    return folder


def _check_packages() -> None:
    """Another distribution may install one of our package names beside or over us.

    The lists of files are looked through as text: `packages_distributions` takes them all apart, a tenth of a server's start.
    """
    for found in distributions():
        listed = f"\n{found.read_text('RECORD') or ''}"
        for name in _PACKAGES:
            if f"\n{name}/" in listed and found.name != "webhand":
                message = (
                    f"The package '{name}' also belongs to {found.name}: install Webhand in an environment of its own."
                )
                raise SettingWrong(message)


def _check_certificates() -> None:
    for name in _CERTIFICATES:
        path = os.environ.get(name)
        if path and not Path(path).exists():
            message = f"{name} is set to {path}, which does not exist: correct it, or unset it to use the system's certificates."
            raise SettingWrong(message)
