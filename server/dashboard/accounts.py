"""The page of accounts: connect, sign in, check, delete."""

from __future__ import annotations

import json
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from server.auth import Caller
from server.dashboard.door import path_of
from server.dashboard.page import shown
from server.dashboard.sessions import Handler, is_script
from server.dashboard.views import account_facts
from server.state import reach
from tools.errors import InvalidParameters, NotFound


async def accounts(request: Request, caller: Caller) -> Response:
    """GET /accounts."""
    state = reach(request)
    catalog = state["catalog"]
    rows = await state["accounts"].list(caller)
    sites = [site for site in catalog.sites.values() if any(tool.account for tool in catalog.of(site.id))]
    return shown(
        request,
        caller,
        "accounts.html",
        accounts=[account_facts(row, state["sign_ins"].of(row.id), catalog) for row in rows],
        sites=sites,
        chosen=request.query_params.get("platform", ""),
    )


async def add(request: Request, caller: Caller) -> Response:
    """POST /accounts: a new one; without a login the way leads to the page where somebody signs in."""
    form = await request.form()
    account = await reach(request)["accounts"].create(
        caller,
        text(form, "platform"),
        text(form, "name"),
        identity=text(form, "identity").removeprefix("@") or None,
        **login(form),
    )
    if account.status == "pending":
        return await _to_sign_in(request, caller, account.id)
    return _back(request)


async def change(request: Request, caller: Caller) -> Response:
    """POST /accounts/{id}/{verb}."""
    state, account_id = reach(request), request.path_params["account_id"]
    match request.path_params["verb"]:
        case "connect":
            return await _to_sign_in(request, caller, account_id)
        case "check":
            account = await state["sign_ins"].check(caller, account_id)
            told = account_facts(account, None, state["catalog"])
            if is_script(request):
                return JSONResponse({"word": told["word"], "status": account.status})
        case "delete":
            await state["accounts"].delete(caller, account_id)
            await state["sign_ins"].forget(account_id)
        case _:
            raise NotFound
    return _back(request)


async def _to_sign_in(request: Request, caller: Caller, account_id: str) -> Response:
    there = path_of(await reach(request)["sign_ins"].begin(caller, account_id))
    return JSONResponse({"to": there}) if is_script(request) else RedirectResponse(there, 303)


def _back(request: Request) -> Response:
    return JSONResponse({"to": "/accounts"}) if is_script(request) else RedirectResponse("/accounts", 303)


def login(form: FormData) -> dict[str, Any]:
    """The login that the form holds, if any. Raises InvalidParameters."""
    pasted = text(form, "cookies")
    if pasted:
        given = from_json(pasted)
        return {"cookies": given} if isinstance(given, list) else {"storage_state": given}
    if text(form, "username"):
        names = {"username": "username", "password": "password", "totpSecret": "totp"}
        return {"credentials": {name: text(form, field) for name, field in names.items() if text(form, field)}}
    return {}


def from_json(pasted: str) -> list[Any] | dict[str, Any]:
    """Cookies or a storage state. Raises InvalidParameters."""
    try:
        given = json.loads(pasted)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, list | dict):
        message = "The cookies are not JSON: paste what the browser extension exports, or a storage state."
        raise InvalidParameters(message)
    return given  # pyright: ignore[reportUnknownVariableType]  # any JSON


def text(form: FormData, name: str) -> str:
    """A field of the form; a password keeps its blanks."""
    value = str(form.get(name) or "")
    return value if name == "password" else value.strip()


PAGES: tuple[tuple[str, Handler, tuple[str, ...]], ...] = (
    ("/accounts", accounts, ("GET",)),
    ("/accounts", add, ("POST",)),
    ("/accounts/{account_id}/{verb}", change, ("POST",)),
)
