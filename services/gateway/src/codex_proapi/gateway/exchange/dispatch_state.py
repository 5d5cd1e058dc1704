"""Values of the failover loop: its input and result, the state of one dispatch, the shared context."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.quota_parser import Quota
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.formats.codex.requests import (
    UpstreamRequest,
)
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.policy.retry import Change, parameter_of
from codex_proapi.gateway.pool.clock import SharedClock
from codex_proapi.gateway.pool.health.egress import Egress
from codex_proapi.gateway.pool.health.retry_budget import RetryBudget, Spending
from codex_proapi.gateway.pool.lease import Lease, LeaseRequest
from codex_proapi.gateway.pool.pool_reader import PoolState
from codex_proapi.gateway.upstream.reachability import Reachability
from codex_proapi.gateway.upstream.transport import (
    SILENCE_SECONDS,
    ResponseStream,
    SilenceBudget,
)

if TYPE_CHECKING:
    from codex_proapi.gateway.exchange.exchange import Attempt
    from codex_proapi.gateway.policy.final_error import Refused
    from codex_proapi.gateway.policy.retry import RetryDecision


class DispatchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Input of one dispatch: the upstream request, and its admission."""

    request: UpstreamRequest
    lease_request: LeaseRequest
    state: PoolState | None = None
    """The state that the request was admitted with, for the first selection."""
    codex_headers: Mapping[str, str] | None = None
    """Request headers by lower-case name if the client is Codex; None for other clients."""


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that has reached the commit point, with the lease it was obtained on."""

    opening: ResponseStream
    lease: Lease
    account_try: "AccountTry"

    def forget_request(self) -> None:
        """Release the request's content once this answer cannot be requested again."""
        state = self.account_try.state
        state.request = without_content(state.request)
        state.dispatch_request = msgspec.structs.replace(
            state.dispatch_request, request=state.request
        )


def without_content(request: UpstreamRequest) -> UpstreamRequest:
    """A copy of a request without its large fields, for bookkeeping only: it must not be sent."""
    return msgspec.structs.replace(request, input=(), instructions="", tools=(), encrypted_for={})


MOST_REMOVED = 4
"""Most parameters removed from one request; each removal costs a round trip to the backend."""


class DispatchState:
    """Mutable state of one dispatch: the current request, accounts tried, refusals, bounds."""

    spending: Spending

    def __init__(self, dispatch_request: DispatchRequest, silence: SilenceBudget) -> None:
        self.dispatch_request = dispatch_request
        self.request = dispatch_request.request
        self.changes: set[Change] = set()
        self.removed: set[str] = set()
        """Parameters removed because a refusal named them."""
        self.tried: set[str] = set()
        self.refusals: list[Refused] = []
        self.forbidden: list[tuple[Lease, Refusal, RetryDecision]] = []
        """Unexplained refusals not attributed yet: to the account, or to the request itself."""
        self.asked_accounts = 0
        self.waited = 0.0
        self.began = time.monotonic()
        self.silence = silence

    def __repr__(self) -> str:
        return f"<DispatchState after {len(self.refusals)} refusals>"


class AccountTry:
    """The attempts of one dispatch on one account, each after the first with a change."""

    def __init__(self, state: DispatchState) -> None:
        self.state = state
        self.changes = set(state.changes)
        self.attempt: Attempt | None = None

    def changes_tried(self, refusal: Refusal) -> set[Change]:
        """Changes that must not be repeated for this refusal.

        `WITHOUT_PARAMETER` may be repeated for another parameter, up to MOST_REMOVED.
        """
        removed = self.state.removed
        if parameter_of(refusal) in removed or len(removed) >= MOST_REMOVED:
            return self.changes
        return self.changes - {Change.WITHOUT_PARAMETER}

    def __repr__(self) -> str:
        return f"<AccountTry with {len(self.changes)} changes>"


class Observer(Protocol):
    """Receives headers and quotas seen in answers; called synchronously, so it must not block."""

    def observe_headers(self, account_id: str, headers: Mapping[str, str]) -> None:
        """Note response headers of an account, from the head or from a later metadata event."""

    def observe_quota(self, account_id: str, quota: Quota) -> None:
        """Note an account's quota, from an event or a refusal."""


class DispatchContext(msgspec.Struct, frozen=True, kw_only=True):
    """What all dispatches of a replica share."""

    identity: Identity
    clock: SharedClock
    metrics: Metrics
    budget: RetryBudget
    egress: Egress
    reachability: Reachability
    observer: Observer
    silence: float = SILENCE_SECONDS
    """Seconds upstream may be silent before the commit point, over all attempts of an exchange."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
