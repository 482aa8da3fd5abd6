"""Whether a post says of itself that an AI wrote it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tools.playbook import Click, Expect, Selector

AiGenerated = Annotated[
    bool,
    Field(
        description="Mark the post as AI-generated with the site's own disclosure. Where the mark cannot be set, nothing is published.",
    ),
]


def disclosed(mark: Selector, marked: Selector, site: str, within: Selector | None = None) -> tuple[Click, Expect]:
    """Sets the site's mark, which must then stand there as `marked`: else nothing is published."""
    unset = f"The mark of {site} for AI-generated content could not be set, so nothing was published"
    return Click(mark, within=within), Expect(marked, message=unset)
