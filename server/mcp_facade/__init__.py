"""The MCP server, in both eras of the protocol. (Never called `mcp`: that would shadow the package.)"""
