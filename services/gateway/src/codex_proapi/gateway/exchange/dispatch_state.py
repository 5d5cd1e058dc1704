"""Values of the failover loop: the state of one dispatch, its result, the shared context."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog

from codex_proapi.commons.balancing.candidates import NoCandidate, NoCandidateCause, Reason
from codex_proapi.commons.balancing.select_account import MOST_ACCOUNTS
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.quota_parser import Quota
from codex_proapi.gateway.errors import UpstreamRefused
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.formats.codex.requests import Shape, UpstreamRequest
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.policy.refusal_kinds import MODEL_SUBSTITUTED, RefusalKind
from codex_proapi.gateway.policy.retry import Change, RetryDecision, Verdict, decide, parameter_of
from codex_proapi.gateway.pool.health.accepted_shapes import AcceptedShapes
from codex_proapi.gateway.pool.health.egress import CHALLENGES, Egress
from codex_proapi.gateway.pool.health.retry_budget import RetryBudget
from codex_proapi.gateway.pool.lease import Lease, LeaseRequest
from codex_proapi.gateway.pool.queueing_selector import SlotPatience
from codex_proapi.gateway.pool.slot_queue import Waiter
from codex_proapi.gateway.pool.state.clock import SharedClock
from codex_proapi.gateway.pool.state.pool_reader import PoolState
from codex_proapi.gateway.upstream.reachability import Reachability
from codex_proapi.gateway.upstream.transport import (
    SILENCE_SECONDS,
    ResponseStream,
    SilenceBudget,
)

if TYPE_CHECKING:
    from codex_proapi.gateway.exchange.exchange import Exchange
    from codex_proapi.gateway.policy.final_error import Refused


log = structlog.get_logger(__name__)

LONGEST_WAIT = 10.0
"""Most seconds that any exchange waits for cooldowns and token refreshes to end."""
WAKE_SECONDS = 0.05
"""Seconds added to the end of a cooldown, so that it is over by every replica's clock."""
LATE_SECONDS = 2.0
"""Seconds after which a lost request may have been worked on: one, and what connecting may take."""
MOST_LEASED = 9
"""Most accounts that one exchange leases over all rounds."""
WAIT_MARGIN = 2.0
"""Seconds before an early 200 at which a wait must have ended: one for the ticker, which counts
whole seconds, one for the answer of the account asked then, so that its refusal is a status."""


class Committed(msgspec.Struct, frozen=True):
    """An answer that has reached the commit point, with the lease it was obtained on."""

    opening: ResponseStream
    lease: Lease
    state: "DispatchState | None"
    """What it was obtained with; None where it cannot be requested again."""


MOST_REMOVED = 4
"""Most parameters removed from one request; each removal costs a round trip to the backend."""


class Substitution(msgspec.Struct, frozen=True):
    """Another model answers than was sent."""

    lease: Lease
    sent: str
    answered: str


class DispatchState(msgspec.Struct, kw_only=True, eq=False):
    """One dispatch: what is asked for, what has become of it, and the attempts on the account asked now."""

    exchange: "Exchange"
    lease_request: LeaseRequest
    """What the exchange requires of an account."""
    request: UpstreamRequest
    """The request with all changes that last; given as it was translated."""
    first: PoolState | None = None
    """The state that the request was admitted with, for the first selection; None after that."""
    longest_wait: float = LONGEST_WAIT
    """Total seconds it may wait for cooldowns and token refreshes to end."""
    codex_headers: Mapping[str, str] | None = None
    """Request headers by lower-case name if the client is Codex; None for other clients."""
    drop_substituted: bool = False
    """Whether an answer by another model than was sent is dropped, once, for another account's."""
    on_sent: Callable[[], object] | None = None
    """Called once each attempt was sent, while upstream works."""
    repeatable: bool = True
    """Whether its answer may be requested again if it breaks off: not what the client reads already."""

    # Of all accounts.
    began: float = msgspec.field(default_factory=time.monotonic)
    changes: frozenset[Change] = frozenset()
    """Those that last."""
    removed: frozenset[str] = frozenset()
    """Parameters removed because a refusal named them."""
    asked_shape: Shape | None = None
    """The shape before any account's known one was used; None as long as none was."""
    tried: frozenset[str] = frozenset()
    refusals: "list[Refused]" = []
    forbidden: dict[str, tuple[Lease, Refusal, RetryDecision]] = {}
    """Unexplained refusals by account, not attributed yet: to it, or to the request itself."""
    leased_accounts: int = 0
    """Accounts leased in this round."""
    leased_before: int = 0
    """Accounts leased in earlier rounds."""
    limited_until: float | None = None
    """When the first rate limit met ends; None unless every account refused for its rate."""
    waited: float = 0.0
    """Seconds waited for accounts to come back."""
    slot_patience: SlotPatience = msgspec.field(default_factory=SlotPatience)
    dropped_of: str = ""
    """Id of the account whose answer was dropped because another model gave it."""
    taken_back: bool = False
    """Whether that account was allowed again."""
    silence: SilenceBudget | None = None
    """How long upstream may still be silent; None before an attempt."""
    retrying: bool = False
    """Whether it has taken a retry from the budget."""
    lost_late: bool = False
    """Whether it was lost once when it may have been worked on."""
    challenges: int = 0
    """Challenge pages met."""

    # Of the account that is asked now; each attempt after the first is made with a change.
    lease: Lease | None = None
    """The lease of the latest attempt."""
    sent: UpstreamRequest | None = None
    """The request of the latest attempt."""
    tried_changes: frozenset[Change] = frozenset()
    substitution: Substitution | None = None
    """Seen in the latest attempt."""

    def __repr__(self) -> str:
        return f"<DispatchState after {len(self.refusals)} refusals>"

    def may_retry(self, budget: RetryBudget) -> bool:
        """Whether it may make another attempt after a transient fault."""
        self.retrying = self.retrying or budget.take()
        return self.retrying

    def challenged(self) -> bool:
        """Note a challenge page; whether it says something of our address.

        The first two do. More of them for one request may be about the request: a firewall reads
        what is in it, and one client must not have all others refused.
        """
        self.challenges += 1
        return self.challenges < CHALLENGES

    @property
    def challenges_suffice(self) -> bool:
        """Whether so many challenge pages came for this request that no more are asked for."""
        return self.challenges >= CHALLENGES

    def may_resend(self, decision: RetryDecision) -> bool:
        """Whether a request that may have been worked on may be sent again: once in an exchange."""
        if not decision.row.late:
            return True
        before, self.lost_late = self.lost_late, True
        return not before

    def note_limit(self, decision: RetryDecision, *, now: float) -> None:
        """Note until when an account refuses for its rate, if all refusals were of that kind."""
        if any(
            each.change is None and each.kind is not RefusalKind.RATE for _, each in self.refusals
        ):
            self.limited_until = None
            return
        ends = now + decision.seconds
        earlier = self.limited_until
        self.limited_until = ends if earlier is None or earlier <= now else min(earlier, ends)

    def fit_shape(self, lease: Lease, shapes: AcceptedShapes) -> None:
        """Give the request the forms that the account is known to answer; unless one was refused."""
        self.asked_shape = self.asked_shape or self.request.shape
        self.request = shapes.without_refused_search(lease.account.kind, self.request)
        if Change.OTHER_SHAPE not in self.changes:
            asked = self.request.in_shape(self.asked_shape)
            self.request = shapes.fitted(lease.account.kind, asked)

    def note_shape(self, kind: str, shapes: AcceptedShapes) -> None:
        """Note for accounts of a kind in which shape the request was answered, if it was changed."""
        if Change.OTHER_SHAPE in self.changes:
            shapes.note(kind, self.request)
        if Change.WITHOUT_TOOL_SEARCH in self.changes:
            shapes.note_search(kind, self.request.model)

    def take_back(self) -> bool:
        """Allow the account whose answer was dropped again; True if there is one, once.

        No other account could be asked: the answer of the other model is better than none.
        """
        if not self.dropped_of or self.taken_back:
            return False
        self.taken_back = True
        self.tried -= {self.dropped_of}
        self.leased_accounts = min(self.leased_accounts, MOST_ACCOUNTS - 1)
        return True

    def begin_wait(self, nobody: NoCandidate | None, *, now: float) -> float:
        """Begin to wait until the first account may be back, for another round over all accounts.

        Accounts that refused for their rate have done no work, so the next round may ask as many
        again; after any other refusal a round only goes on.

        Args:
            nobody: why no account can be leased; None if others may be available, but this exchange
                has asked enough of them.
            now: seconds since the epoch.

        Returns the most seconds to wait before the next selection; 0 if waiting is of no use, or too
        long for the exchange.
        """
        until = self._free_again(nobody)
        if until is None or not self._may_go_on():
            return 0.0
        seconds = max(until - now, 0.0) + WAKE_SECONDS
        passed = max(self.waited, time.monotonic() - self.began)
        if passed + seconds > self.longest_wait:
            return 0.0
        if self.limited_until is not None:
            self.leased_before += self.leased_accounts
            self.leased_accounts = 0
        self.tried = frozenset()
        return seconds

    def _may_go_on(self) -> bool:
        if self.limited_until is None:
            return self.leased_accounts < MOST_ACCOUNTS
        return self.leased_before + self.leased_accounts < MOST_LEASED

    def _free_again(self, nobody: NoCandidate | None) -> float | None:
        """When the first account may be back, seconds since the epoch; None if waiting is no use."""
        if nobody is None:
            return self.limited_until
        waits = {*(NoCandidateCause.COOLING, NoCandidateCause.RENEWING), NoCandidateCause.CLOSED}
        return nobody.until if nobody.cause in waits and nobody.until else None

    def other_model(self, answered: str) -> Refusal | None:
        """Note that another model answers; gives the refusal that drops its answer.

        None if the answer is taken: it was not asked to be dropped, one was dropped already, or
        no other account can be asked.
        """
        if (lease := self.lease) is None or self.sent is None:
            return None
        sent = self.sent.meant_model
        self.substitution = Substitution(lease, sent, answered)
        nobody_else = lease.sole or lease.basis is Reason.LAST
        if not self.drop_substituted or self.dropped_of or nobody_else:
            return None
        self.dropped_of = lease.account.id
        return Refusal(
            status=0, code=MODEL_SUBSTITUTED, message=f"{answered} answers in place of {sent}."
        )

    def changes_tried(self, refusal: Refusal) -> frozenset[Change]:
        """Changes that must not be repeated for this refusal.

        `WITHOUT_PARAMETER` may be repeated for another parameter, up to MOST_REMOVED.
        """
        removed, tried = self.removed, self.tried_changes
        if self.request.tool_search is None:
            tried = tried | {Change.WITHOUT_TOOL_SEARCH}
        if parameter_of(refusal) in removed or len(removed) >= MOST_REMOVED:
            return tried
        return tried - {Change.WITHOUT_PARAMETER}

    def give_up(self, refusal: Refusal, decision: RetryDecision) -> None:
        """Record that no attempt follows a refusal, whatever the retry table had in mind."""
        if decision.verdict is not Verdict.GIVE_UP:
            final = msgspec.structs.replace(decision, verdict=Verdict.GIVE_UP)
            self.exchange.refuse(refusal, final)


class Observer(Protocol):
    """Receives headers and quotas seen in answers; called synchronously, so it must not block."""

    def observe_headers(self, account_id: str, headers: Mapping[str, str]) -> None:
        """Note response headers of an account, from the head or from a later metadata event."""

    def observe_quota(self, account_id: str, quota: Quota) -> None:
        """Note an account's quota, from an event or a refusal."""


def _never(model: str) -> bool:  # noqa: ARG001 - a default
    return False


class DispatchContext(msgspec.Struct, frozen=True, kw_only=True):
    """What all dispatches of a replica share."""

    identity: Identity
    clock: SharedClock
    metrics: Metrics
    budget: RetryBudget
    egress: Egress
    reachability: Reachability
    shapes: AcceptedShapes
    observer: Observer
    outdated: Callable[[str], bool] = _never
    """Whether a model takes no client as old as the version we send."""
    silence: float = SILENCE_SECONDS
    """Seconds upstream may be silent before the commit point, over all attempts of an exchange."""
    late: float = LATE_SECONDS
    """Seconds after which a lost request is taken for one that the backend has worked on."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    wait: Callable[[float, Waiter], Awaitable[float]]
    """Waits so many seconds, or until an account may have come back; gives the seconds waited."""

    def decide(self, refusal: Refusal, state: DispatchState) -> RetryDecision:
        """Decide what follows a refusal; a client version that is too old is logged."""
        model, route = state.lease_request.model, state.request.route
        now, outdated, tried = self.clock(), self.outdated(model), state.changes_tried(refusal)
        decision = decide(refusal, now=now, tried=tried, outdated=outdated, route=route)
        if decision.kind is RefusalKind.CLIENT_TOO_OLD:
            log.error("client.too_old", model=model, version=self.identity.version)
        return decision

    async def check_egress(self) -> None:
        """Raise UpstreamRefused while the backend refuses this replica's address.

        To be called before the request's limits are charged. From time to time it lets a request
        pass as a probe.
        """
        if pause := await self.egress.pause():
            raise UpstreamRefused(
                "The backend does not take requests from this address at the moment.",
                status=503,
                code="upstream_unavailable",
                retry_after=pause,
            )

    def observe_refusal(
        self, decision: RetryDecision, refusal: Refusal, state: DispatchState
    ) -> None:
        """Update egress pause and reachability from a refusal of this dispatch."""
        if decision.row.unreachable:
            self.reachability.failed(refusal.cause)
        elif refusal.status:
            self.reachability.reached()
        if decision.row.egress:
            certain = decision.kind is RefusalKind.COUNTRY
            if certain or state.challenged():
                self.egress.refused(certain=certain)
            log.error("egress.refused", kind=decision.kind.value)
        elif refusal.status and not refusal.is_html:
            self.egress.answered()
