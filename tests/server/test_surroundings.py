"""What is wrong around Webhand is said before it starts."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from server.settings import SettingWrong
from server.surroundings import check_surroundings, usable


def test_another_distribution_that_owns_one_of_our_packages_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_surroundings()
    folder = tmp_path / "spyware-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: spyware\nVersion: 1.0\n")
    (folder / "RECORD").write_text("spy/__init__.py,,\nagent/__init__.py,,\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(SettingWrong, match="The package 'agent' also belongs to spyware"):
        check_surroundings()


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_not_there_are_said(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    with pytest.raises(SettingWrong, match=f"{name} is set to .*nowhere, which does not exist"):
        check_surroundings()
    monkeypatch.setenv(name, str(tmp_path))
    check_surroundings()


def test_a_folder_that_belongs_to_somebody_else_is_said() -> None:
    with tempfile.TemporaryDirectory() as name:
        outer, folder = Path(name), Path(name) / "artifacts"
        outer.chmod(0o755)
        assert usable(folder) == folder
        assert folder.stat().st_mode & 0o777 == 0o700
        folder.chmod(0o500)
        ours = os.geteuid()
        if ours == 0:
            os.seteuid(65534)  # whoever is root may write everywhere
        try:
            with pytest.raises(SettingWrong, match="give that folder to the user"):
                usable(folder)
        finally:
            os.seteuid(ours)


@pytest.mark.parametrize("below", ["", "artifacts"])
def test_a_file_in_a_folders_place_is_said(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingWrong, match="a file stands in its place or above it"):
        usable(tmp_path / "file" / below)
