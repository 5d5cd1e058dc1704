"""Writes settled exchanges to Redis: usage counters, log entries and notes, in one script.

Each request id counts once, so a batch whose reply was lost may be repeated. While Redis is away
the caller keeps the batch and retries.
"""

import datetime as dt
import functools
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis

from codex_proapi.commons.api_keys.fair_shares import CHARGED, cost_of
from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.commons.redis.clients import text
from codex_proapi.commons.redis.multiplexed import MultiplexedConnection
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.usage.calendar import UTC, Calendar
from codex_proapi.commons.usage.counters import SLOT_SECONDS, Counters, day_of, seconds_left
from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending, ExchangeRecord
from codex_proapi.commons.usage.hours import quarters_of
from codex_proapi.commons.usage.log_stream import LENGTHS, encode_entry, entry_of

MOST_AT_ONCE = 100
"""Most exchanges in one run of the script, during which Redis serves no other command."""
ACCOUNT_MODEL_SECONDS = 40 * keyspace.DAY
"""How long what an account used is kept by model: for the cost of its usage."""
_NAMES = msgspec.json.encode(Counters.__struct_fields__).decode()
"""Names of the counters, in the order the script takes their counts."""

log = structlog.get_logger(__name__)


class SettlementWriter:
    """Counts settled exchanges in Redis and appends their log entries."""

    def __init__(
        self,
        redis: Redis,
        *,
        connection: MultiplexedConnection | None = None,
        lost: Callable[[int], object] = lambda _: None,
    ) -> None:
        """Args: `lost` is called with the number of exchanges that were not written completely."""
        self._scripts = Scripts(redis, __package__, connection=connection)
        self._lost = lost
        self.days = keyspace.USAGE_DAYS
        """Days that usage is kept after its day; may change while running."""
        self.calendar = UTC
        """Whose days usage is counted by; may change while running."""

    def __repr__(self) -> str:
        return f"<SettlementWriter, kept for {self.days} days>"

    async def add(self, records: Sequence[ExchangeRecord]) -> int:
        """Count settled exchanges and append their log entries; gives the number counted.

        An exchange that Redis rejects (a key with a value of another type) is dropped, counted and
        logged; the others of its batch are written. Raises StoreUnavailable if none was written.
        """
        settings = (keyspace.SETTLED_SECONDS, _NAMES, *LENGTHS)
        counted = 0
        for begin in range(0, len(records), MOST_AT_ONCE):
            exchanges = [
                _encoded(each, days=self.days, calendar=self.calendar)
                for each in records[begin:][:MOST_AT_ONCE]
            ]
            if unreadable := exchanges.count(""):
                self._refused(unreadable, "cannot be encoded")
            args = [*settings, *filter(None, exchanges)]
            added, refused, reason = await self._scripts.repeat(
                "settle_once", [keyspace.logs(), keyspace.settings(), keyspace.log_index()], args
            )
            if refused:
                self._refused(len(refused), text(reason))
            counted += added
        return counted

    def _refused(self, count: int, reason: str) -> None:
        self._lost(count)
        log.error("settlement.refused", exchanges=count, reason=reason)


def permit_id(request_id: str, tokens: int, *, cost: int = 0) -> str:
    """The member of a key's running streams that an exchange holds: its id and estimates.

    Args:
        request_id: The exchange.
        tokens: Its estimated tokens.
        cost: Its estimated cost in millionths of a dollar; 0 is left out.
    """
    return f"{request_id} {cost} {tokens}" if cost else f"{request_id} {tokens}"


def _encoded(record: ExchangeRecord, *, days: int, calendar: Calendar) -> str:
    """One exchange as JSON for the script; empty if it cannot be encoded (time out of range)."""
    try:
        return msgspec.json.encode(_settlement(record, days=days, calendar=calendar)).decode()
    except (ValueError, OverflowError, OSError):
        return ""


def _settlement(record: ExchangeRecord, *, days: int, calendar: Calendar) -> dict[str, Any]:
    """One exchange in the script's format."""
    day, at = calendar.day_of(record.at), int(record.at)
    hour = _hour(at // 3600)
    subjects = {
        "key": record.key_id or "open",
        "account": record.account or "none",
        "model": record.counted_model or "none",
    }
    slot = f"{at % keyspace.DAY // SLOT_SECONDS} "
    series = (keyspace.usage_series(day_of(record.at)), keyspace.SERIES_SECONDS, slot)
    seconds = seconds_left(day, days, now=at, calendar=calendar)
    by_model = [
        (keyspace.usage_models(day, subjects["key"]), seconds),
        (keyspace.usage_models(day, subjects["account"]), min(seconds, ACCOUNT_MODEL_SECONDS)),
    ]
    quarters = quarters_of(calendar.begin_of_hour(record.at))
    return {
        "settled": keyspace.settled(hour),
        "id": record.request_id,
        "entry": encode_entry(entry_of(record)),
        "at": at,
        "sums": [
            series,
            *((name, kept, f"{subjects['model']} ") for name, kept in by_model),
            *(
                (keyspace.usage(day, kind, subject), seconds, "")
                for kind, subject in subjects.items()
            ),
        ],
        "hours": [
            *((name, f"{subjects['model']} {quarters}") for name, _ in by_model),
            (keyspace.usage(day, "model", subjects["model"]), quarters),
        ],
        "counts": _counts(record),
        "subjects": [
            (keyspace.usage_subjects(day, kind), seconds, subject)
            for kind, subject in subjects.items()
        ],
        "key": keyspace.key(record.key_id) if record.key_id else "",
        "costs": (operator_keys.key_costs(record.key_id), day) if record.key_id else None,
        "drawn": _drawn(record),
        "fair_share": _fair_share(record),
        "attempts": [(keyspace.account(each.account), _error(each)) for each in record.attempts],
    }


@functools.lru_cache(maxsize=4)
def _hour(number: int) -> str:
    """An hour, counted since the epoch, as the sets of settled ids are named: `2026-11-24T07`."""
    return dt.datetime.fromtimestamp(number * 3600, dt.UTC).strftime("%Y-%m-%dT%H")


def _drawn(record: ExchangeRecord) -> dict[str, Any] | None:
    """The charge to the key's limits with its correction; None without a charge."""
    if not record.drawn_at:
        return None
    return {
        "streams": keyspace.streams(record.key_id),
        "place": permit_id(record.request_id, record.drawn_tokens, cost=record.drawn_cost),
        "minute": keyspace.minute_tokens(record.key_id),
        "at": record.drawn_at,
        "more": record.tokens.input + record.tokens.output + record.estimated - record.drawn_tokens,
    }


def _fair_share(record: ExchangeRecord) -> dict[str, Any] | None:
    """The correction of the fair share's charge by the real cost; None without a charge."""
    if not record.fair_share_weight:
        return None
    cost = cost_of(record.tokens) + round(record.estimated * CHARGED)
    more = (cost - record.fair_share_charge) / record.fair_share_weight
    return {"shares": keyspace.fair_shares(), "key": record.key_id, "more": more}


def _counts(record: ExchangeRecord) -> tuple[int, ...]:
    """What one exchange adds to the counters, in the order of `Counters`."""
    tokens = record.tokens
    return (
        *(1, int(record.ending in (Ending.REFUSED, Ending.BROKEN))),
        *(tokens.input, tokens.cached, tokens.cache_write, tokens.output, tokens.reasoning),
        record.estimated,
        *(int(record.first_byte_ms > 0), record.first_byte_ms, record.total_ms),
    )


def _error(attempt: AttemptRecord) -> str:
    """The code or status with which an attempt failed; empty if it committed."""
    if attempt.verdict == "committed":
        return ""
    return attempt.code or str(attempt.status or attempt.verdict)
