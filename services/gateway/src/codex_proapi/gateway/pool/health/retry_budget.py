"""The retry budget: bounds concurrent retries of transient faults, and so the load on the backend."""

from typing import Final, Self

BUDGET_SHARE: Final = 0.2
"""Most retrying exchanges, as a share (0 to 1) of the exchanges being dispatched."""
BUDGET_LEAST: Final = 3
"""Retrying exchanges that are allowed in any case."""


class RetryBudget:
    """Counts exchanges being dispatched, and those of them that retry."""

    def __init__(self) -> None:
        self.under_way = 0
        self.retrying = 0

    def __repr__(self) -> str:
        return f"<RetryBudget {self.retrying} of {self.under_way}>"

    def take(self) -> bool:
        """Take one retry from the budget; False if it is exhausted."""
        if self.retrying >= max(BUDGET_LEAST, BUDGET_SHARE * self.under_way):
            return False
        self.retrying += 1
        return True


class Spending:
    """One exchange's use of the retry budget; a context that lasts as long as its dispatch."""

    __slots__ = ("_budget", "held")

    def __init__(self, budget: RetryBudget) -> None:
        self._budget = budget
        self.held = 0

    def __repr__(self) -> str:
        return f"<Spending {self.held}>"

    def __enter__(self) -> Self:
        self._budget.under_way += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.under_way -= 1
        self._budget.retrying -= self.held

    def retry(self) -> bool:
        """Whether this exchange may retry; it takes from the budget only once."""
        if not self.held and self._budget.take():
            self.held = 1
        return bool(self.held)
