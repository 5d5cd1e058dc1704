"""Looks for alerts and delivers what is told of them; of several consoles one at a time.

A console is elected for each round by a lock in Redis. The lock only avoids double work: an alert
changes, and a delivery is taken for a try, by comparing what is stored. A message is therefore sent
again only if its receiver took it and neither this process lived nor Redis answered until that was
written down; it then has the same id.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from codex_proapi.commons.redis.locks import Locks
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.console.alerts.alert_store import AlertStore, Delivery, Outcome
from codex_proapi.console.alerts.conditions import Facts, find_conditions
from codex_proapi.console.alerts.delivery.deliverer import Deliverer
from codex_proapi.console.alerts.destinations import Destination, DestinationStore
from codex_proapi.console.alerts.kinds import AlertKind, Phase
from codex_proapi.console.alerts.transitions import AlertState, changes_of
from codex_proapi.console.metrics import Metrics, RedisWork

ROUND_SECONDS: Final = 15.0
"""Seconds between two rounds."""
PAUSES: Final = (30, 60, 120, 300, 600, 1200, 1800)
"""Seconds before each further try; after the last one a message is given up."""
AT_ONCE: Final = 4
"""Deliveries under way at a time."""
DUE: Final = 40
"""Most deliveries of one round."""
REMEMBERED: Final = 1000
"""Finished deliveries that are remembered, should Redis lose that they are."""

ReadFacts = Callable[[int], Awaitable[Facts]]
"""Reads the facts, given since when somebody wants alerts."""

log = structlog.get_logger(__name__)


class AlertLoop:
    """The rounds of one console."""

    def __init__(
        self,
        *,
        store: AlertStore,
        destinations: DestinationStore,
        deliverer: Deliverer,
        read_facts: ReadFacts,
        locks: Locks,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._destinations = destinations
        self._deliverer = deliverer
        self._read_facts = read_facts
        self._locks = locks
        self._metrics = metrics
        self._clock = clock
        self._finished: OrderedDict[str, None] = OrderedDict()

    def __repr__(self) -> str:
        return f"<AlertLoop, {len(self._finished)} finished>"

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Make rounds until cancelled."""
        while True:
            try:
                async with self._locks.acquire("alerts") as elected:
                    if elected:
                        await self.round()
                await self.show()
            except StoreUnavailable:
                self._metrics.redis_failed(RedisWork.ALERTS)
            await sleep(ROUND_SECONDS)

    async def round(self) -> None:
        """Look once and deliver what is due. Raises StoreUnavailable."""
        wanted = [one for one in await self._destinations.all() if one.enabled]
        if not wanted:
            await self._store.forget()
            return
        await self._compare(wanted)
        await self._deliver_due({one.id: one for one in wanted})

    async def show(self) -> None:
        """Set the gauges. Raises StoreUnavailable."""
        alerts = (await self._store.alerts()).values()
        counts = Counter(each.kind for each in alerts if each.state is not AlertState.PENDING)
        for kind in AlertKind:
            self._metrics.alerts_firing.labels(kind.value).set(counts[kind])
        self._metrics.alert_deliveries_pending.set(len(await self._store.deliveries()))

    async def _compare(self, wanted: Sequence[Destination]) -> None:
        facts = await self._read_facts(min(one.created_at for one in wanted))
        stored, now = await self._store.alerts(), int(self._clock())
        changes = changes_of(stored, find_conditions(facts), now=now)
        if changes:
            applied = await self._store.apply(changes, wanted, now=now)
            for told in applied[0] if applied else ():
                subjects = [subject.id for subject in told.subjects]
                event = "alert.resolved" if told.phase is Phase.RESOLVED else "alert.fired"
                log.warning(event, alert=told.kind.value, notification=told.id, subjects=subjects)
            if applied and applied[1]:
                self._metrics.alert_deliveries.labels("dropped").inc(applied[1])

    async def _deliver_due(self, wanted: dict[str, Destination]) -> None:
        now = self._clock()
        due = [one for one in await self._store.deliveries() if one.next_at <= now][:DUE]
        for begin in range(0, len(due), AT_ONCE):
            tries = [self._deliver(one, wanted) for one in due[begin : begin + AT_ONCE]]
            for outcome in await asyncio.gather(*tries, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome

    async def _deliver(self, due: Delivery, wanted: dict[str, Destination]) -> None:
        destination = wanted.get(due.destination)
        if destination is None or due.field in self._finished:
            await self._store.finish(due.field)
            return
        pause = PAUSES[min(due.tries, len(PAUSES) - 1)]
        claimed = await self._store.claim(due, next_at=int(self._clock()) + pause)
        if claimed is None:
            return
        outcome = await self._deliverer.deliver(destination, claimed.notification)
        over = outcome.delivered or not outcome.again or claimed.tries > len(PAUSES)
        if over:
            self._remember(claimed.field)
        self._tell(claimed, destination, outcome, over=over)
        if over:
            await self._store.finish(claimed.field)
        elif outcome.retry_after > pause:
            await self._store.postpone(claimed, next_at=int(self._clock()) + outcome.retry_after)
        await self._store.note(destination.id, outcome)

    def _remember(self, field: str) -> None:
        self._finished[field] = None
        while len(self._finished) > REMEMBERED:
            self._finished.popitem(last=False)

    def _tell(
        self, claimed: Delivery, destination: Destination, outcome: Outcome, *, over: bool
    ) -> None:
        result = "delivered" if outcome.delivered else "given_up" if over else "failed"
        self._metrics.alert_deliveries.labels(result).inc()
        write = log.info if outcome.delivered else log.warning
        write(
            "alert.delivered" if outcome.delivered else f"alert.delivery_{result}",
            destination=destination.id,
            notification=claimed.notification.id,
            attempt=claimed.tries,
            code=outcome.code,
            status=outcome.status,
        )
