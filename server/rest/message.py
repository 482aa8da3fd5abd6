"""What goes over the wire."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A body or a query, sent or received. Its validator is built when the first one comes: a start builds none of the many."""

    model_config = ConfigDict(defer_build=True)
