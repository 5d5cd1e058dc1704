"""A budget for retries of transient faults: a storm of them must not double the load upstream."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

BUDGET_SHARE: Final = 0.2
"""Retries of transient faults under way, as a share of the exchanges under way."""
BUDGET_LEAST: Final = 3
"""Retries that are always allowed."""


class RetryBudget:
    """How many exchanges may be retrying at the same time."""

    def __init__(self) -> None:
        self._under_way = 0
        self._retrying = 0

    def __repr__(self) -> str:
        return f"<RetryBudget {self._retrying} of {self._under_way}>"

    @contextmanager
    def exchange(self) -> Iterator["Spending"]:
        """Count one exchange while it looks for an account."""
        self._under_way += 1
        spending = Spending(self)
        try:
            yield spending
        finally:
            self._under_way -= 1
            self._retrying -= spending.held

    def take(self) -> bool:
        """Whether one more may retry."""
        if self._retrying >= max(BUDGET_LEAST, BUDGET_SHARE * self._under_way):
            return False
        self._retrying += 1
        return True


class Spending:
    """What one exchange has taken from the budget."""

    def __init__(self, budget: RetryBudget) -> None:
        self._budget = budget
        self.held = 0

    def __repr__(self) -> str:
        return f"<Spending {self.held}>"

    def retry(self) -> bool:
        """Whether this exchange may retry; it takes its share once."""
        if not self.held and self._budget.take():
            self.held = 1
        return bool(self.held)
