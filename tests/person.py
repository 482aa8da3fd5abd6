"""The browser of a person in tests, which Playwright starts: without the pages of its own that nobody sees."""

from __future__ import annotations

from agent.chromium import FEATURES_OFF

FLAGS = ("--no-sandbox", f"--disable-features={','.join(FEATURES_OFF)}")
