"""The bundle's entry point: `webhand mcp`."""

from __future__ import annotations

import sys

from server.__main__ import main

if __name__ == "__main__":
    sys.argv = ["webhand", "mcp", *sys.argv[1:]]
    main()
