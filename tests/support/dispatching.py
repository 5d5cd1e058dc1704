"""The dispatch loop among fakes that remember what they were asked, and the refusals its tests share."""

from typing import Any, ClassVar

import pytest
from prometheus_client import CollectorRegistry
from support.leases import NOW, a_lease, a_request

from codex_proapi.commons.balancing.candidates import NoCandidate, NoCandidateCause, Reason
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.quota_parser import Quota
from codex_proapi.commons.usage.exchange_record import ExchangeRecord
from codex_proapi.gateway.errors import (
    GatewayError,
)
from codex_proapi.gateway.exchange.dispatch import Dispatcher
from codex_proapi.gateway.exchange.dispatch_state import (
    LONGEST_WAIT,
    DispatchContext,
    DispatchState,
)
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.health.accepted_shapes import AcceptedShapes
from codex_proapi.gateway.pool.health.egress import Egress
from codex_proapi.gateway.pool.health.retry_budget import RetryBudget
from codex_proapi.gateway.pool.lease import LeaseRequest
from codex_proapi.gateway.upstream.http_transport import HttpResponseStream
from codex_proapi.gateway.upstream.reachability import Reachability

BAD_GATEWAY = Refusal(status=502)
SPENT = Refusal(status=429, type="usage_limit_reached", quota=Quota(plan="pro"))
EXPIRED = Refusal(status=401, code="token_expired")


class Rotation:
    """Lends what a test gives it, in order."""

    def __init__(self, *leases: Any) -> None:
        self.selector = self
        self.leases = list(leases)
        self.renewed: Any = a_lease("acc_a", basis=Reason.RENEWED)
        self.tried: list[Any] = []
        self.closed: set[str] = set()
        """Accounts that close between the lease and the request."""
        self.look: Any = None
        self.noted: list[Any] = []

    async def lease(
        self, lease_request: Any, tried: Any = (), *, state: Any = None, patience: Any
    ) -> Any:
        self.tried.append(set(tried))
        return (
            self.leases.pop(0)
            if self.leases
            else NoCandidate(cause=NoCandidateCause.SPENT, until=NOW + 900)
        )

    async def renew(self, lease: Any) -> Any:
        return self.renewed

    async def why_none_left(self, lease_request: Any, tried: Any) -> Any:
        return self.look

    def may_begin(self, lease: Any, lease_request: Any) -> bool:
        return lease.account.id not in self.closed

    def plan(self, lease_request: Any) -> Any:
        return "plus"

    def note_tie(self, fingerprint: Any, account_id: Any, *, tentative: Any) -> None:
        self.noted.append((fingerprint, account_id, tentative))


class Upstream:
    """Answers what a test has prepared; remembers what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    async def open(self, prepared: Any, silence: Any) -> Any:
        assert silence.deadline
        self.asked.append(prepared)
        answer = self.answers.pop(0)
        return an_opening() if answer == "yes" else answer


class Said:
    """Lessons, ledger, observer and ciphertexts: whoever only listens."""

    def __init__(self) -> None:
        self.learnt: list[Any] = []
        self.opened = False
        self.broken: list[Any] = []
        self.substitutions: list[Any] = []
        self.succeeded: list[Any] = []
        self.ties: dict[Any, Any] = {}
        self.tentative_ties: list[Any] = []
        self.headers: list[Any] = []
        self.quotas: list[Any] = []
        self.moves: list[Any] = []

    async def record_refusal(self, lease: Any, refusal: Any, decision: Any, *, model: Any) -> Any:
        self.learnt.append((lease.account.id, decision.kind.value, decision.change))
        return self.opened

    async def record_substitution(self, lease: Any, *, sent: Any, answered: Any) -> None:
        self.substitutions.append((lease.account.id, sent, answered))

    async def record_break_off(self, lease: Any, code: str | None) -> None:
        self.broken.append((lease.account.id, code))

    def record_success(self, lease: Any) -> None:
        self.succeeded.append(lease.account.id)

    def tie_tentatively(self, fingerprint: Any, account_id: Any) -> None:
        self.tentative_ties.append((fingerprint, account_id))

    def tie(self, fingerprint: Any, account_id: Any) -> None:
        self.ties[fingerprint] = account_id

    def observe_headers(self, account_id: Any, headers: Any) -> None:
        self.headers.append((account_id, dict(headers)))

    def observe_quota(self, account_id: Any, quota: Any) -> None:
        self.quotas.append((account_id, quota.plan))

    async def readable(self, request: Any, lease: Any, fingerprint: Any) -> Any:
        return request if lease.is_affine else request.without_encrypted()

    def moved(self, asked: Any, sent: Any, fingerprint: Any) -> None:
        self.moves.append((asked is sent, fingerprint))


class Response:
    headers: ClassVar = {"x-request-id": "req_up"}

    def close(self) -> None:
        pass


def an_opening() -> Any:
    response, linger = Response(), None
    parts: dict[str, Any] = {"answer": response, "closing": linger}
    return HttpResponseStream(held=b"", headers=response.headers, way="", **parts)


class Scene:
    def __init__(
        self,
        leases: Any,
        answers: Any,
        *,
        under_way: Any = 0,
        silence: Any = 300.0,
        outdated: bool = False,
        late: float = 60.0,
    ) -> None:
        self.selector, self.upstream, self.said = Rotation(*leases), Upstream(*answers), Said()
        self.slept: list[Any] = []
        self.woken_after = 1
        """Part of a wait after which the pool changes: 2 is half of it."""
        self.metrics = Metrics(CollectorRegistry())
        self.budget = RetryBudget()
        self.egress = Egress(lambda: NOW)
        self.reachability = Reachability()
        shared: dict[str, Any] = {
            "clock": lambda: NOW,
            "observer": self.said,
            "sleep": self.sleep,
            "wait": self.wait,
        }
        parts: dict[str, Any] = {
            "selector": self.selector,
            "outcomes": self.said,
            "transport": self.upstream,
            "ciphertexts": self.said,
            "ledger": self.said,
            "context": DispatchContext(
                identity=Identity(),
                metrics=self.metrics,
                budget=self.budget,
                egress=self.egress,
                silence=silence,
                late=late,
                outdated=lambda model: outdated,
                reachability=self.reachability,
                shapes=AcceptedShapes(lambda: NOW, self.metrics),
                **shared,
            ),
        }
        self.dispatcher = Dispatcher(**parts)
        self.records: list[ExchangeRecord] = []
        self.exchange = Exchange(
            request_id="req_1", endpoint="chat", at=NOW, readers=[self.records.append]
        )

    async def sleep(self, seconds: Any) -> None:
        self.slept.append(seconds)

    async def wait(self, seconds: Any, waiter: Any) -> Any:
        self.slept.append(seconds)
        return seconds / self.woken_after

    async def dispatch(
        self,
        request: Any = None,
        *,
        codex_headers: Any = None,
        fingerprint: Any = "f1",
        longest_wait: float = LONGEST_WAIT,
        drop_substituted: bool = False,
    ) -> Any:
        asked = DispatchState(
            exchange=self.exchange,
            request=request or a_request(),
            lease_request=LeaseRequest(model="gpt-5.5", fingerprint=fingerprint),
            longest_wait=longest_wait,
            codex_headers=codex_headers,
            drop_substituted=drop_substituted,
        )
        await self.dispatcher.context.check_egress()
        return await self.dispatcher.dispatch(asked)

    async def refused(self, **asked: Any) -> Any:
        with pytest.raises(GatewayError) as caught:
            await self.dispatch(**asked)
        return caught.value

    @property
    def verdicts(self) -> Any:
        self.exchange.settle()
        [record] = self.records
        return [(attempt.account, attempt.verdict) for attempt in record.attempts]
