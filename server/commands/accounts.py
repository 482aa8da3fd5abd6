"""`webhand account`: the logins of the running server."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from server.commands.local import Api, give_up, out, print_json, settings

app = typer.Typer(no_args_is_help=True, help="Connect, list and remove accounts.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def add(
    platform: Annotated[str, typer.Argument(help="For example twitter.")],
    name: Annotated[str, typer.Argument(help="How you will call the account.")],
    cookies: Annotated[
        Path | None, typer.Option(help="JSON file: exported cookies or a browser's storage state.")
    ] = None,
    username: Annotated[str | None, typer.Option(help="Log in by user name; the password is asked for.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File that holds the password; '-' asks nobody.")] = None,
    totp_secret_file: Annotated[Path | None, typer.Option(help="File that holds the TOTP secret.")] = None,
    *,
    json: Json = False,
) -> None:
    """Connects an account: with cookies, with credentials, or (with neither) by signing in on a page."""
    body: dict[str, Any] = {"platform": platform, "name": name}
    if cookies is not None:
        given = read_json(cookies)
        body["cookies" if isinstance(given, list) else "storageState"] = given
    if username is not None:
        body["credentials"] = {"username": username, "password": password(password_file)}
        if totp_secret_file is not None:
            body["credentials"]["totpSecret"] = totp_secret_file.read_text().strip()
    account = Api(settings()).call("POST", "/accounts", body=body)
    if json:
        print_json(account)
        return
    out.print(
        f"Account '{account['name']}' for {account['platform']} is {account['status']} ({account['id']}).", markup=False
    )
    if "signInUrl" in account:
        out.print(f"Sign in here: {account['signInUrl']}", markup=False)


@app.command("list")
def list_accounts(
    platform: Annotated[str | None, typer.Option()] = None,
    status: Annotated[str | None, typer.Option()] = None,
    *,
    json: Json = False,
) -> None:
    """Lists accounts."""
    data = Api(settings()).call("GET", "/accounts", query={"platform": platform, "status": status})
    if json:
        print_json(data)
        return
    table = Table("Id", "Platform", "Name", "Status", "Login", "Last used")
    for item in data["accounts"]:
        table.add_row(
            item["id"], item["platform"], item["name"], item["status"], item["authMethod"], item.get("lastUsedAt", "-")
        )
    out.print(table)


@app.command()
def remove(account: Annotated[str, typer.Argument(help="Its id, or platform/name.")]) -> None:
    """Removes an account and everything secret about it, for good."""
    api = Api(settings())
    found = account
    if "/" in account:
        platform, _, name = account.partition("/")
        rows = api.call("GET", "/accounts", query={"platform": platform})["accounts"]
        found = next((row["id"] for row in rows if row["name"] == name), "")
        if not found:
            give_up(f"There is no account '{name}' for {platform}.")
    api.call("DELETE", f"/accounts/{found}")
    out.print(f"Removed {account}.", markup=False)


def password(path: Path | None) -> str:
    """The password from a file, else from a prompt that does not show it."""
    return path.read_text().strip() if path is not None else typer.prompt("Password", hide_input=True)


def read_json(path: Path) -> Any:
    """The file's JSON."""
    try:
        return json_text.loads(path.read_text())
    except (OSError, ValueError):
        give_up(f"{path} is not a readable JSON file.")
