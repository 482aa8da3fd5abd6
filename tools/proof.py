"""What counts as proof of a result. A publish counts as done only when it was read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tools.playbook import Stage, Text


@dataclass(frozen=True, slots=True)
class Proof:
    """How the result is read back, and what the caller gets.

    `stages` are played after the publishing act, on a page of the same login, by the lite engine and by the
    full one alike; their readings and the earlier ones fill `result`, which must satisfy the tool's result
    model. For the full engine the readings start out as the fields of the agent's structured output. When a
    stage fails after the act went out, the outcome is uncertain.
    """

    stages: tuple[Stage, ...]
    result: Mapping[str, Text] = field(default_factory=dict[str, Text])
    by: str | None = None
    """The reading that names the author of what was read back: where it is known, it must be the account's own member."""
