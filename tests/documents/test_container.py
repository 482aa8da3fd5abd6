"""The files that containers are built and run from agree with each other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_is_mounted_for_webhand_is_its_own_in_the_image() -> None:
    """A new volume belongs to whoever owns its place in the image, and to root where the image has no such place."""
    mounted = re.findall(r"- \w+:(/data\S*)", (ROOT / "compose.yaml").read_text())
    steps = (ROOT / "Dockerfile").read_text()
    made = re.search(r"install --directory --owner webhand --mode 0700 (.+)", steps)
    assert mounted
    assert made is not None
    assert set(mounted) <= set(made[1].split())
    assert made.start() < steps.index("VOLUME"), "what is changed in a volume later is not in the image"
