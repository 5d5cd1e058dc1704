"""The dashboard's figures, from the usage series and the log's last hour. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from codex_proapi.commons.usage.counters import Counters
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.commons.usage.log_stream import LogEntry
from codex_proapi.console.api.chart_points import HOUR

FAILED = frozenset({Ending.REFUSED, Ending.BROKEN})
POOL_CODES = frozenset({"rate_limit_exceeded", "usage_limit_reached", "insufficient_quota"})
"""Codes with which the gateway itself also refuses; then no attempt is the last by its verdict."""
LAST_VERDICT = "give_up"
"""Verdict on an attempt after which no other account was to be asked."""
POOL_SPENT, KEY_LIMITED = "pool_spent", "key_limited"
"""Codes of the sentences for that, in `texts.phrases`."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What the pool did lately."""

    requests: int
    """In the last hour."""
    per_minute: float
    """Mean of the last hour."""
    error_share: float
    """Percent of the last hour's requests that were refused or broke."""
    top_error: str
    """The code they failed with most often."""
    tokens: int
    """Of today (in the team's time zone), input and output."""
    cached_share: float
    """Percent of today's input that came from the prompt cache."""
    first_byte_p50: int | None
    """Median milliseconds to the commit point in the last hour; None without an answer."""
    first_byte_p95: int | None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A request as one line: when, what, how it ended."""

    request_id: str
    at: float
    status: int
    code: str
    model: str
    account: str
    tries: int
    """Requests to the backend; 0 if there was no attempt."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What one key or model used."""

    id: str
    name: str
    requests: int
    tokens: int


def figures_of(
    *,
    series: Mapping[int, Counters],
    today: Iterable[Counters],
    entries: Sequence[LogEntry],
    now: float,
) -> Figures:
    """Aggregate: rates over the last hour, tokens over the day."""
    hour = _sum(counters for at, counters in series.items() if at >= now - HOUR)
    day = _sum(today)
    recent = [entry.exchange for entry in entries if entry.exchange and entry.at > now - HOUR]
    waits = sorted(exchange.first_byte_ms for exchange in recent if exchange.first_byte_ms > 0)
    failed = Counter(e.code or str(e.status) for e in recent if e.ending in FAILED)
    return Figures(
        requests=hour.requests,
        per_minute=hour.requests / 60,
        error_share=100 * hour.errors / hour.requests if hour.requests else 0.0,
        top_error=min(failed, key=lambda code: (-failed[code], code), default=""),
        tokens=day.input + day.output,
        cached_share=100 * day.cached / day.input if day.input else 0.0,
        first_byte_p50=quantile(waits, 50),
        first_byte_p95=quantile(waits, 95),
    )


def quantile(ordered: Sequence[int], percent: int) -> int | None:
    """The value that so many percent do not exceed (nearest rank); None of nothing."""
    if not ordered:
        return None
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def failure_of(entry: LogEntry, names: Mapping[str, str]) -> Failure:
    """A settled request as one line; the account by its name where it has one."""
    exchange = entry.exchange
    return Failure(
        request_id=entry.request_id,
        at=entry.at,
        status=entry.status,
        code=phrase_of(entry),
        model=(exchange.asked_model if exchange else "") or entry.model,
        account=names.get(entry.account, entry.account),
        tries=len(exchange.attempts) if exchange else 0,
    )


def phrase_of(entry: LogEntry) -> str:
    """The code whose sentence explains a failure.

    The gateway shares some codes with the backend. They mean that the key had reached its limit
    where it was refused for that, and that no account had quota left or was free where another one
    was still to be asked.
    """
    exchange = entry.exchange
    if exchange is None or entry.code not in POOL_CODES:
        return entry.code
    if exchange.limited:
        return KEY_LIMITED
    was_last = any(each.verdict == LAST_VERDICT for each in exchange.attempts)
    return entry.code if was_last else POOL_SPENT


def shares_of(used: Mapping[str, Counters], names: Mapping[str, str]) -> list[Share]:
    """Usage by subject, largest first; subjects without a name keep an empty one."""
    found = [
        Share(
            id=subject,
            name=names.get(subject, "" if subject in {"open", "none"} else subject),
            requests=counters.requests,
            tokens=counters.input + counters.output,
        )
        for subject, counters in used.items()
        if counters.requests
    ]
    return sorted(found, key=lambda share: (-share.tokens, -share.requests, share.name))


def _sum(counters: Iterable[Counters]) -> Counters:
    total = Counters()
    for each in counters:
        total.add(each)
    return total
