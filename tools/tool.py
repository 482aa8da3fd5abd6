"""A tool: one thing that can be asked of Webhand, as a typed value in a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from tools.playbook import Playbook
from tools.proof import Proof


class Parameters(BaseModel):
    """What a tool needs to know. Unknown fields are refused, so that a misspelt one is not silently dropped.

    Fields are snake_case in Python and camelCase on the wire, in parameters and results alike.
    """

    model_config = ConfigDict(
        extra="forbid",
        populate_by_name=True,
        alias_generator=to_camel,
        str_strip_whitespace=False,
        defer_build=True,  # when it is first used: a start builds none of the many
    )


class Result(BaseModel):
    """What a tool answers. `output` is the one field that every result has (contract 1.4)."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, alias_generator=to_camel, defer_build=True)

    output: str


P = TypeVar("P", bound=Parameters)
R = TypeVar("R", bound=Result)

Effect = Literal["read", "engage", "publish", "delete"]


@dataclass(frozen=True, kw_only=True)
class Tool(Generic[P, R]):
    """From it follow REST validation, the MCP tool, the OpenAPI entry, the docs page, the prompt and the rule tests.

    `effect`: what it does to the world. Everything but `read` is a write: one at a time per account, counted
    by the caps, and never repeated when its outcome is unknown.
    """

    name: str
    """`<platform>.<action>`, for example `twitter.createTweet`."""
    summary: str
    parameters: type[P]
    result: type[R]
    goal: Callable[[P], str]
    """What the full engine's agent is told."""
    effect: Effect
    example: P
    playbook: Callable[[P], Playbook] | None = None
    """What the lite engine plays; without it only the full engine can do it."""
    proof: Callable[[P], Proof] | None = None
    check: Callable[[P], None] | None = None
    """More validation than a schema can say; raises InvalidParameters before the task is queued."""
    content: Callable[[P], str] | None = None
    """The text that would be published, for the duplicate guard and previews."""
    account: bool = True
    """Whether it needs an account of the platform."""

    @property
    def platform(self) -> str:
        """The platform's canonical id."""
        return self.name.partition(".")[0]

    @property
    def action(self) -> str:
        """The action's name within the platform: `tool` in the Tasks API."""
        return self.name.partition(".")[2]

    @property
    def mcp_name(self) -> str:
        """The name as an MCP tool: letters, digits and underscores only."""
        return self.name.replace(".", "_")

    @property
    def writes(self) -> bool:
        """Whether it changes anything on the site."""
        return self.effect != "read"


AnyTool = Tool[Any, Any]
