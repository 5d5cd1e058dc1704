"""The failover loop: accounts are tried in turn until one reaches the commit point.

Nothing is decided here: `pool.selector` says who is asked, `policy.retry` what a refusal allows,
`policy.final_error` what a client is told at the end. Nothing has been sent to the client when this
returns; while that stays so, an answer that breaks off may be asked for again.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import structlog

from codex_proapi.commons.balancing.candidates import NoCandidate, NoCandidateCause
from codex_proapi.gateway.accounting.ledger import Ledger
from codex_proapi.gateway.errors import GatewayError, UpstreamFault, UpstreamRefused
from codex_proapi.gateway.exchange import turn_state
from codex_proapi.gateway.exchange.dispatch_state import (
    AccountTry,
    Committed,
    DispatchContext,
    DispatchRequest,
    DispatchState,
)
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.formats.codex.requests import (
    TURN_STATE_HEADER,
    UpstreamRequest,
    upstream_headers,
)
from codex_proapi.gateway.policy.final_error import final_error
from codex_proapi.gateway.policy.repairs import LASTING, changed
from codex_proapi.gateway.policy.retry import (
    Change,
    Fault,
    RefusalKind,
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
from codex_proapi.gateway.upstream.transport import (
    PreparedRequest,
    SilenceBudget,
    Transport,
    choose_transport,
)

MOST_ACCOUNTS: Final = 3
"""Accounts one request may ask."""
RETRY_SECONDS: Final = 0.2
"""Pause before the same account is asked the same again."""
WAKE_SECONDS: Final = 0.05
"""Beyond the end of a cooldown, so that it is over by every replica's clock."""
LONGEST_WAIT: Final = 10.0
"""Seconds an exchange may wait in all for an account that is back by itself."""

log = structlog.get_logger(__name__)


class Dispatcher:
    """Finds an account that answers."""

    def __init__(
        self,
        *,
        selector: QueueingSelector,
        outcomes: OutcomeRecorder,
        transports: Sequence[Transport],
        ciphertexts: EncryptedItems,
        ledger: Ledger,
        context: DispatchContext,
    ) -> None:
        self._leases = selector
        self._selector = selector.selector
        self._outcomes = outcomes
        self._transports = transports
        self._ciphertexts = ciphertexts
        self._ledger = ledger
        self._context = context

    def __repr__(self) -> str:
        return f"<Dispatcher over {self._selector!r}>"

    async def dispatch(self, asked: DispatchRequest, exchange: Exchange) -> Committed:
        """Try accounts in turn until one speaks. Raises the GatewayError that tells most."""
        context = self._context
        if pause := context.egress.pause():
            raise UpstreamRefused(
                "The backend does not take requests from this address at the moment.",
                status=503,
                code="upstream_unavailable",
                retry_after=pause,
            )
        course = DispatchState(asked, SilenceBudget(time.monotonic, seconds=context.silence))
        with context.budget.exchange() as course.spending:
            return await self._search(course, exchange)

    async def again(
        self,
        committed: Committed,
        report: ResponseReport,
        error: UpstreamFault,
        *,
        exchange: Exchange,
    ) -> Committed:
        """Ask again for an answer that broke off unseen by its client, within the same bounds.

        It cost quota, so the same account is asked a second time only where there is no other.
        """
        committed.opening.close()
        turn, lease = committed.turn, committed.lease
        if not lease.sole:
            turn.changes.add(Change.NOTHING)
        refusal = report.refusal or refusal_of_fault(error)
        turn.course.silence.restart()  # it has spoken meanwhile
        with self._context.budget.exchange() as turn.course.spending:
            held = await self._refused(refusal, lease, turn)
            found = await self._ask(turn, held, exchange)
            return found or await self._search(turn.course, exchange)

    async def broke_off(
        self, committed: Committed, report: ResponseReport | None, error: GatewayError
    ) -> None:
        """An answer broke off that its client has seen: too late to ask again, not to learn."""
        lease = committed.lease
        refusal = report.refusal if report is not None else None
        if refusal is None:
            await self._outcomes.record_break_off(lease, error.label)
            return
        decision = decide(refusal, now=self._context.clock(), tried=tuple(Change))
        model = report.answered_model if report is not None else ""
        await self._outcomes.record_refusal(lease, refusal, decision, model=model)

    def came_through(self, committed: Committed) -> None:
        """An answer is whole."""
        self._outcomes.record_success(committed.lease)

    def note_report(self, committed: Committed, report: ResponseReport) -> None:
        """What an answer told in passing of its account, however it ended."""
        account_id, observer = committed.lease.account.id, self._context.observer
        if report.metadata:
            observer.observe_headers(account_id, report.metadata)
        for quota in (report.quota, report.refusal.quota if report.refusal else None):
            if quota is not None:
                observer.observe_quota(account_id, quota)

    async def _search(self, course: DispatchState, exchange: Exchange) -> Committed:
        """Ask accounts that were not asked yet."""
        lease_request = course.asked.lease_request
        while course.asked_accounts < MOST_ACCOUNTS:
            lease = await self._leases.lease(lease_request, course.tried)
            _check(exchange)
            if isinstance(lease, NoCandidate):
                await self._record_forbidden(course)
                if await self._waited_for(lease, course):
                    continue
                raise self._concluded(course, lease)
            course.asked_accounts += 1
            course.tried.add(lease.account.id)
            if lease_request.fingerprint and not lease.is_affine:
                self._ledger.tie_tentatively(lease_request.fingerprint, lease.account.id)
                self._selector.note_tie(lease_request.fingerprint, lease.account.id, tentative=True)
            committed = await self._ask(AccountTry(course), lease, exchange)
            if committed is not None:
                return committed
        await self._record_forbidden(course)
        nobody = await self._selector.why_none_left(lease_request, course.tried)
        raise self._concluded(course, nobody)

    async def _waited_for(self, nobody: NoCandidate, course: DispatchState) -> bool:
        """Wait for accounts that are back within seconds, if the client is served better so."""
        if nobody.cause not in {NoCandidateCause.COOLING, NoCandidateCause.RENEWING}:
            return False
        seconds = max(nobody.until - self._context.clock(), 0.0) + WAKE_SECONDS
        passed = max(course.waited, time.monotonic() - course.began)
        if not nobody.until or passed + seconds > LONGEST_WAIT:
            return False
        course.waited += seconds
        await self._context.sleep(seconds)
        course.tried.clear()
        return True

    async def _record_forbidden(self, course: DispatchState) -> None:
        """Keep refusals for no known reason as their account's: no second account gave one."""
        pending, course.forbidden = course.forbidden, []
        for lease, refusal, decision in pending:
            model = course.asked.lease_request.model
            await self._outcomes.record_refusal(lease, refusal, decision, model=model)

    async def _ask(
        self, turn: AccountTry, held: Lease | None, exchange: Exchange
    ) -> Committed | None:
        """Ask one account, again where a change may help; None when another may be asked."""
        while held is not None:
            sent = await self._fit(turn, held)
            turn.attempt = exchange.begin(held)
            prepared = self._prepared(sent, held, turn, exchange)
            _check(exchange)
            transport = choose_transport(self._transports)
            answer = await transport.open(prepared, turn.course.silence)
            if not isinstance(answer, Refusal):
                # Owned before anything is waited for: a client that leaves meanwhile ends it.
                exchange.own(answer, held.account.id)
                turn.attempt.commit()
                await self._record_forbidden(turn.course)
                exchange.upstream_request_id = request_id_of(answer.headers)
                committed = Committed(opening=answer, lease=held, turn=turn)
                self._commit(turn.course, sent, committed)
                return committed
            held = await self._refused(answer, held, turn)
        return None

    async def _refused(self, refusal: Refusal, lease: Lease, turn: AccountTry) -> Lease | None:
        """Learn from a refusal: what to ask the same account again with, or None for another.

        Raises the GatewayError that tells most when nobody may be asked any more.
        """
        course = turn.course
        decision = decide(refusal, now=self._context.clock(), tried=turn.changes_tried(refusal))
        if turn.attempt is not None:
            turn.attempt.refuse(refusal, decision)
        course.refusals.append((refusal, decision))
        model = course.asked.lease_request.model
        self._note_way(decision, refusal)
        opened = False
        if decision.kind is RefusalKind.FORBIDDEN:
            course.forbidden.append((lease, refusal, decision))
            if len(course.forbidden) > 1:  # two accounts: it is the request's own
                raise self._concluded(course, None)
        else:
            opened = await self._outcomes.record_refusal(lease, refusal, decision, model=model)
        if refusal.quota is not None:
            self._context.observer.observe_quota(lease.account.id, refusal.quota)
        if not self._goes_on(decision, course):
            await self._record_forbidden(course)
            raise self._concluded(course, None)
        if decision.change is None or (opened and not lease.sole):
            return None
        turn.changes.add(decision.change)
        return await self._after(decision, refusal, course, lease)

    async def _after(
        self, decision: RetryDecision, refusal: Refusal, course: DispatchState, lease: Lease
    ) -> Lease | None:
        """What the same account is asked again with; None if it cannot be."""
        change = decision.change
        if change in LASTING:
            course.changes.add(change)
            if change is Change.WITHOUT_PARAMETER:
                course.removed.add(parameter_of(refusal))
            course.request = changed(course.request, change, refusal)
        if decision.verdict is Verdict.SAME_ACCOUNT_FRESH:
            return await self._selector.renew(lease)
        if change is Change.NOTHING:
            await self._context.sleep(RETRY_SECONDS)
        return lease

    def _goes_on(self, decision: RetryDecision, course: DispatchState) -> bool:
        """Whether this exchange may ask again, whomever."""
        if decision.verdict is Verdict.GIVE_UP:
            return False
        if course.silence.exhausted or (decision.row.egress and self._context.egress.paused):
            return False
        if decision.change is Change.NEW_CONNECTION:
            self._context.metrics.upstream_resends.inc()
            return True
        if decision.row.fault is Fault.TRANSIENT and not course.spending.retry():
            self._context.metrics.budget_refusals.inc()
            return False
        return True

    def _note_way(self, decision: RetryDecision, refusal: Refusal) -> None:
        """Keep what a refusal says of our address, and of this replica's way to the backend."""
        context = self._context
        if decision.row.unreachable:
            context.reachability.failed(refusal.cause)
        elif refusal.status:
            context.reachability.reached()
        if decision.row.egress:
            context.egress.refused(certain=decision.kind is RefusalKind.COUNTRY)
            log.error("egress.refused", kind=decision.kind.value)
        elif refusal.status and not refusal.is_html:
            context.egress.answered()

    async def _fit(self, turn: AccountTry, lease: Lease) -> UpstreamRequest:
        """The request as this account can read it."""
        course = turn.course
        if Change.WITHOUT_ENCRYPTED in turn.changes:
            return course.request.without_encrypted()
        fingerprint = course.asked.lease_request.fingerprint
        return await self._ciphertexts.readable(course.request, lease, fingerprint)

    def _concluded(self, course: DispatchState, nobody: NoCandidate | None) -> GatewayError:
        now, plan = self._context.clock(), self._selector.plan(course.asked.lease_request)
        return final_error(course.refusals, nobody, now=now, plan=plan)

    def _commit(self, course: DispatchState, sent: UpstreamRequest, committed: Committed) -> None:
        """An account has begun to answer: the conversation is tied to it."""
        lease = committed.lease
        self._context.egress.answered()
        self._context.reachability.reached()
        self._context.observer.observe_headers(lease.account.id, committed.opening.headers)
        self._selector.record_probe_success(lease)
        fingerprint = course.asked.lease_request.fingerprint
        if fingerprint:
            self._ledger.tie(fingerprint, lease.account.id)
            self._selector.note_tie(fingerprint, lease.account.id, tentative=False)
            self._ciphertexts.moved(course.request, sent, fingerprint)

    def _prepared(
        self, request: UpstreamRequest, lease: Lease, turn: AccountTry, exchange: Exchange
    ) -> PreparedRequest:
        headers = turn.course.asked.codex_headers
        state = turn_state.state_for(headers.get(TURN_STATE_HEADER, ""), lease) if headers else ""
        if headers and state:
            headers = {**headers, TURN_STATE_HEADER: state}
        return PreparedRequest(
            upstream_headers(
                self._context.identity,
                lease.account,
                credential=lease.credential,
                request=request,
                client_headers=headers,
                turn_state=bool(state),
            ),
            request.encode(),
            new_connection=Change.NEW_CONNECTION in turn.changes,
            on_head=partial(exchange.note_head, lease.account.id),
        )


def _check(exchange: Exchange) -> None:
    """Raise CancelledError for an interrupted exchange whose cancellation a Redis call has lost.

    redis-py loses a cancellation that arrives with a reply.
    """
    if exchange.interrupted:
        raise asyncio.CancelledError


def request_id_of(headers: Mapping[str, str]) -> str:
    """Upstream's own id of a request, for its support."""
    found = headers.get("x-request-id") or headers.get("x-oai-request-id") or ""
    return found[:128] if found.isascii() and found.isprintable() else ""
