"""Builds the wheel and looks into it: exactly the four packages, and every template and static file of theirs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"agent", "server", "storage", "tools"}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        build = ["-m", "uv", "build", "--wheel", "--no-build-isolation", "--quiet", "--out-dir", folder]
        subprocess.run([sys.executable, *build], check=True, cwd=ROOT)
        wheel = next(Path(folder).glob("*.whl"))
        packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(["git", "ls-files", *PACKAGES], check=True, cwd=ROOT, capture_output=True, text=True)
    missing = sorted(set(tracked.stdout.split()) - packed)
    foreign = sorted(name for name in packed if name.split("/")[0] not in PACKAGES)
    viewer = {"server/static/novnc/core/rfb.js", "server/static/swagger-ui/swagger-ui-bundle.js"} <= packed
    if missing or foreign or not viewer:
        sys.stderr.write(
            f"The wheel lacks {missing}, has {foreign} too many, VNC client and Swagger UI packed: {viewer}\n"
        )
        return 1
    sys.stdout.write(f"The wheel holds the {len(packed)} files of the four packages.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
