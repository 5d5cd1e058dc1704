"""The retry budget: bounds concurrent retries of transient faults, and so the load on the backend."""

from typing import Final

BUDGET_SHARE: Final = 0.2
"""Most retrying exchanges, as a share (0 to 1) of the exchanges being dispatched."""
BUDGET_LEAST: Final = 3
"""Retrying exchanges that are allowed in any case."""


class RetryBudget:
    """Counts exchanges being dispatched, and those of them that retry."""

    def __init__(self) -> None:
        self.under_way = 0
        """Exchanges being dispatched."""
        self.retrying = 0
        """Those of them that have taken a retry, which their dispatch gives back in the end."""

    def __repr__(self) -> str:
        return f"<RetryBudget {self.retrying} of {self.under_way}>"

    def take(self) -> bool:
        """Take one retry from the budget; False if it is exhausted."""
        if self.retrying >= max(BUDGET_LEAST, BUDGET_SHARE * self.under_way):
            return False
        self.retrying += 1
        return True
