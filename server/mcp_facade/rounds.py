"""What a client carries from one round of a call to the next: signed, and good for the same key and arguments only."""

from __future__ import annotations

import time

from mcp.server.request_state import InvalidRequestState, RequestStateBoundary, RequestStateSecurity

from server.mcp_facade.visit import Context, visit_of
from server.signing import Signer

_PURPOSE = "mcp-state"
_LASTS_S = 600


def sealed_rounds(signer: Signer, audience: str) -> RequestStateBoundary:
    """The middleware that seals what goes out and opens what comes back."""
    security = RequestStateSecurity(codec=_Codec(signer), ttl=_LASTS_S, bind_principal=_principal)
    return RequestStateBoundary(security, default_audience=audience)


class _Codec:
    """Signs what travels through a client (mcp's RequestStateCodec). It holds a task's id and no secret."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def seal(self, payload: bytes) -> str:
        """A token that holds the payload."""
        return self._signer.sign(_PURPOSE, payload.decode(), expires=round(time.time()) + _LASTS_S)

    def unseal(self, token: str) -> bytes:
        """The payload. Raises InvalidRequestState."""
        try:
            signed = self._signer.verify(_PURPOSE, token)
        except ValueError:
            signed = None
        if signed is None:
            raise InvalidRequestState("not ours, or expired")
        return signed.subject.encode()


def _principal(ctx: Context) -> str:
    return visit_of(ctx).caller.key_id
