"""What a run's model calls have used: tokens and US dollars, in all and since the last step; and how much it may still cost."""

from __future__ import annotations

from dataclasses import dataclass

from agent.full.prices import Price
from agent.full.wire import Spent


@dataclass
class Spending:
    """One run's. `price` None: the model's price is not known, and nothing is counted but tokens. `budget` None: no limit."""

    price: Price | None
    budget: float | None
    tokens: int = 0
    cost: float = 0.0
    _told: tuple[int, float] = (0, 0.0)
    _granted: float = 0.0

    def add(self, spent: Spent) -> None:
        """Adds what one answer of the model used."""
        self.tokens += spent.prompt + spent.completion
        if self.price is not None:
            self.cost += self.price.of(prompt=spent.prompt, cached=spent.cached, completion=spent.completion)

    def since_last(self) -> tuple[int, float]:
        """The tokens and dollars that were spent since this was last asked."""
        tokens, cost = self._told
        self._told = self.tokens, self.cost
        return self.tokens - tokens, round(self.cost - cost, 9)  # a billionth: prices are per million tokens

    @property
    def excess(self) -> str:
        """What is to be said when the budget is used up; empty while it is not."""
        if self.budget is None or self.cost <= self.budget + self._granted:
            return ""
        return f"The task has cost {self.cost:.2f} US dollars; its budget is {self.budget + self._granted:.2f}."

    def grant(self) -> None:
        """Gives it as much again."""
        self._granted += self.budget or 0.0
