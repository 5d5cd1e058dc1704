"""Writes settled exchanges to Redis: usage counters, log entries and notes, in one script.

Each request id counts once, so a batch whose reply was lost may be repeated. While Redis is away
the caller keeps the batch and retries.
"""

import datetime as dt
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import structlog
from redis.asyncio import Redis

from codex_proapi.commons.api_keys.fair_shares import CHARGED, cost_of
from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.commons.redis.clients import text
from codex_proapi.commons.redis.multiplexed import MultiplexedConnection
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.usage.calendar import UTC, Calendar, calendar_of
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
    moment = _moment_of(int(record.at), days, calendar.zone)
    key, account = record.key_id or "open", record.account or "none"
    model = record.counted_model or "none"
    kept, kept_of_account = moment.seconds, min(moment.seconds, ACCOUNT_MODEL_SECONDS)
    of_key, key_models = _usage_of(moment.day, "key", key)
    of_account, account_models = _usage_of(moment.day, "account", account)
    of_model, _ = _usage_of(moment.day, "model", model)
    by_model, by_hour = f"{model} ", f"{model} {moment.hour}"
    return {
        "settled": moment.settled,
        "id": record.request_id,
        "entry": encode_entry(entry_of(record)),
        "at": moment.at,
        "sums": [
            moment.series,
            (key_models, kept, by_model),
            (account_models, kept_of_account, by_model),
            (of_key, kept, ""),
            (of_account, kept, ""),
            (of_model, kept, ""),
        ],
        "hours": [(key_models, by_hour), (account_models, by_hour), (of_model, moment.hour)],
        "counts": _counts(record),
        "subjects": [
            (moment.keys, kept, key),
            (moment.accounts, kept, account),
            (moment.models, kept, model),
        ],
        "key": keyspace.key(record.key_id) if record.key_id else "",
        "costs": (operator_keys.key_costs(record.key_id), moment.day) if record.key_id else None,
        "drawn": _drawn(record),
        "fair_share": _fair_share(record),
        "attempts": [(keyspace.account(each.account), _error(each)) for each in record.attempts],
    }


class _Moment(NamedTuple):
    """What all exchanges of one second have in common in the script's format."""

    at: int
    day: str
    seconds: int
    """How long the counters of its day are kept."""
    series: tuple[str, int, str]
    hour: str
    """The name of its hour in a hash."""
    settled: str
    keys: str
    accounts: str
    models: str
    """Names of the sets of subjects."""


@functools.lru_cache(maxsize=64)
def _moment_of(at: int, days: int, zone: str) -> _Moment:
    """What is the same for all exchanges of a second; raises for a time out of range."""
    calendar = calendar_of(zone)
    day = calendar.day_of(at)
    slot = f"{at % keyspace.DAY // SLOT_SECONDS} "
    return _Moment(
        at=at,
        day=day,
        seconds=seconds_left(day, days, now=at, calendar=calendar),
        series=(keyspace.usage_series(day_of(at)), keyspace.SERIES_SECONDS, slot),
        hour=quarters_of(calendar.begin_of_hour(at)),
        settled=keyspace.settled(_hour(at // 3600)),
        keys=keyspace.usage_subjects(day, "key"),
        accounts=keyspace.usage_subjects(day, "account"),
        models=keyspace.usage_subjects(day, "model"),
    )


@functools.lru_cache(maxsize=4096)
def _usage_of(day: str, kind: str, subject: str) -> tuple[str, str]:
    """Names of a subject's counters of a day: their sums, and by model."""
    return keyspace.usage(day, kind, subject), keyspace.usage_models(day, subject)


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
