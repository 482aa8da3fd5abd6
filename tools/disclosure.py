"""Whether a post says of itself that an AI wrote it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

AiGenerated = Annotated[
    bool,
    Field(
        description="Mark the post as AI-generated with the site's own disclosure. Where the mark cannot be set, nothing is published.",
    ),
]
