"""What tokens cost."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.full.prices import Price, prices
from agent.full.spending import Spending
from agent.full.wire import Spent


def test_a_model_is_found_by_the_longest_name_it_begins_with() -> None:
    table = prices()
    assert table.find("gpt-4o-mini-2024-07-18") is table.models["gpt-4o-mini"]
    assert table.find("openai/gpt-4.1") is table.models["gpt-4.1"]
    assert table.find("a-model-of-ones-own") is None


def test_cached_tokens_cost_less() -> None:
    price = Price(prompt=10, cached=1, completion=100)
    assert math.isclose(price.of(prompt=1000, cached=400, completion=10), (6000 + 400 + 1000) / 1e6)


def test_a_step_costs_what_was_spent_since_the_last_one() -> None:
    spending = Spending(Price(prompt=1000, cached=100, completion=1000), None)
    told: list[tuple[int, float]] = []
    for _ in range(4):
        spending.add(Spent(prompt=1000, completion=50))
        told.append(spending.since_last())
    assert told == [(1050, 1.05)] * 4


def test_a_file_may_add_prices_and_replace_them(tmp_path: Path) -> None:
    own = tmp_path / "prices.json"
    own.write_text(
        '{"models": {"mine": {"prompt": 1, "cached": 1, "completion": 1}, "o3": {"prompt": 0, "cached": 0, "completion": 0}}}'
    )
    table = prices(own)
    assert table.models["mine"].prompt == 1
    assert table.models["o3"].prompt == 0
    assert "gpt-4.1" in table.models
    own.write_text('{"models": {"mine": {"prompt": -1, "cached": 0, "completion": 0}}}')
    prices.cache_clear()
    with pytest.raises(ValidationError):
        prices(own)
