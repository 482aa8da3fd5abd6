"""The full engine: browser-use agents, each in a process of its own with a Chromium of its own."""
