"""GET /balance (3.11): a number of cents that counts down by the hosted service's prices (3.15). Nothing is really charged."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.auth import Caller
from server.rest.cloud.wire import View
from server.rest.endpoint import caller_of
from server.state import State, reach
from storage.spending import spending
from tools.errors import Failure

_DIALECTS = ("cloud", "schedule")
_TASK = 1.0
_USUAL = 2.5
_STEP: Mapping[str | None, float] = {
    None: _USUAL,
    "gpt-4.1": _USUAL,
    "gpt-4.1-mini": 0.75,
    "gpt-4o": 3.0,
    "gpt-4o-mini": 1.0,
    "o3": 1.0,
    "o4-mini": 2.0,
    "gemini-2.0-flash": 1.0,
    "gemini-2.0-flash-lite": 1.0,
    "gemini-2.5-flash": 0.75,
    "gemini-2.5-flash-preview-04-17": 1.0,
    "gemini-2.5-pro": _USUAL,
    "claude-3-7-sonnet-20250219": 3.0,
    "claude-sonnet-4-20250514": 3.0,
    "llama-4-maverick-17b-128e-instruct": 1.0,
}
"""Cents a step: the newest documented price of each model; any other costs as much as the usual one."""


class Balance(View):
    """GET /balance (3.11)."""

    balance: float


class InsufficientCredits(Failure):
    """Insufficient credits"""

    code = "INSUFFICIENT_CREDITS"


async def balance_of(state: State, caller: Caller) -> float:
    """What is left, in cents; never less than nothing."""
    spent = await spending(state["database"], caller.owner, _DIALECTS)
    cents = sum(_TASK * one.tasks + _STEP.get(one.model, _USUAL) * one.steps for one in spent)
    return max(0.0, round(state["settings"].balance - cents, 2))


async def check_balance(state: State, caller: Caller) -> None:
    """Raises InsufficientCredits when nothing is left, where that is wanted."""
    if state["settings"].enforce_balance and await balance_of(state, caller) <= 0:
        raise InsufficientCredits


async def get_balance(request: Request) -> Response:
    """GET /balance (3.11)."""
    return JSONResponse({"balance": await balance_of(reach(request), caller_of(request))})
