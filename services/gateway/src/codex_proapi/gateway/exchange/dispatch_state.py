"""The values of the failover loop: what it shares on a replica, and what it knows of one request."""

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
    """What a client wants of upstream."""

    request: UpstreamRequest
    lease_request: LeaseRequest
    codex_headers: Mapping[str, str] | None = None
    """Headers of a Codex client; None for anybody else."""


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """An opening, and the lease that pays for it."""

    opening: ResponseStream
    lease: Lease
    turn: "AccountTry"

    def forget_request(self) -> None:
        """Let go of the request's content: this answer will not be asked for again."""
        state = self.turn.course
        state.request = without_content(state.request)
        state.asked = msgspec.structs.replace(state.asked, request=state.request)


def without_content(request: UpstreamRequest) -> UpstreamRequest:
    """A request with all that may be large left out; never to be sent."""
    return msgspec.structs.replace(request, input=(), instructions="", tools=(), encrypted_for={})


MOST_REMOVED = 4
"""Parameters left out of one request at most; each costs a round trip."""


class DispatchState:
    """One dispatch under way."""

    spending: Spending

    def __init__(self, asked: DispatchRequest, silence: SilenceBudget) -> None:
        self.asked = asked
        self.request = asked.request
        self.changes: set[Change] = set()
        self.removed: set[str] = set()
        """Parameters that were left out because a refusal named them."""
        self.tried: set[str] = set()
        self.refusals: list[Refused] = []
        self.forbidden: list[tuple[Lease, Refusal, RetryDecision]] = []
        """Refusals for no known reason, of which it is not known yet whose matter they are."""
        self.asked_accounts = 0
        self.waited = 0.0
        self.began = time.monotonic()
        self.silence = silence

    def __repr__(self) -> str:
        return f"<DispatchState after {len(self.refusals)} refusals>"


class AccountTry:
    """One account's turn in a course: it may be asked more than once, each time with a change."""

    def __init__(self, course: DispatchState) -> None:
        self.course = course
        self.changes = set(course.changes)
        self.attempt: Attempt | None = None

    def changes_tried(self, refusal: Refusal) -> set[Change]:
        """What must not be changed again; a parameter is left out once, but each by its name."""
        removed = self.course.removed
        if parameter_of(refusal) in removed or len(removed) >= MOST_REMOVED:
            return self.changes
        return self.changes - {Change.WITHOUT_PARAMETER}

    def __repr__(self) -> str:
        return f"<AccountTry with {len(self.changes)} changes>"


class Observer(Protocol):
    """Somebody who learns from answers in passing; must not wait."""

    def observe_headers(self, account_id: str, headers: Mapping[str, str]) -> None:
        """An account has answered with these headers, or sent some late."""

    def observe_quota(self, account_id: str, quota: Quota) -> None:
        """An account has told its quota, in an event or a refusal."""


class DispatchContext(msgspec.Struct, frozen=True, kw_only=True):
    """What every dispatch on this replica shares."""

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
