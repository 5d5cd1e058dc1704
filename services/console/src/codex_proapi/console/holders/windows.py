"""A key's figures of the last hours and days: requests, tokens, cost, first words. Pure.

A window is added up from the key's requests in the log, exactly, as far back as the log reaches; a
longer one from the counters of whole hours. Both count the same: what the settlement wrote.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from codex_proapi.commons.prices.list_prices import Price
from codex_proapi.commons.prices.token_costs import Cost, cost_of, price_of, total_cost
from codex_proapi.commons.usage.counters import Counters
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord

HOUR: Final = 3600
SPANS: Final[Mapping[str, int]] = {
    "1h": HOUR,
    "5h": 5 * HOUR,
    "24h": 24 * HOUR,
    "7d": 7 * 24 * HOUR,
}
"""Lengths of the windows in seconds."""
LONGEST: Final = max(SPANS.values())
FAILED: Final = frozenset({Ending.REFUSED, Ending.BROKEN})

HourOfModel = tuple[int, str, Counters]
"""An hour's begin (seconds since the epoch), a model, and what the key used of it then."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What a key did in one window."""

    span: str
    requests: int
    succeeded: int
    """Requests that were neither refused nor broken."""
    input: int
    cached: int
    output: int
    cost: Cost
    first_word_p50: int | None
    """Milliseconds; None where no answer was measured."""
    first_word_p95: int | None
    whole_hours: bool
    """Whether it begins at the begin of an hour, as the log does not reach back so far."""
    measured: int
    """Answers whose first words were measured: those in the log."""

    @property
    def success_percent(self) -> float | None:
        """Percent of the requests that succeeded; None without any."""
        return 100 * self.succeeded / self.requests if self.requests else None

    @property
    def cached_percent(self) -> float | None:
        """Percent of the input that came from the prompt cache; None without any."""
        return 100 * self.cached / self.input if self.input else None


def windows_of(
    records: Sequence[ExchangeRecord],
    hours: Sequence[HourOfModel],
    *,
    reaches_to: float,
    prices: Mapping[str, Price],
    now: float,
) -> tuple[Window, ...]:
    """The windows, the shortest first.

    Args:
        records: The key's requests in the log.
        hours: What it used by hour and model, of the longest window at least.
        reaches_to: Since when the log has every request, seconds since the epoch.
        prices: By model.
        now: Seconds since the epoch.
    """
    return tuple(
        _window(
            span,
            records,
            hours,
            begin=now - seconds,
            whole=reaches_to > now - seconds,
            prices=prices,
        )
        for span, seconds in SPANS.items()
    )


def percentile(ordered: Sequence[int], percent: int) -> int | None:
    """The smallest value that so many percent are not above; None without values."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def counters_of(record: ExchangeRecord) -> Counters:
    """What one request added to the counters."""
    tokens = record.tokens
    return Counters(
        requests=1,
        errors=int(record.ending in FAILED),
        input=tokens.input,
        cached=tokens.cached,
        cache_write=tokens.cache_write,
        output=tokens.output,
        reasoning=tokens.reasoning,
        estimated=record.estimated,
    )


def _window(
    span: str,
    records: Sequence[ExchangeRecord],
    hours: Sequence[HourOfModel],
    *,
    begin: float,
    whole: bool,
    prices: Mapping[str, Price],
) -> Window:
    inside = [record for record in records if record.at > begin]
    counted = (
        [(model, used) for at, model, used in hours if at + HOUR > begin]
        if whole
        else [(record.counted_model, counters_of(record)) for record in inside]
    )
    waits = sorted(record.first_byte_ms for record in inside if record.first_byte_ms)
    every = [used for _, used in counted]
    requests = sum(used.requests for used in every)
    return Window(
        span=span,
        requests=requests,
        succeeded=requests - sum(used.errors for used in every),
        input=sum(used.input for used in every),
        cached=sum(used.cached for used in every),
        output=sum(used.output for used in every),
        cost=_cost(counted, prices),
        first_word_p50=percentile(waits, 50),
        first_word_p95=percentile(waits, 95),
        whole_hours=whole,
        measured=len(waits),
    )


def _cost(counted: Iterable[tuple[str, Counters]], prices: Mapping[str, Price]) -> Cost:
    return total_cost(cost_of(used, price_of(model, prices)) for model, used in counted)
