"""Accounts in the Tasks API's dialect, under /api/accounts: connect, look, check, reconnect, delete."""

from __future__ import annotations

from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.door import json_body, sent
from server.rest.browserman import answers, examples, inputs, views
from server.rest.endpoint import Endpoint, caller_of
from server.rest.message import Message
from server.state import reach
from storage.tables import Account
from tools.errors import (
    AccountNotFound,
    BrowserFailed,
    ChallengeRequired,
    Conflict,
    InvalidParameters,
    PlatformNotFound,
    Unreachable,
)


class AccountsQuery(Message):
    """The query of GET /api/accounts (1.9)."""

    platform: str | None = None
    status: Literal["active", "error", "pending"] | None = None


async def list_accounts(request: Request) -> Response:
    """GET /accounts (1.9)."""
    query = inputs.parsed(AccountsQuery, dict(request.query_params))
    rows = await reach(request)["accounts"].list(caller_of(request), platform=query.platform, status=query.status)
    return _answer({"accounts": [views.account_view(row) for row in rows], "total": len(rows)})


async def create_account(request: Request) -> Response:
    """POST /accounts; without a login, the answer says where somebody signs in."""
    body = inputs.parsed(inputs.CreateAccount, await json_body(request))
    account = await reach(request)["accounts"].create(
        caller_of(request),
        body.platform,
        body.name,
        cookies=body.cookies,
        storage_state=body.storage_state,
        credentials=body.credentials,
        identity=body.identity,
        approval=body.approval,
        idempotency_key=request.headers.get("idempotency-key"),
        request=sent(request),
    )
    return await _asking(request, account) if account.status == "pending" else _answer(_view(request, account))


async def authorize_account(request: Request) -> Response:
    """POST /accounts/oauth/authorize (1.2): where somebody signs the account in; it is made if there is none of that name."""
    body = inputs.parsed(inputs.AuthorizeAccount, await json_body(request))
    accounts, caller = reach(request)["accounts"], caller_of(request)
    site = reach(request)["catalog"].site(body.platform)
    name = body.name or f"my-{site.id}"
    account = await accounts.named(caller, site.id, name) or await accounts.create(caller, site.id, name)
    return await _asking(request, account)


async def get_account(request: Request) -> Response:
    """GET /accounts/:accountId (1.9)."""
    return _answer(_view(request, await reach(request)["accounts"].get(caller_of(request), _id(request))))


async def delete_account(request: Request) -> Response:
    """DELETE /accounts/:accountId (1.9): the account and all its data, permanently."""
    await reach(request)["accounts"].delete(caller_of(request), _id(request))
    await reach(request)["sign_ins"].forget(_id(request))
    return _answer({"id": _id(request), "deleted": True})


async def connect_account(request: Request) -> Response:
    """POST /accounts/:accountId/connect: a new login, or where somebody signs in."""
    body = inputs.parsed(inputs.ConnectAccount, await json_body(request))
    accounts, caller = reach(request)["accounts"], caller_of(request)
    if body.cookies is None and body.storage_state is None and body.credentials is None:
        return await _asking(request, await accounts.mine(caller, _id(request)))
    account = await accounts.reconnect(
        caller,
        _id(request),
        cookies=body.cookies,
        storage_state=body.storage_state,
        credentials=body.credentials,
    )
    return _answer(_view(request, account))


async def check_account(request: Request) -> Response:
    """POST /accounts/:accountId/check: whether the login holds."""
    account = await reach(request)["sign_ins"].check(caller_of(request), _id(request))
    return _answer(_view(request, account))


def _id(request: Request) -> str:
    return request.path_params["account_id"]


def _view(request: Request, account: Account) -> dict[str, Any]:
    return views.account_view(account, sign_in=reach(request)["sign_ins"].of(account.id))


async def _asking(request: Request, account: Account) -> Response:
    """The account, and the page where a person signs it in."""
    sign_ins = reach(request)["sign_ins"]
    url = await sign_ins.begin(caller_of(request), account.id)
    return _answer(views.account_view(account, sign_in_url=url, sign_in=sign_ins.of(account.id)))


def _answer(data: Any) -> Response:
    return JSONResponse(views.succeeded(data))


_ACCOUNT = "/accounts/{account_id}"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="GET",
        path="/accounts",
        handler=list_accounts,
        scope="read",
        summary="List accounts",
        tag="Accounts",
        query=AccountsQuery,
        answer=answers.AccountList,
        examples={"One": {"accounts": [examples.ACCOUNT], "total": 1}},
        errors=(PlatformNotFound,),
    ),
    Endpoint(
        method="POST",
        path="/accounts",
        handler=create_account,
        scope="write",
        summary="Connect an account",
        description="With cookies, a browser's storage state, or credentials. With none of them the account is `pending`, and "
        "`signInUrl` is a page that works once, for ten minutes, where a person signs in.",
        tag="Accounts",
        body=inputs.CreateAccount,
        body_examples={"With cookies": examples.CONNECT, "By signing in": examples.SIGN_IN},
        answer=answers.Account,
        examples={"Connected": examples.ACCOUNT, "Somebody must sign in": examples.PENDING_ACCOUNT},
        errors=(PlatformNotFound, Conflict),
        idempotent=True,
    ),
    Endpoint(
        method="POST",
        path="/accounts/oauth/authorize",
        handler=authorize_account,
        scope="write",
        summary="Sign an account in on a page",
        description="`signInUrl`, also as `authorizationUrl`, is a page that works once, where a person signs in.",
        tag="Accounts",
        body=inputs.AuthorizeAccount,
        body_examples={"Example": examples.SIGN_IN},
        answer=answers.Account,
        examples={"Somebody must sign in": examples.PENDING_ACCOUNT},
        errors=(PlatformNotFound,),
    ),
    Endpoint(
        method="GET",
        path=_ACCOUNT,
        handler=get_account,
        scope="read",
        summary="Get an account",
        tag="Accounts",
        answer=answers.Account,
        examples={"Active": examples.ACCOUNT, "Not logged in any more": examples.BROKEN_ACCOUNT},
        errors=(AccountNotFound,),
    ),
    Endpoint(
        method="DELETE",
        path=_ACCOUNT,
        handler=delete_account,
        scope="write",
        summary="Delete an account",
        description="The account and all its data, permanently.",
        tag="Accounts",
        answer=answers.Deleted,
        examples={"Deleted": {"id": "acc_abc123", "deleted": True}},
        errors=(AccountNotFound, Conflict),
    ),
    Endpoint(
        method="POST",
        path=f"{_ACCOUNT}/connect",
        handler=connect_account,
        scope="write",
        summary="Reconnect an account",
        description="As for a new account: with a login in the body, or (with an empty one) by signing in on the page that the "
        "answer names. Until that is done the account stays as it is.",
        tag="Accounts",
        body=inputs.ConnectAccount,
        body_examples={"By signing in": {}},
        answer=answers.Account,
        examples={"Somebody must sign in": examples.PENDING_ACCOUNT},
        errors=(AccountNotFound, InvalidParameters),
    ),
    Endpoint(
        method="POST",
        path=f"{_ACCOUNT}/check",
        handler=check_account,
        scope="write",
        summary="Check an account",
        description="Opens the site with the account's login and looks who is logged in. The account is then `active`, or `error` "
        "with a code. Takes seconds.",
        tag="Accounts",
        answer=answers.Account,
        examples={"The login holds": examples.ACCOUNT, "It does not": examples.BROKEN_ACCOUNT},
        errors=(AccountNotFound, Conflict, ChallengeRequired, Unreachable, BrowserFailed),
    ),
)
