"""`webhand mcp`: MCP on stdin and stdout, through the running server or one of its own."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from server.settings import Settings

Platforms = Annotated[str | None, typer.Option(help="Only the tools of these platforms, separated by commas.")]
Wait = Annotated[float | None, typer.Option(help="Seconds that a call waits for its task's end (WEBHAND_MCP_WAIT).")]


def mcp(
    platforms: Platforms = None,
    *,
    read_only: Annotated[bool, typer.Option("--read-only", help="Only tools that change nothing.")] = False,
    wait: Wait = None,
    print_config: Annotated[
        str | None, typer.Option(help="Print what to put into this client's configuration.")
    ] = None,
) -> None:
    """Serves MCP on stdin and stdout."""
    if print_config is not None:
        _print_config(print_config)
        return
    headers = {
        **({"X-MCP-Toolsets": platforms} if platforms else {}),
        **({"X-MCP-Readonly": "true"} if read_only else {}),
        **({"X-MCP-Wait": str(wait)} if wait is not None else {}),
    }
    asyncio.run(_serve(headers))


async def _serve(headers: dict[str, str]) -> None:
    from server.mcp_facade.stdio import Refused, serve_stdio  # --print-config needs none of this
    from server.settings import SettingWrong, read_settings  # as above

    try:
        used = read_settings()
        headers = {**_limits(used), **headers}

        @asynccontextmanager
        async def own() -> AsyncGenerator[None]:
            await asyncio.to_thread(import_module, "server.serving")  # in a thread: the client is answered meanwhile
            from server.logs import set_up_logging  # a front before a running server starts faster without it
            from server.serving import serving  # as above
            from storage.database import DatabaseUnavailable  # as above
            from storage.vault import VaultKeyWrong  # as above

            hurried = used.model_copy(update={"port": 0, "drain": min(used.drain, 2.0)})  # clients do not wait long
            set_up_logging(hurried)
            try:
                async with serving(hurried):
                    yield
            except (DatabaseUnavailable, VaultKeyWrong) as error:
                raise Refused(str(error)) from error

        _leave_in_order()
        await serve_stdio(
            used.data / "webhand.sock",
            lambda: (used.data / "local.key").read_text(encoding="utf-8").strip(),
            own,
            headers,
        )
    except (Refused, SettingWrong) as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(2) from None
    except asyncio.CancelledError:
        raise typer.Exit(0) from None


def _limits(used: Settings) -> dict[str, str]:
    """What this client's own environment says, whatever the running server's does: as headers, which can only narrow."""
    return {
        **({"X-MCP-Wait": str(used.mcp_wait)} if "mcp_wait" in used.model_fields_set else {}),
        **({"X-MCP-Toolsets": ",".join(used.mcp_platforms)} if used.mcp_platforms else {}),
        **({"X-MCP-Readonly": "true"} if used.mcp_read_only else {}),
    }


def _leave_in_order() -> None:
    """A client that ends us with a signal ends our browsers too."""
    running = asyncio.current_task()
    if running is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)


def _print_config(client: str) -> None:
    from server.mcp_clients import CLIENTS, Launch, config_for  # serving needs none of this

    if client not in CLIENTS:
        sys.stderr.write(f"There is no client '{client}': use one of {', '.join(CLIENTS)}.\n")
        raise typer.Exit(2)
    installed = shutil.which("webhand") or shutil.which(str(Path(sys.executable).with_name("webhand")))
    launch = Launch((installed, "mcp")) if installed and _lasts(Path(installed)) else Launch()
    sys.stderr.write(f"Put this into {CLIENTS[client].where}:\n")
    sys.stdout.write(config_for(client, launch) + "\n")


def _lasts(program: Path) -> bool:
    """Whether it will be there tomorrow: what `uvx` runs lies in uv's cache (`archive-v0`), which is emptied now and then."""
    return not any(part.startswith("archive-v") for part in program.parts)
