"""Middleware that says what is wrong with a request's parameters, where the protocol's library says only that they are wrong."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from server.mcp_facade.visit import Context
from server.new_task import invalid

_TOO_EARLY = "Send initialize first, and then the notification notifications/initialized."


async def worded(ctx: Context, call_next: Any) -> Any:
    """The rest of the chain, whose failed validation names each member that is wrong."""
    try:
        return await call_next(ctx)
    except ValidationError as error:
        failure = invalid(error, "params")
        raise MCPError(types.INVALID_PARAMS, failure.message, failure.details) from None
    except MCPError as error:
        if (
            error.error.code == types.INVALID_PARAMS and error.error.data == ""
        ):  # so the library refuses before a handshake
            raise MCPError(types.INVALID_PARAMS, _TOO_EARLY) from None
        raise
