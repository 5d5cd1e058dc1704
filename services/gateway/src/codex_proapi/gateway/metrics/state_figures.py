"""The series about a replica's state: breakers, the egress pause, bodies and stored responses.

Their values are read from the objects that have the state, on each scrape.
"""

from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

ACCOUNT_WAIT_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 6, 8, 10)
"""Seconds; ten are the most that one exchange waits for accounts to come back."""
EGRESS_STATES: Final = ("open", "probing", "paused")
REDIS_STATES: Final = ("closed", "grace", "open")


class StateFigures:
    """The series of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._declare_health(registry)
        self._declare_memory(registry)
        self.account_waiting = Gauge(
            "gateway_account_waiting",
            "Exchanges that wait for an account to come back: a cooldown or a refresh to end.",
            registry=registry,
        )
        self.account_wait_seconds = Histogram(
            "gateway_account_wait_seconds",
            "How long exchanges waited for an account to come back, each time.",
            buckets=ACCOUNT_WAIT_BUCKETS,
            registry=registry,
        )
        self.early_answers = Counter(
            "gateway_early_answers",
            "Answers begun with status 200 before the backend had said anything, by endpoint.",
            ("endpoint",),
            registry=registry,
        )

    def __repr__(self) -> str:
        return "<StateFigures>"

    def watch_egress(self, state: Callable[[], str]) -> None:
        """Read the state of the egress pause, one of `EGRESS_STATES`, from here."""
        _show_state(self._egress, EGRESS_STATES, state)

    def watch_redis(self, state: Callable[[], str]) -> None:
        """Read the state of Redis' circuit breaker, one of `REDIS_STATES`, from here."""
        _show_state(self._redis_breaker, REDIS_STATES, state)

    def watch_breakers(self, counts: Callable[[], Mapping[str, int]]) -> None:
        """Read the number of accounts' circuit breakers by state from here."""
        for state in ("open", "half_open"):
            self._breakers.labels(state).set_function(_count_of(counts, state))

    def _declare_health(self, registry: CollectorRegistry) -> None:
        self._egress = Gauge(
            "gateway_egress",
            "1 for the state of the egress pause, which holds requests while our address is refused.",
            ("state",),
            registry=registry,
        )
        self._redis_breaker = Gauge(
            "gateway_redis_breaker",
            "1 for the state of Redis' circuit breaker.",
            ("state",),
            registry=registry,
        )
        self._breakers = Gauge(
            "gateway_account_breakers",
            "Accounts whose circuit breaker is open or half open, as far as this replica has seen.",
            ("state",),
            registry=registry,
        )

    def _declare_memory(self, registry: CollectorRegistry) -> None:
        self.body_bytes = Gauge(
            "gateway_body_bytes",
            "Bytes of request bodies under way, as they count towards BODY_MEMORY_MIB.",
            registry=registry,
        )
        self.body_limit = Gauge(
            "gateway_body_limit_bytes", "BODY_MEMORY_MIB in bytes.", registry=registry
        )
        self.stored_bytes = Gauge(
            "gateway_stored_response_bytes",
            "Bytes of all stored responses in Redis, as last read.",
            registry=registry,
        )
        self.stored_limit = Gauge(
            "gateway_stored_response_limit_bytes",
            "Most bytes of all stored responses; beyond them the oldest goes.",
            registry=registry,
        )


def _show_state(gauge: Gauge, states: tuple[str, ...], current: Callable[[], str]) -> None:
    for each in states:
        gauge.labels(each).set_function(_is_now(current, each))


def _is_now(current: Callable[[], str], state: str) -> Callable[[], float]:
    return lambda: float(current() == state)


def _count_of(counts: Callable[[], Mapping[str, int]], state: str) -> Callable[[], float]:
    return lambda: float(counts()[state])
