"""The ledger: collects what has to be written to Redis after exchanges, and writes it in batches.

No request waits for it. What the next request may need at once is written at once: settlements that
correct a charge to a key's limits, and tentative ties. All else is written together FLUSH_SECONDS
later, which is what a killed process loses. The ledger is bounded; while Redis is away it keeps its
entries and retries, and on shutdown it writes what it can. A settlement written twice counts once,
by request id; therefore the latest settlements are written again when Redis returns, which may have
lost its last writes.
"""

import asyncio
import collections
import itertools
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

import structlog

from codex_proapi.commons.redis.circuit_breaker import is_away
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.exchange_record import ExchangeRecord
from codex_proapi.commons.usage.log_stream import LogEntry
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.metrics.series import RedisWork

FLUSH_SECONDS: Final = 0.02
"""Seconds that entries nobody waits for are gathered, to be written together."""
RETRY_SECONDS: Final = 1.0
"""Seconds to pause after a failed write."""
MOST: Final = 20_000
"""Most entries of each kind; beyond it the oldest is dropped and counted as lost."""
BATCH: Final = 250
"""Most settlements in one write."""
RECENT_SECONDS: Final = 5.0
"""Seconds that written settlements are kept for `again`: longer than Redis takes to persist writes
(a second or two), or to replicate them."""
KNOWN_SECONDS: Final = 3600.0
"""Most seconds since a settlement's write after which it is repeated; Redis knows ids for two hours."""
CLOSE_SECONDS: Final = 5.0
"""Seconds that closing retries."""

K = TypeVar("K")
V = TypeVar("V")

log = structlog.get_logger(__name__)


class LedgerWriter(Protocol):
    """Writes the ledger's entries. A method that raises StoreUnavailable is called again later."""

    async def add(self, records: Sequence[ExchangeRecord]) -> object:
        """Count settled exchanges and append them to the log stream, each id once."""

    async def tie(self, fingerprints: dict[str, str]) -> object:
        """Tie conversations to the accounts that answered them."""

    async def tie_tentatively(self, fingerprints: dict[str, str]) -> object:
        """Tie conversations without an account tentatively to the one just selected."""

    async def mark_unreadable(self, digests: Mapping[str, Iterable[str]]) -> object:
        """Store digests of unreadable encrypted items by conversation."""

    async def succeed(self, accounts: Mapping[str, float]) -> object:
        """Reset the fault counts of accounts that answered, each with the begin of its attempt."""

    async def tell(self, entries: Sequence[LogEntry]) -> object:
        """Append entries to the log stream."""


class Ledger:
    """The entries waiting to be written.

    Args:
        writer: writes them.
        metrics: counts pending and lost entries.
        sleep: for pauses.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        writer: LedgerWriter,
        metrics: Metrics,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._metrics = metrics
        self._sleep = sleep
        self._clock = clock
        self._records: dict[str, ExchangeRecord] = {}
        self._recent: collections.deque[tuple[float, ExchangeRecord]] = collections.deque(
            maxlen=MOST
        )
        self._ties: dict[str, str] = {}
        self._tentative_ties: dict[str, str] = {}
        self._unreadable: dict[str, frozenset[str]] = {}
        self._answered: dict[str, float] = {}
        self._entries: dict[int, LogEntry] = {}
        self._entries_taken = 0
        self._away = self._full = self._woken = False
        self._wake = asyncio.Event()
        self._tied = asyncio.Event()
        self._charged = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Ledger with {len(self)} waiting>"

    def __len__(self) -> int:
        marks = (
            len(self._ties)
            + len(self._tentative_ties)
            + len(self._unreadable)
            + len(self._answered)
        )
        return len(self._records) + marks + len(self._entries)

    def settle(self, record: ExchangeRecord) -> None:
        """Add the record of a settled exchange; a reader of exchange records."""
        self._records[record.request_id] = record
        if not self._woken or len(self._records) > MOST:
            self._added(self._records)
        if record.drawn_at:  # the key's next request is admitted by what is left of its limits
            self._charged.set()

    def tie(self, fingerprint: str, account_id: str) -> None:
        """Add a conversation's tie to the account that answers it."""
        self._tentative_ties.pop(fingerprint, None)
        self._ties[fingerprint] = account_id
        if not self._woken or len(self._ties) > MOST:
            self._added(self._ties)

    def tie_tentatively(self, fingerprint: str, account_id: str) -> None:
        """Add a conversation's tie to an account that was selected but has not answered yet."""
        self._tentative_ties[fingerprint] = account_id
        if not self._woken or len(self._tentative_ties) > MOST:
            self._added(self._tentative_ties)
        self._tied.set()

    def mark_unreadable(self, fingerprint: str, digests: frozenset[str]) -> None:
        """Add digests of a conversation's encrypted items that its account cannot read."""
        known = self._unreadable.get(fingerprint, frozenset())
        self._unreadable[fingerprint] = known | digests
        if not self._woken or len(self._unreadable) > MOST:
            self._added(self._unreadable)

    def succeed(self, account_id: str, *, begun_at: float) -> None:
        """Take note that an account answered an attempt begun at a time, seconds since the epoch."""
        latest = max(begun_at, self._answered.get(account_id, begun_at))
        self._answered[account_id] = latest
        if not self._woken or len(self._answered) > MOST:
            self._added(self._answered)

    def tell(self, entry: LogEntry) -> None:
        """Take an entry of the log."""
        self._entries_taken += 1
        self._entries[self._entries_taken] = entry
        if not self._woken or len(self._entries) > MOST:
            self._added(self._entries)

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._woken = False
            await self._sleep(FLUSH_SECONDS)
            if not await self.flush():
                await self._sleep(RETRY_SECONDS)
                self._wake.set()

    def run_settlements(self) -> Coroutine[None, None, None]:
        """Write settlements as soon as one of them corrects a charge, until cancelled."""
        return self._run_urgent(self._charged, self._write_settlements)

    def run_ties(self) -> Coroutine[None, None, None]:
        """Write ties as soon as one is tentative: a conversation's parallel requests follow at once."""
        return self._run_urgent(self._tied, self._write_ties)

    async def flush(self) -> bool:
        """Write all entries; False if Redis is away and they are kept."""
        try:
            await self._write()
        except StoreUnavailable as error:
            self._metrics.redis_failed(RedisWork.SETTLE)
            if not self._away:
                log.warning("ledger.kept", waiting=len(self), error=str(error))
            self._away = True
            return False
        finally:
            self._metrics.ledger_pending.set(len(self))
        if self._away:
            log.info("ledger.written")
        self._away = self._full = False
        return True

    def again(self) -> None:
        """Write the latest settlements again after an outage, in which Redis may have lost them."""
        known = self._clock() - KNOWN_SECONDS
        while self._recent:
            at, record = self._recent.popleft()
            if at > known and len(self._records) < MOST:  # never displaces entries that wait
                self.settle(record)

    async def close(self) -> None:
        """Write the remaining entries, retrying for CLOSE_SECONDS; the rest counts as lost."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while not await self.flush():
                    await self._sleep(RETRY_SECONDS / 4)
        except TimeoutError:
            self._metrics.ledger_lost.inc(len(self))
            log.warning("ledger.lost", waiting=len(self))

    async def _run_urgent(self, comes: asyncio.Event, write: Callable[[], Awaitable[None]]) -> None:
        while True:
            await comes.wait()
            comes.clear()
            try:
                await write()
            except StoreUnavailable:
                self._metrics.redis_failed(RedisWork.SETTLE)
                self._wake.set()  # `run` retries; its flush may have passed while this write failed

    async def _write(self) -> None:
        await self._write_ties()
        await self._write_settlements()
        if self._unreadable:
            await self._write_batch(self._unreadable, self._writer.mark_unreadable)
        if self._answered:
            await self._write_batch(self._answered, self._writer.succeed)
        if self._entries:
            await self._write_batch(
                self._entries, lambda entries: self._writer.tell(list(entries.values()))
            )

    async def _write_ties(self) -> None:
        if self._tentative_ties:
            await self._write_batch(self._tentative_ties, self._writer.tie_tentatively)
        if self._ties:
            await self._write_batch(self._ties, self._writer.tie)

    async def _write_settlements(self) -> None:
        while self._records:
            await self._write_batch(self._records, self._settle_batch, most=BATCH)

    async def _settle_batch(self, records: dict[str, ExchangeRecord]) -> None:
        await self._add(list(records.values()))
        self._keep(records.values())

    async def _add(self, records: Sequence[ExchangeRecord]) -> None:
        """Write settlements; if Redis rejects the batch, write each alone, so that only one is lost."""
        try:
            await self._writer.add(records)
        except StoreUnavailable as error:
            if is_away(error):
                raise
            if len(records) == 1:
                self._refused(1, error)
                return
            for record in records:
                await self._add([record])

    def _refused(self, count: int, error: StoreUnavailable) -> None:
        """Count and log entries that Redis rejects."""
        self._metrics.ledger_lost.inc(count)
        log.error("ledger.refused", entries=count, error=str(error))

    async def _write_batch(
        self,
        waiting: dict[K, V],
        write: Callable[[dict[K, V]], Awaitable[object]],
        *,
        most: int = MOST,
    ) -> None:
        """Write waiting entries, oldest first; any exception or cancellation restores them.

        Only entries that Redis rejects (a key with a value of another type) are dropped and
        counted: they would be rejected again and block all later ones.
        """
        batch = dict(itertools.islice(waiting.items(), most))
        for key in batch:
            del waiting[key]
        try:
            await write(batch)
        except BaseException as error:
            if isinstance(error, StoreUnavailable) and not is_away(error):
                self._refused(len(batch), error)
                return
            newer = dict(waiting)
            waiting.clear()
            waiting.update(batch | newer)
            raise

    def _keep(self, written: Iterable[ExchangeRecord]) -> None:
        """Keep settlements that were just written for RECENT_SECONDS."""
        now = self._clock()
        while self._recent and self._recent[0][0] < now - RECENT_SECONDS:
            self._recent.popleft()
        self._recent.extend([(now, record) for record in written])

    def _added(self, waiting: dict[K, V]) -> None:
        """Wake the writer, and drop the oldest of too many entries of a kind."""
        if len(waiting) > MOST:
            waiting.pop(next(iter(waiting)))
            self._metrics.ledger_lost.inc()
            if not self._full:
                log.error("ledger.overflowed", most=MOST)
            self._full = True
        self._woken = True
        self._wake.set()
