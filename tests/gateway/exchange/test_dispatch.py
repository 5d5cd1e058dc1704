"""The loop itself; what real accounts and a real backend do with it is in the journeys."""

import asyncio
from typing import Any, ClassVar

import pytest
from prometheus_client import CollectorRegistry
from support.leases import NOW, a_lease, a_request

from codex_proapi.commons.balancing.candidates import NoCandidate, NoCandidateCause, Reason
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.quota_parser import Quota
from codex_proapi.gateway.errors import (
    AllCooling,
    AllSpent,
    GatewayError,
    Truncated,
    UpstreamRefused,
)
from codex_proapi.gateway.exchange.dispatch import RETRY_SECONDS, Dispatcher, request_id_of
from codex_proapi.gateway.exchange.dispatch_state import DispatchContext, DispatchRequest
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.formats.codex.requests import Shape
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.health.egress import CHALLENGES, Egress
from codex_proapi.gateway.pool.health.retry_budget import RetryBudget
from codex_proapi.gateway.pool.lease import LeaseRequest
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport
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
        self.proven: list[Any] = []
        self.look: Any = None
        self.noted: list[Any] = []

    async def lease(self, lease_request: Any, tried: Any = ()) -> Any:
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

    def plan(self, lease_request: Any) -> Any:
        return "plus"

    def note_tie(self, fingerprint: Any, account_id: Any, *, tentative: Any) -> None:
        self.noted.append((fingerprint, account_id, tentative))

    def record_probe_success(self, lease: Any) -> None:
        self.proven.append(lease.account.id)


class Upstream:
    """Answers what a test has prepared; remembers what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    def available(self) -> bool:
        return True

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
        self.succeeded: list[Any] = []
        self.ties: dict[Any, Any] = {}
        self.tentative_ties: list[Any] = []
        self.headers: list[Any] = []
        self.quotas: list[Any] = []
        self.moves: list[Any] = []

    async def record_refusal(self, lease: Any, refusal: Any, decision: Any, *, model: Any) -> Any:
        self.learnt.append((lease.account.id, decision.kind.value, decision.change))
        return self.opened

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
    return HttpResponseStream(held=b"", **parts)


class Scene:
    def __init__(
        self, leases: Any, answers: Any, *, under_way: Any = 0, silence: Any = 300.0
    ) -> None:
        self.selector, self.upstream, self.said = Rotation(*leases), Upstream(*answers), Said()
        self.slept: list[Any] = []
        self.metrics = Metrics(CollectorRegistry())
        self.budget = RetryBudget()
        self.egress = Egress(lambda: NOW)
        self.reachability = Reachability()
        shared: dict[str, Any] = {"clock": lambda: NOW, "observer": self.said, "sleep": self.sleep}
        parts: dict[str, Any] = {
            "selector": self.selector,
            "outcomes": self.said,
            "transports": (self.upstream,),
            "ciphertexts": self.said,
            "ledger": self.said,
            "context": DispatchContext(
                identity=Identity(),
                metrics=self.metrics,
                budget=self.budget,
                egress=self.egress,
                silence=silence,
                reachability=self.reachability,
                **shared,
            ),
        }
        self.dispatcher = Dispatcher(**parts)
        self.exchange = Exchange(request_id="req_1", endpoint="chat", at=NOW, readers=())

    async def sleep(self, seconds: Any) -> None:
        self.slept.append(seconds)

    async def dispatch(
        self, request: Any = None, *, codex_headers: Any = None, fingerprint: Any = "f1"
    ) -> Any:
        asked = DispatchRequest(
            request=request or a_request(),
            lease_request=LeaseRequest(model="gpt-5.5", fingerprint=fingerprint),
            codex_headers=codex_headers,
        )
        return await self.dispatcher.dispatch(asked, self.exchange)

    async def refused(self, **asked: Any) -> Any:
        with pytest.raises(GatewayError) as caught:
            await self.dispatch(**asked)
        return caught.value

    @property
    def verdicts(self) -> Any:
        self.exchange.settle()
        return [
            (a.account, a.record.verdict) for a in self.exchange._attempts if a.record is not None
        ]


SEALED = {"type": "reasoning", "summary": [], "encrypted_content": "sealed"}


async def test_the_first_account_that_speaks_is_the_answer() -> None:
    scene = Scene([a_lease("acc_a", is_affine=True)], ["yes"])

    committed = await scene.dispatch()

    assert committed.lease.account.id == "acc_a"
    assert scene.exchange.account == "acc_a"
    assert scene.exchange.upstream_request_id == "req_up"
    assert scene.said.ties == {"f1": "acc_a"}
    assert scene.selector.proven == ["acc_a"]
    assert scene.said.headers == [("acc_a", {"x-request-id": "req_up"})]
    assert scene.said.moves == [(True, "f1")]
    assert scene.verdicts == [("acc_a", "committed")]


async def test_a_conversation_is_promised_to_each_account_chosen_before_it_answers() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [SPENT, "yes"])

    await scene.dispatch()

    assert scene.said.tentative_ties == [("f1", "acc_a"), ("f1", "acc_b")]
    assert scene.said.ties == {"f1": "acc_b"}


async def test_a_conversation_on_its_own_account_is_not_promised_again() -> None:
    scene = Scene([a_lease("acc_a", is_affine=True)], ["yes"])

    await scene.dispatch()

    assert scene.said.tentative_ties == []


async def test_what_cannot_be_told_from_others_is_tied_to_nobody() -> None:
    scene = Scene([a_lease()], ["yes"])

    await scene.dispatch(fingerprint="")

    assert scene.said.ties == {}


async def test_a_refusal_leads_to_the_next_account_and_teaches() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [SPENT, "yes"])

    committed = await scene.dispatch()

    assert committed.lease.account.id == "acc_b"
    assert scene.selector.tried == [set(), {"acc_a"}]
    assert scene.said.learnt == [("acc_a", "spent", None)]
    assert scene.said.quotas == [("acc_a", "pro")]
    assert scene.verdicts == [("acc_a", "next_account"), ("acc_b", "committed")]


async def test_a_transient_fault_is_tried_once_more_after_a_moment() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [BAD_GATEWAY, BAD_GATEWAY, "yes"])

    await scene.dispatch()

    assert scene.slept == [RETRY_SECONDS]
    assert [account for account, _ in scene.verdicts] == ["acc_a", "acc_a", "acc_b"]


@pytest.mark.parametrize(("sole", "asked"), [(False, "acc_b"), (True, "acc_a")])
async def test_a_breaker_that_opens_ends_the_retry_where_there_is_another_account(
    sole: Any, asked: Any
) -> None:
    scene = Scene([a_lease("acc_a", sole=sole), a_lease("acc_b")], [BAD_GATEWAY, "yes"])
    scene.said.opened = True

    committed = await scene.dispatch()

    assert committed.lease.account.id == asked


async def test_an_expired_token_is_renewed_and_the_same_account_asked() -> None:
    scene = Scene([a_lease("acc_a")], [EXPIRED, "yes"])

    committed = await scene.dispatch()

    assert committed.lease.basis is Reason.RENEWED
    assert scene.verdicts == [("acc_a", "same_account_fresh"), ("acc_a", "committed")]


async def test_a_token_that_cannot_be_renewed_leads_to_the_next_account() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [EXPIRED, "yes"])
    scene.selector.renewed = None

    committed = await scene.dispatch()

    assert committed.lease.account.id == "acc_b"


async def test_what_was_changed_for_one_account_stays_changed_for_the_next() -> None:
    unknown = Refusal(status=400, message="Unsupported parameter: service_tier")
    shape = Refusal(status=404, param="model", message="Model not found")
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [unknown, shape, SPENT, "yes"])

    await scene.dispatch(a_request(service_tier="flex", shape=Shape.CLASSIC))

    last = scene.upstream.asked[-1]
    assert b"flex" not in last.body
    assert last.headers["x-openai-internal-codex-responses-lite"] == "true"


async def test_each_parameter_a_refusal_names_is_left_out_once() -> None:
    unknown = [
        Refusal(status=400, message=f"Unknown parameter: 'input[0].{name}'.")
        for name in ("namespace", "caller")
    ]
    scene = Scene([a_lease("acc_a")], [*unknown, "yes"])
    call = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"}

    await scene.dispatch(a_request({**call, "namespace": "n", "caller": "x"}))

    assert b"namespace" not in scene.upstream.asked[-1].body
    assert b"caller" not in scene.upstream.asked[-1].body


async def test_a_parameter_that_is_named_again_ends_it() -> None:
    unknown = Refusal(status=400, message="Unknown parameter: 'input[0].namespace'.")
    scene = Scene([a_lease("acc_a")], [unknown, unknown])

    assert (await scene.refused()).status == 400


async def test_encrypted_items_that_are_refused_are_left_out_and_the_move_is_noted() -> None:
    refused = Refusal(status=400, code="invalid_encrypted_content")
    scene = Scene([a_lease("acc_a", is_affine=True)], [refused, "yes"])

    await scene.dispatch(a_request(SEALED, {"type": "message", "role": "user", "content": []}))

    first, second = scene.upstream.asked
    assert b"sealed" in first.body
    assert b"sealed" not in second.body
    assert scene.said.moves == [(False, "f1")]


async def test_a_clients_own_mistake_ends_it_at_once() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [Refusal(status=400, code="invalid_value")])

    error = await scene.refused()

    assert (error.status, error.code) == (400, "invalid_value")
    assert len(scene.upstream.asked) == 1


async def test_when_nobody_is_left_the_most_telling_refusal_is_told() -> None:
    scene = Scene([a_lease("acc_a")], [SPENT])

    error = await scene.refused()

    assert isinstance(error, AllSpent)
    assert error.plan == "plus"


async def test_after_three_accounts_it_is_enough_although_others_may_be_free() -> None:
    leases = [a_lease(f"acc_{n}") for n in range(5)]
    scene = Scene(leases, [SPENT] * 5)

    error = await scene.refused()

    assert isinstance(error, AllCooling)
    assert len(scene.upstream.asked) == 3


async def test_after_three_accounts_that_were_all_there_are_the_outlook_is_told() -> None:
    scene = Scene([a_lease(f"acc_{n}") for n in range(3)], [SPENT] * 3)
    scene.selector.look = NoCandidate(cause=NoCandidateCause.SPENT, until=NOW + 9000)

    assert isinstance(await scene.refused(), AllSpent)


async def test_a_storm_of_retries_is_cut_short() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [BAD_GATEWAY] * 4)
    for _ in range(3):
        scene.budget.take()

    error = await scene.refused()

    assert error.status == 502
    assert len(scene.upstream.asked) == 1
    assert scene.metrics.budget_refusals._value.get() == 1


async def test_a_refused_address_blames_no_account_and_nobody_asks_for_a_while() -> None:
    challenge = Refusal(status=403, is_html=True)
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [challenge] * 4)

    first, second = await scene.refused(), await scene.refused()

    assert (first.status, second.status) == (503, 503)
    assert isinstance(second, UpstreamRefused)
    assert second.retry_after == 60
    assert len(scene.upstream.asked) == CHALLENGES


async def test_one_accounts_challenge_page_is_answered_by_another_account() -> None:
    challenge = Refusal(status=403, is_html=True)
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [challenge, challenge, "yes"])

    committed = await scene.dispatch()

    assert committed.lease.account.id == "acc_b"
    assert not scene.egress.paused


FORBIDDEN = Refusal(status=403, code="request_blocked")


async def test_a_403_that_two_accounts_give_to_one_request_is_the_requests_own() -> None:
    leases = [a_lease("acc_a"), a_lease("acc_b"), a_lease("acc_c")]
    scene = Scene(leases, [FORBIDDEN, FORBIDDEN, "yes"])

    error = await scene.refused()

    assert (error.status, len(scene.upstream.asked)) == (503, 2)
    assert scene.said.learnt == []


async def test_a_403_that_another_account_does_not_give_is_the_accounts() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [FORBIDDEN, "yes"])

    await scene.dispatch()

    assert scene.said.learnt == [("acc_a", "forbidden", None)]


async def test_a_403_of_the_only_account_is_the_accounts() -> None:
    nobody = NoCandidate(cause=NoCandidateCause.EMPTY)
    scene = Scene([a_lease("acc_a"), nobody], [FORBIDDEN])

    error = await scene.refused()

    assert (error.status, scene.said.learnt) == (503, [("acc_a", "forbidden", None)])


UNREACHABLE = Refusal(status=0, code="upstream_unreachable", cause="tls: certificate has expired")


async def test_an_unreachable_backend_is_asked_of_no_other_account_and_said_of_the_replica() -> (
    None
):
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [UNREACHABLE] * 4)

    errors = [await scene.refused(), await scene.refused()]

    assert [error.code for error in errors] == ["upstream_unreachable"] * 2
    assert {prepared.headers["authorization"] for prepared in scene.upstream.asked[:2]} == {
        scene.upstream.asked[0].headers["authorization"]
    }
    assert scene.reachability.lost


async def test_a_connection_that_cannot_be_made_in_time_is_not_tried_again() -> None:
    slow = Refusal(status=0, code="upstream_unreachable", cause="timeout: tls")
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [slow])

    error = await scene.refused()

    assert (error.code, len(scene.upstream.asked)) == ("upstream_unreachable", 1)


async def test_a_stale_connection_is_replaced_once_at_once_and_seen_as_an_attempt() -> None:
    stale = Refusal(status=0, code="upstream_connection_stale")
    scene = Scene([a_lease("acc_a")], [stale, "yes"])

    await scene.dispatch()

    assert [prepared.new_connection for prepared in scene.upstream.asked] == [False, True]
    assert scene.slept == []
    assert scene.verdicts == [("acc_a", "same_account_again"), ("acc_a", "committed")]
    assert scene.metrics.upstream_resends._value.get() == 1


async def test_a_silence_that_has_used_up_the_exchanges_time_is_its_end() -> None:
    late = Refusal(status=0, code="upstream_timeout", message="late")
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [late, "yes"], silence=1e-9)

    error = await scene.refused()

    assert (error.status, len(scene.upstream.asked)) == (504, 1)


async def test_a_timeout_is_never_repeated_with_the_same_account() -> None:
    edge = Refusal(status=504)
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [edge, "yes"])

    committed = await scene.dispatch()

    assert committed.lease.account.id == "acc_b"
    assert scene.slept == []


async def test_accounts_that_are_back_in_seconds_are_waited_for() -> None:
    busy = NoCandidate(cause=NoCandidateCause.COOLING, until=NOW + 1.5)
    scene = Scene([a_lease("acc_a"), busy, a_lease("acc_a")], [SPENT, "yes"])

    committed = await scene.dispatch()

    assert committed.lease.account.id == "acc_a"
    assert scene.slept == [pytest.approx(1.55)]


async def test_no_exchange_waits_longer_than_ten_seconds_in_all() -> None:
    renewing = NoCandidate(cause=NoCandidateCause.RENEWING, until=NOW + 4)
    scene = Scene([renewing] * 9, [])

    error = await scene.refused()

    assert (error.status, error.code, error.retry_after) == (503, "login_renewing", 4)
    assert sum(scene.slept) <= 10
    assert len(scene.slept) == 2


async def test_a_codex_clients_headers_go_along_and_its_turn_state_to_its_own_account() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [SPENT, "yes"])
    headers = {"x-codex-turn-state": "acc_a~state", "x-codex-window-id": "w:0"}

    await scene.dispatch(codex_headers=headers)

    first, second = scene.upstream.asked
    assert first.headers["x-codex-turn-state"] == "state"
    assert "x-codex-turn-state" not in second.headers
    assert second.headers["x-codex-window-id"] == "w:0"


async def test_an_answer_that_breaks_off_later_teaches_what_it_said() -> None:
    scene = Scene([a_lease("acc_a")], ["yes"])
    committed = await scene.dispatch()
    report = ResponseReport()

    await scene.dispatcher.broke_off(committed, report, Truncated("cut"))
    await scene.dispatcher.broke_off(committed, None, Truncated("cut"))
    report.refusal = SPENT
    await scene.dispatcher.broke_off(committed, report, UpstreamRefused("x", status=429))

    assert scene.said.broken == [("acc_a", "upstream_stream_truncated")] * 2
    assert scene.said.learnt == [("acc_a", "spent", None)]


async def test_an_answer_that_broke_off_unseen_is_asked_of_the_next_account() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], ["yes", "yes"])
    first = await scene.dispatch()

    second = await scene.dispatcher.again(
        first, ResponseReport(), Truncated("cut"), exchange=scene.exchange
    )

    assert second.lease.account.id == scene.exchange.account == "acc_b"
    assert scene.slept == []
    assert scene.selector.tried == [set(), {"acc_a"}]
    assert scene.said.learnt == [("acc_a", "transient", None)]
    assert scene.said.ties == {"f1": "acc_b"}
    assert scene.verdicts == [("acc_a", "next_account"), ("acc_b", "committed")]


async def test_the_only_account_is_asked_once_more_for_an_answer_that_broke_off() -> None:
    scene = Scene([a_lease("acc_a", sole=True)], ["yes", "yes"])
    committed = await scene.dispatch()

    committed = await scene.dispatcher.again(
        committed, ResponseReport(), Truncated("cut"), exchange=scene.exchange
    )
    with pytest.raises(AllSpent):
        await scene.dispatcher.again(
            committed,
            a_report(SPENT),
            UpstreamRefused("x", status=429),
            exchange=scene.exchange,
        )

    assert scene.slept == [RETRY_SECONDS]
    assert scene.verdicts == [("acc_a", "same_account_again"), ("acc_a", "next_account")]


async def test_answers_that_break_off_are_asked_of_three_accounts_and_no_more() -> None:
    scene = Scene([a_lease(f"acc_{n}") for n in "abcd"], ["yes"] * 4)
    committed = await scene.dispatch()

    asked = 1
    with pytest.raises(Truncated, match="cut"):
        while asked < 10:
            committed = await scene.dispatcher.again(
                committed, ResponseReport(), Truncated("cut"), exchange=scene.exchange
            )
            asked += 1

    assert asked == 3


async def test_what_nobody_would_answer_differently_is_not_asked_again() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], ["yes", "yes"])
    committed = await scene.dispatch()
    flagged = Refusal(status=400, code="cyber_policy", message="No.")

    with pytest.raises(GatewayError) as caught:
        await scene.dispatcher.again(
            committed,
            a_report(flagged),
            UpstreamRefused("x", status=400),
            exchange=scene.exchange,
        )

    assert (caught.value.status, caught.value.code) == (400, "cyber_policy")
    assert len(scene.upstream.asked) == 1


async def test_a_storm_of_answers_that_break_off_is_cut_short() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], ["yes", "yes"])
    committed = await scene.dispatch()
    while scene.budget.take():
        pass

    with pytest.raises(Truncated):
        await scene.dispatcher.again(
            committed, ResponseReport(), Truncated("cut"), exchange=scene.exchange
        )

    assert len(scene.upstream.asked) == 1


def a_report(refusal: Refusal) -> ResponseReport:
    report = ResponseReport()
    report.refusal = refusal
    return report


async def test_an_answer_that_came_through_is_a_success() -> None:
    scene = Scene([a_lease("acc_a")], ["yes"])
    committed = await scene.dispatch()

    scene.dispatcher.came_through(committed)

    assert scene.said.succeeded == ["acc_a"]


async def test_whatever_an_answer_told_of_its_quota_is_heard() -> None:
    scene = Scene([a_lease("acc_a")], ["yes"])
    committed = await scene.dispatch()
    before = list(scene.said.headers)
    report = a_report(Refusal(status=429, code="usage_limit_reached", quota=Quota(plan="plus")))
    report.quota = Quota(plan="team")
    report.metadata = {"x-codex-primary-used-percent": "5"}

    scene.dispatcher.note_report(committed, report)
    scene.dispatcher.note_report(committed, ResponseReport())

    assert scene.said.quotas == [("acc_a", "team"), ("acc_a", "plus")]
    assert scene.said.headers[len(before) :] == [("acc_a", report.metadata)]


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"x-request-id": "req_1"}, "req_1"),
        ({"x-oai-request-id": "req_2"}, "req_2"),
        ({}, ""),
        ({"x-request-id": "bad\nid"}, ""),
    ],
)
def test_upstreams_own_id_is_kept_for_its_support(headers: Any, found: Any) -> None:
    assert request_id_of(headers) == found


async def test_an_interrupt_that_a_redis_call_has_lost_ends_the_exchange_all_the_same() -> None:
    scene = Scene([a_lease("acc_a")], ["yes"])
    scene.exchange.interrupted = True

    with pytest.raises(asyncio.CancelledError):
        await scene.dispatch()

    assert scene.upstream.asked == []


async def test_an_answer_is_closed_also_if_its_client_leaves_while_refusals_are_kept() -> None:
    forbidden = Refusal(status=403, code="strange")
    answer = an_opening()
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [forbidden, answer])
    closed: list[Any] = []
    answer._answer.close = lambda: closed.append(True)

    async def leave(*_: Any, **__: Any) -> bool:
        raise asyncio.CancelledError

    scene.said.record_refusal = leave  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await scene.dispatch()
    scene.exchange.settle()

    assert closed
