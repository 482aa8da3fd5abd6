"""What a language model's tokens cost, from a table that ships with the package and may be overridden."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Price(BaseModel):
    """US dollars per million tokens."""

    model_config = ConfigDict(frozen=True)

    prompt: float = Field(ge=0)
    cached: float = Field(ge=0)
    """A prompt token that the provider read from its cache."""
    completion: float = Field(ge=0)

    def of(self, *, prompt: int, cached: int, completion: int) -> float:
        """US dollars for one call; `cached` is a part of `prompt`."""
        cached = min(cached, prompt)
        return ((prompt - cached) * self.prompt + cached * self.cached + completion * self.completion) / 1_000_000


class PriceTable(BaseModel):
    """Prices by model name."""

    model_config = ConfigDict(frozen=True)

    about: str = ""
    models: dict[str, Price]

    def find(self, model: str) -> Price | None:
        """The model's price: by its name, without the provider before a slash, or by the longest known beginning of it."""
        name = model.rpartition("/")[2]
        for exact in (model, name):
            if exact in self.models:
                return self.models[exact]
        known = [start for start in self.models if name.startswith(start)]
        return self.models[max(known, key=len)] if known else None


@cache
def prices(overrides: Path | None = None) -> PriceTable:
    """The table of the package, with the entries of the file added or put in their place. Raises OSError or ValidationError."""
    shipped = PriceTable.model_validate_json(files("agent.full").joinpath("prices.json").read_text())
    if overrides is None:
        return shipped
    own = PriceTable.model_validate_json(overrides.read_text())
    return PriceTable(models={**shipped.models, **own.models})
