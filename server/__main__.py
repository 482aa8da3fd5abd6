"""The entry point of `webhand`. MCP clients start it and wait, so that way imports nothing that it does not need."""

from __future__ import annotations

import os
import sys

import typer

from server.importing import importing


def main() -> None:
    """Runs the command line. The last word is a sentence, never a traceback; a broken pipe is no error, neither is Ctrl+C.

    What it writes, and the folders above that, are its user's alone.
    """
    os.umask(0o077)
    try:
        if speaks_mcp():
            with importing():
                from server.commands.mcp import mcp  # the others would cost seconds

            typer.run(mcp)
        else:
            with importing():
                from server.commands.root import app  # as above

            app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:  # see above
        if os.environ.get("WEBHAND_LOG_LEVEL") == "debug":
            raise
        sys.stderr.write(f"Webhand broke ({type(error).__name__}): set WEBHAND_LOG_LEVEL=debug to see where.\n")
        sys.exit(2)


def speaks_mcp() -> bool:
    """`webhand mcp`, or plain `webhand` with a client at the other end of stdin (`uvx webhand`). Takes the word `mcp` away."""
    if len(sys.argv) == 1:
        return not sys.stdin.isatty()
    if sys.argv[1] != "mcp":
        return False
    sys.argv[:2] = ["webhand mcp"]
    return True


if __name__ == "__main__":
    main()
