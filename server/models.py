"""Which language model does what a caller asks for by name."""

from __future__ import annotations

import asyncio
import time

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from server.settings import Settings

HOSTED = (
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-4.1",
    "gpt-4.1-mini",
    "o4-mini",
    "o3",
    "gemini-2.0-flash",
    "gemini-2.0-flash-lite",
    "gemini-2.5-flash-preview-04-17",
    "gemini-2.5-flash",
    "gemini-2.5-pro",
    "claude-3-7-sonnet-20250219",
    "claude-sonnet-4-20250514",
    "llama-4-maverick-17b-128e-instruct",
)
"""The models that the hosted service knew (contract 3.2)."""
_BELIEVED_S = 300.0
_PATIENCE_S = 3.0
_log = structlog.get_logger(__name__)


class _Model(BaseModel):
    id: str


class _Offer(BaseModel):
    """What GET /models of an OpenAI-compatible endpoint answers."""

    data: list[_Model]


class Models:
    """The models of the configured endpoint.

    Clients of the hosted service always name one of its models. Where the endpoint has that very model, it does the task; where it
    has not, the configured one does. Any other name is meant for the endpoint, and goes there as it is.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._offered: frozenset[str] = frozenset()
        self._until = 0.0
        self._asking = asyncio.Lock()

    async def resolve(self, wished: str | None) -> str | None:
        """The endpoint's name for the wished model; None: the configured one."""
        if wished is None or wished == self._settings.llm_model:
            return None
        if wished in HOSTED and wished not in await self._offers():
            return None
        return wished

    async def _offers(self) -> frozenset[str]:
        async with self._asking:
            if time.monotonic() >= self._until:
                self._offered = await self._ask()
                self._until = time.monotonic() + _BELIEVED_S
        return self._offered

    async def _ask(self) -> frozenset[str]:
        settings = self._settings
        if settings.llm_base_url is None:
            return frozenset()
        key = settings.llm_api_key.get_secret_value() if settings.llm_api_key is not None else ""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            async with httpx.AsyncClient(timeout=_PATIENCE_S, headers=headers) as client:
                answer = await client.get(f"{settings.llm_base_url.rstrip('/')}/models")
            answer.raise_for_status()
            return frozenset(model.id for model in _Offer.model_validate_json(answer.content).data)
        except (httpx.HTTPError, httpx.InvalidURL, ValidationError) as error:
            _log.warning("models.not_listed", error=type(error).__name__)
            return frozenset()
