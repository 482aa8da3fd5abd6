"""How the practice site can be told to misbehave."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Faults(BaseModel):
    """What goes wrong, for the whole site, one user or one session. Without any set, the site behaves.

    An act is a post, a like or a deletion; pages are everything that is looked at.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    slow: float = Field(default=0, ge=0, description="Seconds before every page for members and every act.")
    slow_answer: float = Field(default=0, ge=0, description="Seconds between an act's effect and its answer.")
    silent: bool = Field(default=False, description="Acts are answered with 200 and have no effect.")
    hidden: bool = Field(default=False, description="A post is accepted with its id, but its page answers 404.")
    logged_out: bool = Field(default=False, description="The next act ends the session instead of taking effect.")
    challenge: Literal["pages", "acts"] | None = Field(
        default=None, description="A person is asked for: on every page, or at the next act."
    )
    rate_limited: int = Field(default=0, ge=0, description="Acts are refused with 429 and this Retry-After (seconds).")
    duplicates_refused: bool = Field(default=False, description="A text that the user already posted is refused.")
    moved: bool = Field(default=False, description="The controls carry other test ids than the documented ones.")
    wrong_account: str | None = Field(default=None, description="Pages and acts are this user's, whoever logged in.")
    cut: Literal["before", "after"] | None = Field(
        default=None, description="The connection is dropped before or after an act takes effect."
    )
    locked: bool = Field(default=False, description="The account is locked: a banner on each page, no acts.")
    times: int | None = Field(
        default=None, ge=1, description="After so many acts the site behaves again; None: until told otherwise."
    )

    def behave(self) -> None:
        """Ends all misbehaviour."""
        for name, field in type(self).model_fields.items():
            setattr(self, name, field.default)

    def take(self) -> Faults:
        """What holds for the act that begins now; counts it against `times`."""
        now = self.model_copy()
        if self.times is not None:
            if self.times > 1:
                self.times -= 1
            else:
                self.behave()
        return now

    def test_id(self, name: str) -> str:
        """The test id of the control that is documented under that name."""
        return f"x7-{name[::-1]}" if self.moved else name
