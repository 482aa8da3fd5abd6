"""The facades (two REST dialects, MCP, live view, pages), the commands, and the wiring of it all."""
