"""`webhand key`: API keys. Works on the database itself, whether the server runs or not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from cryptography.fernet import Fernet

from server.commands.local import give_up, out, plainly, print_json, settings, table
from storage.database import Database
from storage.keys import SCOPES, KeyStore
from storage.tables import ApiKey
from tools.catalog import catalog

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")
T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def with_keys(work: Callable[[KeyStore], Awaitable[T]]) -> T:
    """Runs `work` on the opened database."""

    async def run() -> T:
        database = Database(settings().database)
        await database.open()
        try:
            return await work(KeyStore(database))
        finally:
            await database.close()

    with plainly():
        return asyncio.run(run())


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[list[str] | None, typer.Option(help="read, write or admin; may be given several times.")] = None,
    owner: Annotated[str, typer.Option(help="Whose tasks and accounts the key sees.")] = "default",
    *,
    platforms: Annotated[
        str | None, typer.Option(help="Over MCP only the tools and tasks of these platforms, separated by commas.")
    ] = None,
    wait: Annotated[
        float | None, typer.Option(min=0, max=50, help="Seconds that an MCP call waits for its task's end.")
    ] = None,
    hourly: Annotated[int | None, typer.Option(min=1, help="Requests per hour (else WEBHAND_HOURLY_LIMIT).")] = None,
    daily: Annotated[int | None, typer.Option(min=1, help="Requests per day (else WEBHAND_DAILY_LIMIT).")] = None,
    approval: Annotated[bool, typer.Option("--approval", help="What it publishes waits for approval.")] = False,
    json: Json = False,
) -> None:
    """Creates a key and shows it, this once."""
    scopes = scope or ["read", "write"]
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        give_up(f"There is no scope '{unknown[0]}': use read, write or admin.")
    given = {"platforms": named(platforms), "wait_seconds": wait, "hourly": hourly, "daily": daily}
    own = {name: value for name, value in given.items() if value is not None} | ({"approval": True} if approval else {})
    row, secret = with_keys(lambda keys: keys.create(name, owner=owner, scopes=scopes, settings=own))
    if json:
        print_json({**shown(row), "key": secret})
    else:
        out.print(f"[bold]{secret}[/bold]\nThis key is shown only now. Send it as 'Authorization: Bearer <key>'.")


@app.command("list")
def list_keys(*, json: Json = False) -> None:
    """Lists every key, masked."""
    rows = with_keys(lambda keys: keys.list())
    if json:
        print_json([shown(row) for row in rows])
        return
    listed = table("Name", "Key", "Owner", "Scopes", "Created", "Last used", "Status")
    for row in rows:
        item = shown(row)
        listed.add_row(
            *(str(item[name] or "-") for name in ("name", "key", "owner", "scopes", "created", "lastUsed", "status"))
        )
    out.print(listed)


@app.command()
def revoke(key: Annotated[str, typer.Argument(help="The key's name, id or masked form.")]) -> None:
    """Revokes a key: it works no more within seconds."""
    row = with_keys(lambda keys: keys.revoke(key))
    if row is None:
        give_up(f"There is no active key '{key}': 'webhand key list' shows them.")
    out.print(f"Revoked '{row.name}' ({row.masked}).", markup=False)


@app.command()
def vault() -> None:
    """Prints a fresh vault key, for WEBHAND_VAULT_KEYS or the first line of vault.key."""
    out.print(Fernet.generate_key().decode(), markup=False)


def named(platforms: str | None) -> list[str] | None:
    """The platforms by their ids. Gives up where there is no such platform."""
    if platforms is None:
        return None
    with plainly():
        known = catalog()
        return [known.site(name.strip()).id for name in platforms.split(",") if name.strip()]


def shown(row: ApiKey) -> dict[str, object]:
    """A key as the contract lists it (1.1): masked."""
    return {
        "id": row.id,
        "name": row.name,
        "key": row.masked,
        "owner": row.owner,
        "scopes": ", ".join(row.scopes),
        "created": row.created_at.isoformat(timespec="seconds"),
        "lastUsed": row.last_used_at.isoformat(timespec="seconds") if row.last_used_at else None,
        "status": "Revoked" if row.revoked_at else "Active",
    }
