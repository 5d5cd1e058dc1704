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
from codex_proapi.commons.usage.calendar import UTC, calendar_of
from codex_proapi.commons.usage.counters import SLOT_SECONDS, Counters, day_of, seconds_left
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.commons.usage.hours import quarters_of
from codex_proapi.commons.usage.log_stream import LENGTHS, entry_of

MOST_AT_ONCE = 100
"""Most exchanges in one run of the script, during which Redis serves no other command."""
ACCOUNT_MODEL_SECONDS = 40 * keyspace.DAY
"""How long what an account used is kept by model: for the cost of its usage."""
FAILED = frozenset({Ending.REFUSED, Ending.BROKEN})
"""Endings that are counted as errors."""
_KEYS = (keyspace.logs(), keyspace.settings(), keyspace.log_index())
_SETTINGS = (
    keyspace.SETTLED_SECONDS,
    msgspec.json.encode(Counters.__struct_fields__),
    *LENGTHS,
)
"""With the names of the counters, in the order the script takes their counts."""
_encode = msgspec.json.Encoder().encode

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
        counted = 0
        for begin in range(0, len(records), MOST_AT_ONCE):
            args = self._arguments(records[begin : begin + MOST_AT_ONCE])
            added, refused, reason = await self._scripts.repeat("settle_once", _KEYS, args)
            if refused:
                self._refused(len(refused), text(reason))
            counted += added
        return counted

    def _arguments(self, records: Sequence[ExchangeRecord]) -> Sequence[Any]:
        """A batch in the script's format: what exchanges are counted in is told once.

        One that cannot be encoded (time out of range) is left out.
        """
        days, zone = self.days, self.calendar.zone
        targets: dict[bytes, int] = {}
        exchanges: list[bytes] = []
        for record in records:
            try:
                at, model = int(record.at), record.counted_model or "none"
                slot = at - at % SLOT_SECONDS
                of_key = _targets_of_key(slot, days, zone, record.key_id, model)
                of_account = _targets_of_account(slot, days, zone, record.account or "none", model)
                settlement = _settlement(
                    record,
                    of_key=targets.setdefault(of_key, len(targets) + 1),
                    of_account=targets.setdefault(of_account, len(targets) + 1),
                    at=at,
                )
                exchanges += _encode(settlement), _encode(entry_of(record))
            except (ValueError, OverflowError, OSError):
                continue
        if lost := len(records) - len(exchanges) // 2:
            self._refused(lost, "cannot be encoded")
        return [*_SETTINGS, b"[" + b",".join(targets) + b"]", *exchanges]

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


class _Settlement(msgspec.Struct, frozen=True, array_like=True):
    """One exchange in the script's format."""

    of_key: int
    """The position of what all exchanges of its key and model are counted in."""
    of_account: int
    """The position of what all exchanges of its account and model are counted in."""
    id: str
    at: int
    counts: tuple[int, ...]
    """In the order of `Counters`."""
    attempts: Sequence[tuple[str, str]]
    """The hash of each one's account, and the code or status with which it failed; empty if it committed."""
    drawn: tuple[str, int, int] | None
    """The charge to the key's limits: its permit, its second, and the tokens used beyond it."""
    fair_share: float | None
    """What it cost its key's fair share beyond the charge, by the key's weight."""


def _settlement(record: ExchangeRecord, *, of_key: int, of_account: int, at: int) -> _Settlement:
    """One exchange in the script's format, with the positions of what it is counted in."""
    tokens, estimated = record.tokens, record.estimated
    attempts = []
    for each in record.attempts:
        failed = each.verdict != "committed"
        code = each.code or str(each.status or each.verdict) if failed else ""
        attempts.append((_account_of(each.account), code))
    drawn = more = None
    if record.drawn_at:
        permit = permit_id(record.request_id, record.drawn_tokens, cost=record.drawn_cost)
        beyond = tokens.input + tokens.output + estimated - record.drawn_tokens
        drawn = permit, record.drawn_at, beyond
    if record.fair_share_weight:
        cost = cost_of(tokens) + round(estimated * CHARGED)
        more = (cost - record.fair_share_charge) / record.fair_share_weight
    first_byte = record.first_byte_ms
    counts = (
        *(1, int(record.ending in FAILED)),
        *(tokens.input, tokens.cached, tokens.cache_write, tokens.output, tokens.reasoning),
        *(estimated, int(first_byte > 0), first_byte, record.total_ms),
    )
    return _Settlement(of_key, of_account, record.request_id, at, counts, attempts, drawn, more)


class _Moment(NamedTuple):
    """What all exchanges of SLOT_SECONDS have in common: no day or hour of any zone begins within."""

    day: str
    seconds: int
    """How long the counters of its day are kept."""
    series: tuple[str, int, str]
    hour: str
    """The name of its hour in a hash."""
    settled: str


@functools.lru_cache(maxsize=64)
def _moment_of(at: int, days: int, zone: str) -> _Moment:
    """What is the same for exchanges from a slot's begin on; raises for a time out of range."""
    calendar = calendar_of(zone)
    day = calendar.day_of(at)
    slot = f"{at % keyspace.DAY // SLOT_SECONDS} "
    return _Moment(
        day=day,
        seconds=seconds_left(day, days, now=at, calendar=calendar),
        series=(keyspace.usage_series(day_of(at)), keyspace.SERIES_SECONDS, slot),
        hour=quarters_of(calendar.begin_of_hour(at)),
        settled=keyspace.settled(_hour(at // 3600)),
    )


@functools.lru_cache(maxsize=4096)
def _targets_of_key(at: int, days: int, zone: str, key_id: str, model: str) -> bytes:
    """What exchanges of a key and a model are counted in from a slot's begin on, in the script's format."""
    moment = _moment_of(at, days, zone)
    key, day, kept, hour = key_id or "open", moment.day, moment.seconds, moment.hour
    return _encode(
        {
            "settled": moment.settled,
            "sums": [
                (*moment.series, ""),
                (keyspace.usage_models(day, key), kept, f"{model} ", f"{model} {hour}"),
                (keyspace.usage(day, "key", key), kept, "", ""),
                (keyspace.usage(day, "model", model), kept, "", hour),
            ],
            "subjects": [
                (keyspace.usage_subjects(day, "key"), kept, key),
                (keyspace.usage_subjects(day, "model"), kept, model),
            ],
            "key": keyspace.key(key_id) if key_id else "",
            "streams": keyspace.streams(key_id),
            "minute": keyspace.minute_tokens(key_id),
            "share": (keyspace.fair_shares(), key_id),
            "costs": (operator_keys.key_costs(key_id), day) if key_id else None,
        }
    )


@functools.lru_cache(maxsize=4096)
def _targets_of_account(at: int, days: int, zone: str, account: str, model: str) -> bytes:
    """What exchanges of an account and a model are counted in from a slot's begin on, likewise."""
    moment = _moment_of(at, days, zone)
    day, kept = moment.day, moment.seconds
    models, seconds = keyspace.usage_models(day, account), min(kept, ACCOUNT_MODEL_SECONDS)
    return _encode(
        {
            "sums": [
                (models, seconds, f"{model} ", f"{model} {moment.hour}"),
                (keyspace.usage(day, "account", account), kept, "", ""),
            ],
            "subjects": [(keyspace.usage_subjects(day, "account"), kept, account)],
        }
    )


_account_of = functools.lru_cache(maxsize=4096)(keyspace.account)


def _hour(number: int) -> str:
    """An hour, counted since the epoch, as the sets of settled ids are named: `2026-11-24T07`."""
    return dt.datetime.fromtimestamp(number * 3600, dt.UTC).strftime("%Y-%m-%dT%H")
