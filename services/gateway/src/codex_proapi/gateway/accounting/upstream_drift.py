"""Notes what the backend sent that this version does not know, for an alert of the console.

Each name is written at most every AGAIN_SECONDS by one replica, in the background.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from codex_proapi.commons.cluster.upstream_drift import UpstreamDriftStore, drift_name
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.exchange_record import ExchangeRecord
from codex_proapi.gateway.errors import CODES
from codex_proapi.gateway.formats.codex.refusals import STATUS_OF_CODE
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.metrics.series import RedisWork
from codex_proapi.gateway.policy.refusal_kinds import KIND_OF_CODE
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

AGAIN_SECONDS: Final = 600.0
"""Seconds after which a name that is seen again is written again."""
FLUSH_SECONDS: Final = 5.0
MOST_NAMES: Final = 500
"""Names that are remembered; further ones are counted only."""
KNOWN_CODES: Final = frozenset(
    (
        *(*CODES, *STATUS_OF_CODE, *KIND_OF_CODE),
        *("authentication_error", "bad_request", "forbidden", "internal_server_error"),
        *("invalid_request", "not_found", "not_found_error", "permission_error"),
        *("rate_limit_error", "requests", "service_unavailable", "tokens", "unauthorized"),
    )
)
"""Codes and types of refusals that are no news."""

log = structlog.get_logger(__name__)


class UpstreamDrift:
    """The names seen by one replica.

    Args:
        store: where they are written.
        metrics: counts them.
        clock: seconds since the epoch.
    """

    def __init__(
        self, store: UpstreamDriftStore, metrics: Metrics, *, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._written: dict[tuple[str, str], float] = {}
        self._waiting: dict[tuple[str, str], None] = {}

    def __repr__(self) -> str:
        return f"<UpstreamDrift, {len(self._waiting)} waiting>"

    def settle(self, record: ExchangeRecord) -> None:
        """Note refusals with a code that is not known; a reader of exchange records."""
        for attempt in record.attempts:
            if attempt.status and attempt.code and attempt.code not in KNOWN_CODES:
                self._see("refusal", attempt.code)

    def note_report(self, report: ResponseReport) -> None:
        """Note events and fields that a translator did not know."""
        for name in report.unknown_events:
            self._see("event", name)
        for name in report.unknown_fields:
            self._see("field", name)

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Write what was seen, until cancelled."""
        while True:
            await sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits; while Redis is away it is kept."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        now = self._clock()
        try:
            await self._store.note(waiting, now=int(now))
        except StoreUnavailable:
            self._metrics.redis_failed(RedisWork.SYNC)
            self._waiting = waiting | self._waiting
            return
        for sort, name in waiting:
            if (sort, name) not in self._written:
                log.warning("upstream.drifted", sort=sort, name=name)
            self._written[sort, name] = now

    def _see(self, sort: str, name: str) -> None:
        self._metrics.answers.drift.labels(sort).inc()
        seen = sort, drift_name(name)
        known = seen in self._written or seen in self._waiting
        if not known and len(self._written) + len(self._waiting) >= MOST_NAMES:
            return
        if self._clock() - self._written.get(seen, 0.0) >= AGAIN_SECONDS:
            self._waiting[seen] = None
