"""Two brakes on asking upstream: a budget for retries, and a pause for our own address.

Neither knows an account: a retry storm and a challenge page hurt all of them alike.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

BUDGET_SHARE: Final = 0.2
"""Retries of transient faults under way, as a share of the exchanges under way."""
BUDGET_LEAST: Final = 3
"""Retries that are always allowed."""
EGRESS_SECONDS: Final = 60.0
"""How long nothing is asked after our address was refused; doubled each time."""
EGRESS_MOST: Final = 300.0


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


class Egress:
    """Whether upstream takes requests from our address."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = 0.0
        self._seconds = EGRESS_SECONDS

    def __repr__(self) -> str:
        return f"<Egress paused until {self._until}>"

    def refused(self) -> None:
        """Our address was refused: pause, longer each time."""
        now = self._clock()
        if now < self._until:
            return
        self._until = now + self._seconds
        self._seconds = min(2 * self._seconds, EGRESS_MOST)

    def answered(self) -> None:
        """Upstream answered: all is well."""
        self._until = 0.0
        self._seconds = EGRESS_SECONDS

    def pause(self) -> float:
        """Seconds until somebody may ask again; 0 is now."""
        return max(0.0, self._until - self._clock())
