"""The `webhand` command with all its parts."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from server.commands import accounts, keys, platforms, tasks, webhooks
from server.commands import mcp as mcp_command
from server.commands.local import err, give_up, out, plainly, print_json, settings
from server.importing import importing

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Lets LLM agents, people and scripts act on the web through real browsers.",
)
app.add_typer(keys.app, name="key")
app.add_typer(accounts.app, name="account")
app.add_typer(tasks.app, name="task")
app.add_typer(webhooks.app, name="webhook")
app.add_typer(platforms.app, name="platform")
app.command("mcp")(mcp_command.mcp)

Host = Annotated[str | None, typer.Option(help="Address to listen on (WEBHAND_HOST).")]
Port = Annotated[int | None, typer.Option(help="Port to listen on, 0 for a free one (WEBHAND_PORT).")]


@app.command()
def serve(
    host: Host = None,
    port: Port = None,
    *,
    worker: Annotated[bool, typer.Option(help="Whether this process carries tasks out too.")] = True,
) -> None:
    """Serves REST, MCP, live views and pages."""
    with importing():
        from server.logs import set_up_logging  # commands that need no server start faster without it
        from server.serving import serve as serve_until_stopped  # as above

    used = settings(host=host, port=port)
    set_up_logging(used)
    with plainly():
        asyncio.run(serve_until_stopped(used, work=worker, on_ready=_greet))


def _greet(house: object) -> None:
    from server.house import House  # as above

    assert isinstance(house, House)  # noqa: S101  # serve gives nothing else
    err.print(f"Webhand answers at [bold]{house.public_url}[/bold] (MCP at {house.public_url}/mcp).")
    if house.first_key is not None:
        err.print(
            f"Your first API key: [bold]{house.first_key}[/bold]\n"
            f"It also lies in {house.settings.data / 'local.key'}; 'webhand key create' makes more."
        )


@app.command()
def worker() -> None:
    """Carries tasks out for fronts on other machines (PostgreSQL only)."""
    with importing():
        from server.logs import set_up_logging  # as above
        from server.serving import work_until_stopped  # as above

    used = settings()
    set_up_logging(used)
    with plainly():
        asyncio.run(work_until_stopped(used))


@app.command()
def demo(
    *,
    stay: Annotated[bool, typer.Option(help="Keep serving afterwards.")] = False,
    engine: Annotated[str, typer.Option(help="lite or full.")] = "lite",
    port: Port = 0,
) -> None:
    """Runs the main job on the practice site: an MCP tool call becomes a task in a real Chromium, proved and read back."""
    with importing():
        from server.commands.demo import run_demo  # as above

    if engine not in {"lite", "full"}:
        give_up("The engine is 'lite' or 'full'.")
    with plainly():
        raise typer.Exit(asyncio.run(run_demo(settings(port=port), engine=engine, stay=stay)))


@app.command()
def doctor(
    *,
    fix: Annotated[bool, typer.Option(help="Install what is missing, as far as it can be done from here.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Checks Chromium, database, data folder, model and ports, and says what each lacks. Exit code 1 when something does."""
    from server.commands.doctor import examine, report  # as above

    with plainly():
        findings = asyncio.run(examine(settings(), fix=fix))
    report(findings, json=json)


@app.command()
def prune() -> None:
    """Removes finished tasks and files that are too old or too much, now."""
    from server.commands.prune import prune_now  # as above

    with plainly():
        gone = asyncio.run(prune_now(settings()))
    out.print(f"Removed {gone} tasks and their files.")


@app.command()
def openapi() -> None:
    """Prints the OpenAPI document of everything."""
    from server.rest.apis import everything  # as above
    from server.surroundings import own_version  # as above

    print_json(everything(own_version(), settings().public_url or "http://127.0.0.1:8765"))


@app.command("settings")
def show_settings() -> None:
    """Prints every setting with its description, as Markdown."""
    from server.documents import settings_page  # as above

    out.print(settings_page(), markup=False, end="")
