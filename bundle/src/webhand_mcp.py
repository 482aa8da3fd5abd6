"""The bundle's entry point: `webhand mcp`, with the settings that its user filled in."""

from __future__ import annotations

import os
import sys

from server.__main__ import main

if __name__ == "__main__":
    # What the user left empty arrives as an empty text, or as the placeholder itself: neither is a setting.
    for name, value in list(os.environ.items()):
        if name.startswith("WEBHAND_") and (not value or value.startswith("${")):
            del os.environ[name]
    sys.argv = ["webhand", "mcp", *sys.argv[1:]]
    main()
