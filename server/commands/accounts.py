"""`webhand account`: the logins of the running server."""

from __future__ import annotations

import json as json_text
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from server.commands.local import Api, err, give_up, out, print_json, settings, table

app = typer.Typer(no_args_is_help=True, help="Connect, list, check and remove accounts.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Cookies = Annotated[Path | None, typer.Option(help="JSON file: exported cookies or a browser's storage state.")]
Username = Annotated[str | None, typer.Option(help="Log in by user name; the password is asked for.")]
PasswordFile = Annotated[Path | None, typer.Option(help="File that holds the password.")]
TotpSecretFile = Annotated[Path | None, typer.Option(help="File that holds the secret of one-time codes.")]
Wait = Annotated[bool, typer.Option(help="Wait until somebody has signed in on the page.")]
Named = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its id, or platform/name.")]
_LOOK_S = 1.0


@app.command()
def add(
    platform: Annotated[str, typer.Argument(help="For example twitter.")],
    name: Annotated[str, typer.Argument(help="How you will call the account.")],
    cookies: Cookies = None,
    username: Username = None,
    password_file: PasswordFile = None,
    totp_secret_file: TotpSecretFile = None,
    *,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Connects an account: with cookies, with credentials, or (with neither) by signing in on a page."""
    body = {"platform": platform, "name": name, **login(cookies, username, password_file, totp_secret_file)}
    api = Api(settings())
    show(signed_in(api, api.call("POST", "/accounts", body=body), wait=wait, quiet=json), json=json)


@app.command()
def connect(
    account: Named,
    cookies: Cookies = None,
    username: Username = None,
    password_file: PasswordFile = None,
    totp_secret_file: TotpSecretFile = None,
    *,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Gives an account a new login: cookies, credentials, or (with neither) by signing in on a page."""
    api = Api(settings())
    body = login(cookies, username, password_file, totp_secret_file)
    answer = api.call("POST", f"/accounts/{found(api, account)}/connect", body=body)
    show(signed_in(api, answer, wait=wait, quiet=json), json=json)


@app.command()
def check(account: Named, *, json: Json = False) -> None:
    """Opens the site with the account's login and looks who is logged in. Exit code 1 when the login does not hold."""
    api = Api(settings())
    show(api.call("POST", f"/accounts/{found(api, account)}/check"), json=json)


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
    rows = table("Id", "Platform", "Name", "Status", "Login", "Last used")
    for item in data["accounts"]:
        rows.add_row(
            item["id"], item["platform"], item["name"], item["status"], item["authMethod"], item.get("lastUsedAt", "-")
        )
    out.print(rows)


@app.command()
def remove(account: Named) -> None:
    """Removes an account and everything secret about it, for good."""
    api = Api(settings())
    api.call("DELETE", f"/accounts/{found(api, account)}")
    out.print(f"Removed {account}.", markup=False)


def found(api: Api, account: str) -> str:
    """The account's id."""
    if "/" not in account:
        return account
    platform, _, name = account.partition("/")
    rows = api.call("GET", "/accounts", query={"platform": platform})["accounts"]
    known = next((row["id"] for row in rows if row["name"] == name), None)
    return known or give_up(f"There is no account '{name}' for {platform}.")


def login(
    cookies: Path | None, username: str | None, password_file: Path | None, totp_secret_file: Path | None
) -> dict[str, Any]:
    """The login as the API wants it; empty: somebody signs in on a page."""
    body: dict[str, Any] = {}
    if cookies is not None:
        given = read_json(cookies)
        body["cookies" if isinstance(given, list) else "storageState"] = given
    if username is not None:
        body["credentials"] = {"username": username, "password": password(password_file)}
        if totp_secret_file is not None:
            body["credentials"]["totpSecret"] = totp_secret_file.read_text().strip()
    return body


def signed_in(api: Api, account: dict[str, Any], *, wait: bool, quiet: bool) -> dict[str, Any]:
    """The account, after somebody has signed in where that is needed and waited for. Says where on stderr."""
    if "signInUrl" not in account or not wait:
        return account
    err.print(f"Sign in here: {account['signInUrl']}", markup=False)
    while account["signIn"]["state"] in {"waiting", "open"}:
        time.sleep(_LOOK_S)
        account = api.call("GET", f"/accounts/{account['id']}")
        account.setdefault("signIn", {"state": "expired"})
    if account["signIn"]["state"] != "connected":
        give_up(
            account["signIn"].get("message", "Nobody signed in: ask for a new link with 'webhand account connect'.")
        )
    if not quiet:
        err.print(account["signIn"]["message"], markup=False)
    return account


def show(account: dict[str, Any], *, json: bool) -> None:
    """Prints an account; one whose login does not hold is exit code 1."""
    if json:
        print_json(account)
    else:
        who = f" as {account['identity']}" if "identity" in account else ""
        out.print(
            f"Account '{account['name']}' for {account['platform']} is {account['status']}{who} ({account['id']}).",
            markup=False,
        )
        if "error" in account:
            out.print(f"{account['error']['message']} ({account['error']['code']})", markup=False)
        if "signInUrl" in account:
            out.print(f"Sign in here: {account['signInUrl']}", markup=False)
    if account["status"] == "error":
        raise typer.Exit(1)


def password(path: Path | None) -> str:
    """The password from a file, from what is piped in, or from a prompt that does not show it."""
    if path is not None:
        return path.read_text().strip()
    return typer.prompt("Password", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().strip()


def read_json(path: Path) -> Any:
    """The file's JSON."""
    try:
        return json_text.loads(path.read_text())
    except (OSError, ValueError):
        give_up(f"{path} is not a readable JSON file.")
