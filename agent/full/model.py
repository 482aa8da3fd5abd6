"""The language model as browser-use wants it: our client behind its protocol, redacting what is sent, counting what is spent."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from browser_use.llm.base import BaseChatModel
from browser_use.llm.exceptions import ModelProviderError
from browser_use.llm.messages import AssistantMessage, BaseMessage
from browser_use.llm.views import ChatInvokeCompletion
from pydantic import BaseModel, ValidationError

from agent.full.answers import inlined
from agent.full.llm import OTHERWISE, LanguageModel
from agent.full.wire import Message, ModelChoice, Spent
from agent.redaction import Redactor
from tools.errors import (
    Failure,
    ModelContext,
    ModelError,
    ModelRateLimited,
    ModelRefused,
    ModelUnauthorized,
    ModelUnavailable,
)

FATAL = (ModelUnavailable, ModelUnauthorized, ModelRateLimited, ModelContext, ModelRefused)
"""Asking again would bring the same, or was already tried; what remains (a garbled or cut answer) the agent may try again."""
LONG_RUN, KEPT = re.compile(r"[!-~]{20000,}"), 2000
"""What a page puts into its address or title without a single space, so that each step would cost a fortune: so much is kept."""


class AgentModel(BaseChatModel):
    """One per agent: browser-use wraps the `ainvoke` of what it is given."""

    def __init__(self, choice: ModelChoice, redactor: Redactor, report: Callable[[Message], None]) -> None:
        self.model = choice.name
        self.client = LanguageModel(choice)
        self.redactor = redactor
        self.report = report
        self.failure: Failure | None = None
        """Why the last call failed; None when it did not."""
        self.failed_in_a_row = 0
        self.schemas: dict[int, tuple[type[BaseModel], dict[str, Any]]] = {}

    @property
    def provider(self) -> str:
        """What browser-use calls the kind of client."""
        return "langchain"

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model

    @property
    def fatal(self) -> Failure | None:
        """The failure that ends the run, if there is one."""
        return self.failure if isinstance(self.failure, FATAL) else None

    async def ainvoke(
        self, messages: list[BaseMessage], output_format: type[BaseModel] | None = None, **_: Any
    ) -> ChatInvokeCompletion[Any]:
        """One answer. Raises ModelProviderError, which browser-use counts; what it was stays in `failure`."""
        try:
            completion = await self.ask(messages, output_format)
        except Failure as failure:
            self.failure = failure
            self.failed_in_a_row += 1
            raise ModelProviderError(failure.message, model=self.model) from failure
        self.failure = None
        self.failed_in_a_row = 0
        return ChatInvokeCompletion(completion=completion, usage=None)

    async def ask(self, messages: Sequence[BaseMessage], output_format: type[BaseModel] | None) -> Any:
        """The answer as text, or as that model. Raises a ModelError."""
        schema = self.schema(output_format) if output_format else None
        reply = await self.client.ask([self.plain(message) for message in messages], schema)
        self.report(Spent(prompt=reply.prompt, cached=reply.cached, completion=reply.completion))
        if output_format is None:
            return reply.text
        try:
            return output_format.model_validate(reply.json)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
            raise ModelError(
                f"The language model '{self.model}' did not answer in the form that was asked for ({wrong}): {OTHERWISE}"
            ) from None

    def schema(self, output_format: type[BaseModel]) -> dict[str, Any]:
        """Its JSON Schema, made once."""
        key = id(output_format)
        if key not in self.schemas:
            self.schemas[key] = output_format, inlined(output_format.model_json_schema())
        return self.schemas[key][1]

    def plain(self, message: BaseMessage) -> dict[str, Any]:
        """A message in OpenAI's form, without secrets."""
        content = message.content
        if content is None or isinstance(content, str):
            return {"role": message.role, "content": self.said(content or "")}
        parts: list[dict[str, Any]] = [
            {"type": "text", "text": self.said(part.text)} for part in content if part.type == "text"
        ]
        if isinstance(message, AssistantMessage):
            return {"role": message.role, "content": parts}
        images = [
            {"type": "image_url", "image_url": {"url": part.image_url.url, "detail": part.image_url.detail}}
            for part in content
            if part.type == "image_url"
        ]
        return {"role": message.role, "content": parts + images}

    def said(self, text: str) -> str:
        """A text without secrets, and without more of a long run of letters than its beginning."""
        return LONG_RUN.sub(lambda run: f"{run[0][:KEPT]}…", self.redactor.text(text))
