"""The failover loop: leases accounts one after another until an answer reaches the commit point.

`pool.account_selector` selects the account, `policy.retry` decides what follows a refusal, and
`policy.final_error` makes the client's error when no attempt succeeded. Nothing has been sent to
the client when `Dispatcher.dispatch` returns; as long as that holds, an answer that breaks off may
be requested again with `Dispatcher.again`.
"""

import asyncio
import time
from collections.abc import Awaitable
from functools import partial
from typing import Final

import msgspec

from codex_proapi.commons.balancing.candidates import NoCandidate
from codex_proapi.commons.balancing.select_account import MOST_ACCOUNTS
from codex_proapi.gateway.accounting.ledger import Ledger
from codex_proapi.gateway.errors import GatewayError, UpstreamFault
from codex_proapi.gateway.exchange import turn_state
from codex_proapi.gateway.exchange.dispatch_state import (
    Committed,
    DispatchContext,
    DispatchState,
    Substitution,
)
from codex_proapi.gateway.formats.codex.login_headers import LoginHeaders
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.formats.codex.requests import (
    TURN_STATE_HEADER,
    request_headers,
    request_id_of,
)
from codex_proapi.gateway.policy.final_error import final_error
from codex_proapi.gateway.policy.refusal_kinds import RefusalKind
from codex_proapi.gateway.policy.repairs import LASTING, changed
from codex_proapi.gateway.policy.retry import (
    Change,
    Fault,
    RetryDecision,
    Verdict,
    decide,
    parameter_of,
)
from codex_proapi.gateway.pool.encrypted_items import EncryptedItems
from codex_proapi.gateway.pool.health.outcomes import OutcomeRecorder
from codex_proapi.gateway.pool.lease import Lease
from codex_proapi.gateway.pool.queueing_selector import QueueingSelector
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport
from codex_proapi.gateway.upstream.http_transport import refusal_of_fault
from codex_proapi.gateway.upstream.request_body import LONG_BYTES, encoded
from codex_proapi.gateway.upstream.transport import (
    PreparedRequest,
    RequestOwner,
    ResponseStream,
    SilenceBudget,
    Transport,
)

RETRY_SECONDS: Final = 0.2
"""Seconds to pause before an unchanged request is sent to the same account again."""


class Dispatcher:
    """Runs the failover loop for the exchanges of one replica."""

    def __init__(
        self,
        *,
        selector: QueueingSelector,
        outcomes: OutcomeRecorder,
        transport: Transport,
        ciphertexts: EncryptedItems,
        ledger: Ledger,
        context: DispatchContext,
    ) -> None:
        self._leases = selector
        self._selector = selector.selector
        self._outcomes = outcomes
        self.record_success = outcomes.record_success
        """Records the success of a lease whose answer arrived whole."""
        self._transport = transport
        self._ciphertexts = ciphertexts
        self._ledger = ledger
        self.context = context
        """What it shares with all exchanges of the replica."""
        self._logins = LoginHeaders(context.identity)

    def __repr__(self) -> str:
        return f"<Dispatcher over {self._selector!r}>"

    async def dispatch(self, state: DispatchState, refusal: Refusal | None = None) -> Committed:
        """Try accounts, one attempt after another, until one answer reaches the commit point.

        Args:
            state: what is asked for, and what has become of it.
            refusal: what the answer of the latest attempt has come to be, if this goes on after that.

        Raises:
            GatewayError: no account answered; the most specific error of all attempts.
        """
        context, exchange, lease = self.context, state.exchange, state.lease
        context.budget.under_way += 1
        try:
            while True:
                if refusal is not None and lease is not None:
                    lease = await self._refused(refusal, lease, state)
                if lease is None:
                    lease = await self._leased(state)
                prepared = await self._prepared(lease, state)
                if exchange.interrupted:
                    raise asyncio.CancelledError  # as after a lease
                if not self._selector.may_begin(lease, state.lease_request):
                    refusal = lease = None  # its owner's terms have closed it since it was leased
                    continue
                exchange.begin(lease)
                began = time.monotonic()
                seconds, silence = context.silence, state.silence
                silence = silence or SilenceBudget(time.monotonic, seconds, began + seconds)
                state.silence = silence
                answer = await self._transport.open(prepared, silence)
                if not isinstance(answer, Refusal):
                    # Owned before anything is awaited, so that settling closes it if the client leaves.
                    exchange.commit(answer, lease.account.id, request_id_of(answer.headers))
                    if state.substitution is not None or state.forbidden:
                        await self._record_others(state, lease)
                    return self._committed(answer, lease, state)
                refusal = await self._judged(answer, state, seconds=time.monotonic() - began)
        finally:
            context.budget.under_way -= 1
            context.budget.retrying -= state.retrying
            state.retrying = False

    def again(
        self, committed: Committed, report: ResponseReport, error: UpstreamFault
    ) -> Awaitable[Committed]:
        """Request an answer again that broke off before the client received any of it.

        The attempts count towards the bounds of the first dispatch. The broken answer has cost
        quota, so the same account is used a second time only if it is the only one. Raises as `dispatch`.

        Args:
            committed: the answer that broke off, not a final one.
            report: what its translator had observed until then.
            error: the fault that ended it.
        """
        state = committed.state
        if state is None:
            raise RuntimeError("a final answer cannot be requested again")
        committed.opening.close()
        if not committed.lease.sole:
            state.tried_changes |= {Change.NOTHING}
        state.silence = None  # the account has sent events since
        return self.dispatch(state, report.refusal or refusal_of_fault(error))

    async def broke_off(
        self, committed: Committed, report: ResponseReport | None, error: GatewayError
    ) -> None:
        """Record the outcome of an answer that broke off after the client had received part of it.

        It cannot be requested again; cooldowns and circuit breakers still take the fault into
        account.
        """
        lease = committed.lease
        refusal = report.refusal if report is not None else None
        if refusal is None:
            await self._outcomes.record_break_off(lease, error.label)
            return
        decision = decide(refusal, now=self.context.clock(), tried=tuple(Change))
        model = report.answered_model if report is not None else ""
        await self._outcomes.record_refusal(lease, refusal, decision, model=model)

    def note_report(self, account_id: str, report: ResponseReport) -> None:
        """Pass metadata and quota found in an answer to the observer, however the answer ended."""
        observer, refusal = self.context.observer, report.refusal
        if report.metadata:
            observer.observe_headers(account_id, report.metadata)
        if report.quota is not None:
            observer.observe_quota(account_id, report.quota)
        if refusal is not None and refusal.quota is not None:
            observer.observe_quota(account_id, refusal.quota)

    async def _leased(self, state: DispatchState) -> Lease:
        """Lease an account that was not tried yet. Raises GatewayError if there is none."""
        lease_request = state.lease_request
        while True:
            lease: Lease | NoCandidate | None
            if state.leased_accounts < MOST_ACCOUNTS:
                first, state.first = state.first, None
                lease = await self._leases.lease(
                    lease_request, state.tried, state=first, patience=state.slot_patience
                )
            else:
                lease = await self._selector.why_none_left(lease_request, state.tried)
            if state.exchange.interrupted:
                raise asyncio.CancelledError  # redis-py loses one that arrives with a reply
            if lease is not None and not isinstance(lease, NoCandidate):
                break
            if not state.take_back() and not await self._waited_for(lease, state):
                await self._record_forbidden(state)
                raise self._concluded(state, lease)
        state.leased_accounts += 1
        state.tried |= {lease.account.id}
        state.tried_changes = state.changes
        if self.context.shapes.known:
            state.fit_shape(lease, self.context.shapes)
        if not lease.is_affine and (tied := lease_request.tied):
            self._ledger.tie_tentatively(tied, lease.account.id)
            self._selector.note_tie(tied, lease.account.id, tentative=True)
        return lease

    async def _waited_for(self, nobody: NoCandidate | None, state: DispatchState) -> bool:
        """Wait until the first account may be back; False if the exchange may not wait so long.

        It ends earlier if the pool changes. Requests that wait are woken, and where slots are
        limited served, in a fair order (`Waiter.since`).
        """
        seconds = state.begin_wait(nobody, now=self.context.clock())
        if seconds:
            state.waited += await self.context.wait(seconds, state.lease_request.waiter)
        return seconds > 0

    async def _record_forbidden(self, state: DispatchState, *, answered: str = "") -> None:
        """Record unexplained refusals (FORBIDDEN) as outcomes of the account that gave them.

        They are held back until it is known that no second account refuses the same request; an
        account that has `answered` it after all is not blamed.
        """
        pending, state.forbidden = state.forbidden, {}
        for account_id, (lease, refusal, decision) in pending.items():
            if account_id != answered:
                model = state.lease_request.model
                await self._outcomes.record_refusal(lease, refusal, decision, model=model)

    async def _record_substitution(self, seen: Substitution) -> None:
        """Record that another model answers than was sent."""
        await self._outcomes.record_substitution(seen.lease, sent=seen.sent, answered=seen.answered)

    async def _refused(self, refusal: Refusal, lease: Lease, state: DispatchState) -> Lease | None:
        """Record a refusal and decide what follows.

        Gives the lease to try the same account again with, or None to try another account. Raises
        the most specific GatewayError if the exchange may not be retried.
        """
        model, decision = state.lease_request.model, self.context.decide(refusal, state)
        state.exchange.refuse(refusal, decision)
        state.refusals.append((refusal, decision))
        state.note_limit(decision, now=self.context.clock())
        self.context.observe_refusal(decision, refusal, state)
        opened = False
        if decision.kind is RefusalKind.FORBIDDEN:
            state.forbidden[lease.account.id] = lease, refusal, decision
            if len(state.forbidden) > 1:  # two accounts refuse it: the request is the cause
                raise self._without_retry(state, refusal, decision)
        else:
            opened = await self._outcomes.record_refusal(lease, refusal, decision, model=model)
        if refusal.quota is not None:
            self.context.observer.observe_quota(lease.account.id, refusal.quota)
        if not self._goes_on(decision, state):
            await self._record_forbidden(state)
            raise self._without_retry(state, refusal, decision)
        if decision.change is None or (opened and not lease.sole):
            return None
        state.tried_changes |= {decision.change}
        return await self._after(decision, refusal, state, lease)

    async def _after(
        self, decision: RetryDecision, refusal: Refusal, state: DispatchState, lease: Lease
    ) -> Lease | None:
        """Apply a retry decision; gives the lease for the next attempt, None without a credential.

        Raises GatewayError if the change would leave out what the client insists on.
        """
        change = decision.change
        if change in LASTING:
            state.changes |= {change}
            if change is Change.WITHOUT_PARAMETER:
                state.removed |= {parameter_of(refusal)}
            try:
                state.request = changed(state.request, change, refusal)
            except GatewayError:
                state.give_up(refusal, decision)
                raise
        if decision.verdict is Verdict.SAME_ACCOUNT_FRESH:
            return await self._selector.renew(lease)
        if change is Change.NOTHING:
            await self.context.sleep(RETRY_SECONDS)
        return lease

    def _goes_on(self, decision: RetryDecision, state: DispatchState) -> bool:
        """Whether the exchange may make another attempt, on any account."""
        if decision.verdict is Verdict.GIVE_UP:
            return False
        if not state.may_resend(decision) or (state.silence and state.silence.exhausted):
            return False
        if decision.row.egress and (self.context.egress.paused or state.challenges_suffice):
            return False
        if decision.change is Change.NEW_CONNECTION:
            self.context.metrics.upstream_resends.inc()
            return True
        if decision.row.fault is Fault.TRANSIENT and not state.may_retry(self.context.budget):
            self.context.metrics.budget_refusals.inc()
            return False
        return True

    def _without_retry(
        self, state: DispatchState, refusal: Refusal, decision: RetryDecision
    ) -> GatewayError:
        """The error of an exchange that makes no further attempt after this refusal."""
        state.give_up(refusal, decision)
        return self._concluded(state, None)

    def _concluded(self, state: DispatchState, nobody: NoCandidate | None) -> GatewayError:
        now, plan = self.context.clock(), self._selector.plan(state.lease_request)
        return final_error(state.refusals, nobody, now=now, plan=plan)

    async def _judged(self, refusal: Refusal, state: DispatchState, *, seconds: float) -> Refusal:
        """A refusal, or a lost request, that took so long; another model that was seen is recorded."""
        if not refusal.status and seconds > self.context.late:
            refusal = msgspec.structs.replace(refusal, late=True)
        if state.substitution is not None:
            await self._record_substitution(state.substitution)
        return refusal

    async def _record_others(self, state: DispatchState, lease: Lease) -> None:
        """Record what is known of models and other accounts once this account has answered."""
        if state.substitution is not None:
            await self._record_substitution(state.substitution)
        await self._record_forbidden(state, answered=lease.account.id)

    def _committed(self, answer: ResponseStream, lease: Lease, state: DispatchState) -> Committed:
        """Record that an account reached the commit point; ties the conversation to it."""
        context, account, request = self.context, lease.account, state.request
        if context.egress.suspected:
            context.egress.answered()
        context.reachability.reached()
        context.observer.observe_headers(account.id, answer.headers)
        if lease.probe:
            self.record_success(lease)
        if state.changes:
            state.note_shape(account.kind, context.shapes)
        if tied := state.lease_request.tied:
            if not lease.is_tie_stored:
                self._ledger.tie(tied, account.id)
            self._selector.note_tie(tied, account.id, tentative=False)
            if state.sent is not None and state.sent is not request:
                self._ciphertexts.moved(request, state.sent, tied)
        return Committed(answer, lease, state if state.repeatable else None)

    async def _prepared(self, lease: Lease, state: DispatchState) -> PreparedRequest:
        """The request as it is sent on a lease: without encrypted items that its account cannot read."""
        exchange, waits = state.exchange, state.lease_request
        if Change.WITHOUT_ENCRYPTED in state.tried_changes:
            sent = state.request.without_encrypted()
        else:
            sent = await self._ciphertexts.readable(state.request, lease, waits.fingerprint)
        state.sent, state.lease, state.substitution = sent, lease, None
        headers = state.codex_headers
        token = turn_state.state_for(headers.get(TURN_STATE_HEADER, ""), lease) if headers else ""
        if headers and token:
            headers = {**headers, TURN_STATE_HEADER: token}
        size = exchange.hold.size
        return PreparedRequest(
            request_headers(sent, client_headers=headers, turn_state=bool(token)),
            sent.encode() if size < LONG_BYTES else await encoded(sent, size=size),
            new_connection=Change.NEW_CONNECTION in state.tried_changes,
            route=sent.route,
            owner=RequestOwner(
                account=lease.account.id,
                key_id=waits.waiter.key_id,
                conversation=waits.fingerprint,
            ),
            on_head=None if headers is None else partial(exchange.note_head, lease.account.id),
            on_sent=state.on_sent,
            model=sent.meant_model,
            on_other_model=state.other_model,
            login=self._logins.of(lease.account, lease.credential),
        )
