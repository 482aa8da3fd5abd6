"""Asks the language model, through LangChain's client for OpenAI-compatible endpoints. The only importer of langchain_openai.

One client serves a whole run, so that its connection is kept; what can go wrong comes out as the failures of `tools.errors`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import openai
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from agent.full.wire import ModelChoice
from tools.errors import (
    ModelContext,
    ModelError,
    ModelRateLimited,
    ModelRefused,
    ModelTruncated,
    ModelUnauthorized,
    ModelUnavailable,
)

TOOL = "agent_output"
TOO_LONG = ("context_length_exceeded", "context window", "context length", "maximum context", "prompt is too long")
REFUSED = ("content_policy", "content_filter", "ResponsibleAIPolicyViolation")
NO_CREDIT = "insufficient_quota"
"""OpenAI answers 429 to this as well, but no waiting helps."""
OTHERWISE = "try again, set WEBHAND_LLM_METHOD otherwise, or use another model"
SENSELESS = (ValueError, TypeError, LookupError, AttributeError)
"""What the client trips over when an endpoint's answer is JSON without the sense of an answer, or no JSON at all."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said: text, or JSON that was asked for by schema. Token counts are 0 where the endpoint gives none."""

    text: str
    json: Any
    prompt: int
    cached: int
    completion: int
    finish_reason: str


class LanguageModel:
    """A language model behind an OpenAI-compatible endpoint."""

    def __init__(self, choice: ModelChoice) -> None:
        self.name = choice.name
        self.method = choice.method
        self.timeout = choice.timeout
        self.chat = ChatOpenAI(
            model=choice.name,
            base_url=choice.base_url,
            api_key=SecretStr(choice.api_key or "none"),
            timeout=choice.timeout,
            max_retries=choice.retries,
            use_responses_api=False,
        )

    async def ask(self, messages: Sequence[Mapping[str, Any]], schema: Mapping[str, Any] | None) -> Reply:
        """One answer to messages in OpenAI's form; with a schema, the answer is JSON. Raises a ModelError."""
        try:
            said = await self.prepared(schema).ainvoke([dict(message) for message in messages])
        except openai.OpenAIError as error:
            self.explain(error)
        except SENSELESS as error:
            raise ModelError(
                f"The endpoint of '{self.name}' answered with something that is no answer: check WEBHAND_LLM_BASE_URL"
            ) from error
        reply = reply_of(said)
        check(said, reply)
        if schema is None:
            return reply
        return Reply(reply.text, self.parsed(said, reply), *counts(reply))

    def prepared(self, schema: Mapping[str, Any] | None) -> Runnable[Any, AIMessage]:
        """The client, told to answer by the schema in the way that the endpoint understands."""
        if schema is None:
            return self.chat
        if self.method == "json_schema":
            form = {"name": TOOL, "schema": schema, "strict": False}
            return self.chat.bind(response_format={"type": "json_schema", "json_schema": form})
        tool = {"type": "function", "function": {"name": TOOL, "description": "Your answer", "parameters": schema}}
        return self.chat.bind(tools=[tool], tool_choice={"type": "function", "function": {"name": TOOL}})

    def parsed(self, said: AIMessage, reply: Reply) -> Any:
        """The JSON of the answer. Raises ModelError."""
        if said.tool_calls:
            return said.tool_calls[0]["args"]
        text = re.sub(r"^\s*```(?:json)?\s*|\s*```\s*$", "", reply.text)
        text = re.sub(r"<think>.*?</think>", "", text, flags=re.DOTALL)
        try:
            return json.loads(text)
        except ValueError:
            raise ModelError(
                f"The language model '{self.name}' did not answer in the form that was asked for: {OTHERWISE}"
            ) from None

    def explain(self, error: openai.OpenAIError) -> NoReturn:
        """Raises the failure that the error stands for."""
        said = f"{error} {error.body if isinstance(error, openai.APIError) else ''}"
        if any(sign in said for sign in TOO_LONG):
            raise ModelContext from error
        if isinstance(error, openai.LengthFinishReasonError):
            raise ModelTruncated from error
        if isinstance(error, openai.ContentFilterFinishReasonError) or any(sign in said for sign in REFUSED):
            raise ModelRefused from error
        if isinstance(error, openai.APIStatusError):
            self.explain_status(error)
        if isinstance(error, openai.APITimeoutError):
            raise ModelUnavailable(
                f"The language model did not answer within {self.timeout:.0f} seconds: try again, or raise WEBHAND_LLM_TIMEOUT"
            ) from error
        if isinstance(error, openai.APIConnectionError):
            raise ModelUnavailable from error
        raise ModelError(
            f"The language model's endpoint answered with something that is no answer ({said[:200]}): check WEBHAND_LLM_BASE_URL"
        ) from error

    def explain_status(self, error: openai.APIStatusError) -> NoReturn:
        """Raises the failure that an HTTP status stands for."""
        status, said = error.status_code, said_by(error)
        seen = f"(HTTP {status}: {said})" if said else f"(HTTP {status})"
        if status in {401, 403}:
            raise ModelUnauthorized from error
        if status == 402 or error.code == NO_CREDIT:
            raise ModelUnavailable(
                f"The language model '{self.name}' has no credit left {seen}: see to the account of its key"
            ) from error
        if status == 429:
            raise rate_limited(seconds_of(error.response.headers.get("retry-after"))) from error
        if status == 404:
            raise ModelUnavailable(
                f"The language model '{self.name}' is not there {seen}: check WEBHAND_LLM_MODEL and WEBHAND_LLM_BASE_URL"
            ) from error
        if status >= 500:
            raise ModelUnavailable(
                f"The language model '{self.name}' is not available {seen}: try again later"
            ) from error
        raise ModelError(
            f"The language model's endpoint refused the request {seen}: "
            "see whether WEBHAND_LLM_MODEL, WEBHAND_LLM_METHOD and WEBHAND_LLM_VISION fit what it can"
        ) from error


def rate_limited(seconds: int | None) -> ModelRateLimited:
    """The endpoint wants to be asked less often, after so many seconds where it says so."""
    if seconds is None:
        return ModelRateLimited()
    return ModelRateLimited(
        f"The language model is rate limited: wait {seconds} seconds, then try again.", retry_after=seconds
    )


def reply_of(said: AIMessage) -> Reply:
    """The answer and what it cost."""
    used = said.usage_metadata or {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    return Reply(
        text=str(said.text),
        json=None,
        prompt=used["input_tokens"],
        cached=used.get("input_token_details", {}).get("cache_read", 0),
        completion=used["output_tokens"],
        finish_reason=str(said.response_metadata.get("finish_reason", "")),
    )


def counts(reply: Reply) -> tuple[int, int, int, str]:
    """The figures of a reply, in the order of its fields."""
    return reply.prompt, reply.cached, reply.completion, reply.finish_reason


def check(said: AIMessage, reply: Reply) -> None:
    """Raises ModelTruncated or ModelRefused for an answer that is none."""
    if reply.finish_reason == "length":
        raise ModelTruncated
    refusal = said.additional_kwargs.get("refusal")
    if refusal or reply.finish_reason == "content_filter":
        raise ModelRefused(
            f"The language model refused the task ({refusal}): say it differently, or use another model."
            if refusal
            else None
        )


def said_by(error: openai.APIStatusError) -> str:
    """The endpoint's own words, short."""
    body = error.body
    said = body.get("message", "") if isinstance(body, dict) else ""  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]  # JSON of any shape
    return str(said)[:300]  # pyright: ignore[reportUnknownArgumentType]  # JSON of any shape


def seconds_of(header: str | None) -> int | None:
    """A Retry-After header in seconds, where it is a number."""
    try:
        return max(0, round(float(header or "")))
    except ValueError:
        return None
