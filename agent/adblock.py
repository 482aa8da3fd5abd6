"""Advertisers' and trackers' hosts, which a task's browser does not reach where the task wants them blocked (`use_adblock`)."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path

ADDRESS = re.compile(r"(?:\d[\d.]*|[\da-f]*:[\da-f:]*)\s+", re.IGNORECASE)
"""What stands before the names in a line of a hosts file."""


@cache
def ad_hosts(further: Path | None = None) -> frozenset[str]:
    """The built-in list, with those of a file: one name a line, or a hosts file. Raises OSError or UnicodeDecodeError."""
    texts = [files("agent").joinpath("ad_hosts.txt").read_text()]
    if further is not None:
        texts.append(further.read_text())
    lines = (ADDRESS.sub("", line.partition("#")[0].strip(), count=1) for text in texts for line in text.splitlines())
    return frozenset(name for line in lines for name in line.lower().split() if "." in name)
