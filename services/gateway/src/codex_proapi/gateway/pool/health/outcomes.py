"""Records outcomes of attempts in Redis, for all replicas: cooldowns, faults, states of logins.

`policy.retry` has decided what a refusal means. While Redis is away outcomes are dropped; the next
refusal yields them again.
"""

from collections.abc import Callable
from typing import Final

import structlog

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.model import AccountState, Cooldown, CooldownReason
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.balancing.select_account import RENEWING_CODE
from codex_proapi.commons.codex.substitution import RESERVE
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogLevel
from codex_proapi.gateway.accounting.ledger import Ledger
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.metrics.series import RedisWork
from codex_proapi.gateway.policy.refusal_kinds import MODEL_SUBSTITUTED
from codex_proapi.gateway.policy.retry import RetryDecision
from codex_proapi.gateway.policy.transport_faults import CONNECTION_LOST
from codex_proapi.gateway.pool.health.circuit_breakers import CircuitBreakers
from codex_proapi.gateway.pool.lease import Lease

RENEWAL_SECONDS: Final = 3.0
"""Seconds of cooldown for an account whose credential is being refreshed."""
REVOKED_SECONDS: Final = 30.0
"""Seconds of cooldown for an account without a usable credential."""
SUBSTITUTION_SECONDS: Final = 20 * 60.0
"""Seconds an account is passed over for a model in whose place another one answered."""

log = structlog.get_logger(__name__)


class OutcomeRecorder:
    """Records outcomes of attempts."""

    def __init__(
        self,
        *,
        store: AccountStore,
        cooldowns: CooldownStore,
        breakers: CircuitBreakers,
        ledger: Ledger,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._cooldowns = cooldowns
        self._breakers = breakers
        self._ledger = ledger
        self._metrics = metrics
        self._clock = clock

    def __repr__(self) -> str:
        return f"<OutcomeRecorder with {self._breakers!r}>"

    async def record_refusal(
        self, lease: Lease, refusal: Refusal, decision: RetryDecision, *, model: str
    ) -> bool:
        """Record a refusal: fault count, state of the login, cooldown.

        Args:
            lease: the lease of the attempt.
            refusal: the refusal.
            decision: what `policy.retry` decided.
            model: the model sent, for cooldowns of one model.

        Returns True if the account's circuit breaker opened.
        """
        opened = False
        try:
            if decision.row.counts:
                opened = await self._count_fault(lease, refusal.code)
            if decision.change is not None:
                return opened
            if decision.row.state is not None:
                await self._mark(lease, decision.row.state, refusal.code)
            if decision.row.cooldown is not None:
                await self.cool(
                    lease.account.id,
                    decision.row.cooldown,
                    decision.seconds,
                    code=refusal.code or decision.kind.value,
                    model=model
                    if decision.row.model_only or _of_reserve(model, decision)
                    else None,
                )
        except StoreUnavailable as error:
            self._metrics.redis_failed(RedisWork.OUTCOME)
            log.warning("lesson.lost", account=lease.account.id, error=str(error))
        return opened

    async def record_break_off(self, lease: Lease, code: str) -> None:
        """Count a stream that broke after its commit point as a transient fault.

        Unless the transport alone broke: no account is to blame for that.
        """
        if code == CONNECTION_LOST:
            return
        try:
            await self._count_fault(lease, code)
        except StoreUnavailable:
            self._metrics.redis_failed(RedisWork.OUTCOME)

    async def record_substitution(self, lease: Lease, *, sent: str, answered: str) -> None:
        """Let an account rest for a model in whose place another one answered.

        New conversations go to other accounts meanwhile, if there are any.
        """
        self._metrics.count_substitution(lease.account.id, sent=sent, answered=answered)
        reason, now = CooldownReason.SUBSTITUTED, self._clock()
        until = now + SUBSTITUTION_SECONDS
        cooldown = Cooldown(until=until, reason=reason, since=now, code=answered[:64])
        try:
            if not await self._cooldowns.cool(lease.account.id, cooldown, model=sent):
                return
        except StoreUnavailable:
            self._metrics.redis_failed(RedisWork.OUTCOME)
            return
        self._tell_cooled(
            lease.account.id,
            reason,
            SUBSTITUTION_SECONDS,
            code=MODEL_SUBSTITUTED,
            model=sent,
            answered_model=answered,
        )

    async def record_no_credential(self, account_id: str, *, code: str) -> None:
        """Put an account without a usable credential in cooldown."""
        seconds = RENEWAL_SECONDS if code == RENEWING_CODE else REVOKED_SECONDS
        try:
            await self.cool(account_id, CooldownReason.CREDENTIAL, seconds, code=code)
        except StoreUnavailable:
            self._metrics.redis_failed(RedisWork.OUTCOME)

    def record_success(self, lease: Lease) -> None:
        """Record an answer; closes the breaker, unless the attempt began before it opened."""
        if not self._breakers.opened or self._breakers.close(lease):
            self._ledger.succeed(lease.account.id, begun_at=lease.began)

    async def cool(
        self,
        account_id: str,
        reason: CooldownReason,
        seconds: float,
        *,
        code: str,
        model: str | None = None,
    ) -> None:
        """Put an account in cooldown, for all models or one, for some seconds.

        Raises StoreUnavailable.
        """
        now = self._clock()
        cooldown = Cooldown(until=now + seconds, reason=reason, since=now, code=code[:64])
        if not await self._cooldowns.cool(account_id, cooldown, model=model):
            return
        self._tell_cooled(account_id, reason, seconds, code=code, model=model or "")

    def _tell_cooled(
        self,
        account_id: str,
        reason: CooldownReason,
        seconds: float,
        *,
        code: str,
        model: str = "",
        **more: str,
    ) -> None:
        """Count and log a cooldown; `more` are further facts of it."""
        self._metrics.cooldowns.labels(account_id, reason.value).inc()
        facts: dict[str, str | int | float | bool] = {
            "reason": reason.value,
            "seconds": round(seconds),
            "until": round(self._clock() + seconds),
            **more,
        }
        self._tell("account.cooled", account_id, code=code, model=model, **facts)

    async def _count_fault(self, lease: Lease, code: str) -> bool:
        seconds = await self._breakers.fault(lease, code=code)
        if seconds is not None:  # the cooldown was stored with the count
            self._tell_cooled(lease.account.id, CooldownReason.TRANSIENT, seconds, code=code)
        return seconds is not None

    async def _mark(self, lease: Lease, state: AccountState, code: str) -> None:
        """Store the state of a login, unless its credential was refreshed meanwhile."""
        ends = int(self._clock()) if state is AccountState.REVOKED else None
        marked = await self._store.mark(
            lease.account.id,
            state,
            code,
            generation=lease.credential.generation,
            token_expires_at=ends,
        )
        if marked:
            self._tell(f"account.{state.value}", lease.account.id, code=code)

    def _tell(
        self,
        event: str,
        account_id: str,
        *,
        code: str,
        model: str = "",
        **facts: str | int | float | bool,  # noqa: PYI041 - the log's own set of types
    ) -> None:
        """Write a change of an account to stdout and to the log stream."""
        log.warning(event, account=account_id, code=code, model=model, **facts)
        self._ledger.tell(
            LogEntry(
                at=self._clock(),
                level=LogLevel.WARNING,
                kind=LogKind.ACCOUNT,
                event=event,
                account=account_id,
                code=code[:64],
                model=model,
                detail=facts,
            )
        )


def _of_reserve(model: str, decision: RetryDecision) -> bool:
    """Whether a refusal is about an account's reserve alone, whose quota is spent."""
    return model == RESERVE and decision.row.cooldown is CooldownReason.QUOTA
