"""While Redis is away: who asks is told so at once, or served from memory for a bounded time.

A survey that fails shuts the gate before Redis; one probe at a time finds out when it is back, so no
request waits for what cannot come. In grace the choice is made by what the surveys before have
told. What cannot be known without Redis is refused: keys with limits, keys not seen before, tokens
that have ended. Back again, whatever is remembered is read anew: another server may have taken
over that never saw the last writes, and its versions may count up to ours again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

import structlog

from codex_proapi.commons.accounts.model import Cooldown
from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.commons.redis.circuit_breaker import RedisCircuitBreaker
from codex_proapi.commons.runtime.clock import SharedClock
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.limits.charge import LimitCharge
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.snapshot import PoolSnapshot, SnapshotReader

PROBE_SECONDS: Final = 0.25
"""Between two probes while Redis is away."""
SIGHT_SECONDS: Final = 2.0
"""How long Redis goes unseen before it is looked for, where no request does so."""
MOST_TIES: Final = 5_000
"""Conversations whose account is remembered."""

log = structlog.get_logger(__name__)


class Versioned(Protocol):
    """Something remembered of Redis under a version."""

    @property
    def version(self) -> int:
        """The version it was read at."""

    def forget(self) -> None:
        """Read it anew when it is next needed."""


class Keys(Versioned, Protocol):
    """The keys this process has seen."""

    def see(self, version: int) -> None:
        """Forget them if this is another version."""


class StoreOutage:
    """Takes surveys, and makes them up from memory where that is allowed."""

    def __init__(
        self,
        surveyor: SnapshotReader,
        *,
        accounts: Versioned,
        keys: Keys,
        gate: RedisCircuitBreaker,
        metrics: Metrics,
        clock: SharedClock,
        returned: Callable[[], None] = lambda: None,
    ) -> None:
        self._surveyor = surveyor
        self._accounts = accounts
        self._keys = keys
        self._gate = gate
        self._metrics = metrics
        self._clock = clock
        self._returned = returned
        self._serving = False
        self._cursor = 0
        self._cooldowns: dict[str, Cooldown] = {}
        self._cooldowns_of: dict[str, dict[str, Cooldown]] = {}
        self._ties: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<StoreOutage behind {self._gate!r}, {len(self._ties)} conversations remembered>"

    async def survey(
        self,
        *,
        account_ids: Sequence[str],
        model: str,
        affinity: str | None = None,
        draw: LimitCharge | None = None,
        fair_share: FairShare | None = None,
    ) -> PoolSnapshot:
        """Look once, as a Surveyor does, or remember. Raises StoreUnavailable.

        Nobody's fair share is known from memory: for so short a time nobody is held to one.
        """
        if not self._gate.shut:
            began = self._gate.now()
            try:
                survey = await self._surveyor.survey(
                    account_ids=account_ids,
                    model=model,
                    affinity=affinity,
                    draw=draw,
                    fair_share=fair_share,
                )
            except StoreUnavailable as error:
                self._gate.fail(error, since=began)
                if not self._gate.shut:
                    raise
            else:
                self._gate.see()
                self._remember(survey, model, affinity)
                return survey
        if draw is not None or not self._gate.in_grace():
            raise StoreUnavailable("Redis is away.")
        return self._recall(account_ids, model, affinity)

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Keep knowing whether Redis is there, until cancelled."""
        while True:
            await sleep(PROBE_SECONDS)
            await self.check()

    async def check(self) -> None:
        """Find out whether Redis is there, unless a request has just done so."""
        began = self._gate.now()
        try:
            if self._gate.shut:
                # A turn is what requests need, and it writes: a replica would answer a ping.
                await self._surveyor.survey(account_ids=(), model="")
                self._return()
            elif began - self._gate.seen_at > SIGHT_SECONDS:
                _, keys = await self._surveyor.versions()
                self._keys.see(keys)
            else:
                return
        except StoreUnavailable as error:
            self._gate.fail(error, since=began)
            self._end()
        else:
            self._gate.see()

    def close(self) -> None:
        """Let the last writes find out for themselves."""
        self._gate.open()

    def _end(self) -> None:
        """Say once that the grace is over."""
        if self._serving and not self._gate.in_grace():
            self._serving = False
            log.warning("grace.ended")

    def _return(self) -> None:
        self._serving = False
        self._accounts.forget()
        self._keys.forget()
        self._gate.open()
        self._returned()

    def _remember(self, survey: PoolSnapshot, model: str, affinity: str | None) -> None:
        self._cooldowns = self._cooldowns_of[model] = survey.cooldowns
        if survey.cursor is not None:
            self._cursor = survey.cursor
        if affinity and survey.affine and not survey.promised:
            self._ties.pop(affinity, None)
            if len(self._ties) >= MOST_TIES:
                self._ties.pop(next(iter(self._ties)))
            self._ties[affinity] = survey.affine

    def _recall(self, account_ids: Sequence[str], model: str, affinity: str | None) -> PoolSnapshot:
        """What a survey would say if nothing had changed; the turns are our own."""
        now = self._clock()
        cooldowns = _in_force(self._cooldowns_of.get(model, self._cooldowns), now)
        affine = self._ties.get(affinity) if affinity else None
        if affine not in account_ids or affine in cooldowns:
            affine = None
            self._cursor += 1
        self._metrics.graced.inc()
        self._serving = True
        return PoolSnapshot(
            now=now,
            accounts_version=self._accounts.version,
            keys_version=self._keys.version,
            cursor=self._cursor if affine is None else None,
            affine=affine,
            cooldowns=cooldowns,
        )


def _in_force(cooldowns: Mapping[str, Cooldown], now: float) -> dict[str, Cooldown]:
    return {account: each for account, each in cooldowns.items() if each.until > now}
