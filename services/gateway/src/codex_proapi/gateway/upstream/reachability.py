"""Whether this replica can connect to the backend: its route, DNS and TLS.

A failure to connect concerns no single account, as all use the same host. After FAILURES in a row
the backend counts as lost: `/readyz` fails as long as other replicas reach it (`replica_sync`), so
that load balancers prefer these; from then on the replica tries to connect every few seconds, so
that it recovers without a client's request.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog

FAILURES: Final = 3
"""Failures to connect in a row after which the backend counts as unreachable from here."""
PROBE_SECONDS: Final = 2.0
"""Between two attempts to connect while it is unreachable."""
CAUSES: Final = ("dns", "tcp", "tls", "proxy", "timeout")

log = structlog.get_logger(__name__)


class Prober(Protocol):
    """Something that can open a connection to the backend."""

    async def probe(self) -> str:
        """Connect; the cause if it failed, else empty."""


class Reachability:
    """Counts failures to connect."""

    def __init__(
        self,
        prober: Prober | None = None,
        *,
        count: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._prober = prober
        self._count = count
        self._clock = clock
        self._failures = 0
        self.reached_at = 0.0
        """When the backend last answered, seconds since the epoch; 0 for never."""
        self.lost_at = 0.0
        """When it was lost, seconds since the epoch; 0 for never."""

    def __repr__(self) -> str:
        return f"<Reachability after {self._failures} failures>"

    @property
    def lost(self) -> bool:
        """Whether the backend cannot be reached from here."""
        return self._failures >= FAILURES

    def failed(self, cause: str) -> None:
        """Note a failure to connect; `cause` begins with one of `CAUSES`."""
        word = cause.partition(":")[0]
        self._count(word if word in CAUSES else "other")
        self._failures += 1
        if self._failures == FAILURES:
            self.lost_at = self._clock()
            log.error("upstream.unreachable", cause=cause)

    def reached(self) -> None:
        """Note an answer of the backend."""
        if self._failures:
            if self.lost:
                log.warning("upstream.reached")
            self._failures = 0
        self.reached_at = self._clock()

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Try to connect while it is unreachable, until cancelled."""
        while True:
            await sleep(PROBE_SECONDS)
            if not self.lost or self._prober is None:
                continue
            if cause := await self._prober.probe():
                self.failed(cause)
            else:
                self.reached()
