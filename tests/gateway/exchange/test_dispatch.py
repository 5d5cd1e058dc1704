"""The loop itself; what real accounts and a real backend do with it is in the journeys."""

import asyncio
from typing import Any

import pytest
from support.dispatching import SPENT, Scene, an_opening
from support.leases import NOW, a_lease

from codex_proapi.commons.balancing.candidates import NoCandidate, NoCandidateCause
from codex_proapi.gateway.exchange.dispatch_state import MOST_LEASED
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.formats.codex.requests import request_id_of


async def test_the_first_account_that_speaks_is_the_answer() -> None:
    scene = Scene([a_lease("acc_a", is_affine=True)], ["yes"])

    committed = await scene.dispatch()

    assert committed.lease.account.id == "acc_a"
    assert scene.exchange.account == "acc_a"
    scene.exchange.settle()
    assert scene.records[0].upstream_request_id == "req_up"
    assert scene.said.ties == {"f1": "acc_a"}
    assert scene.said.succeeded == []
    assert scene.said.headers == [("acc_a", {"x-request-id": "req_up"})]
    assert scene.said.moves == []
    assert scene.verdicts == [("acc_a", "committed")]


async def test_a_probe_that_speaks_has_succeeded() -> None:
    scene = Scene([a_lease("acc_a", probe=True)], ["yes"])

    await scene.dispatch()

    assert scene.said.succeeded == ["acc_a"]


async def test_a_conversation_is_promised_to_each_account_chosen_before_it_answers() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [SPENT, "yes"])

    await scene.dispatch()

    assert scene.said.tentative_ties == [("f1", "acc_a"), ("f1", "acc_b")]
    assert scene.said.ties == {"f1": "acc_b"}


async def test_a_conversation_on_its_own_account_is_not_promised_again() -> None:
    scene = Scene([a_lease("acc_a", is_affine=True)], ["yes"])

    await scene.dispatch()

    assert scene.said.tentative_ties == []


async def test_a_tie_that_redis_has_and_has_renewed_is_not_written_again() -> None:
    scene = Scene([a_lease("acc_a", is_affine=True, is_tie_stored=True)], ["yes"])

    await scene.dispatch()

    assert scene.said.ties == {}


async def test_what_cannot_be_told_from_others_is_tied_to_nobody() -> None:
    scene = Scene([a_lease()], ["yes"])

    await scene.dispatch(fingerprint="")

    assert scene.said.ties == {}


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
    assert 4 <= sum(scene.slept) <= 10


async def test_a_wait_that_a_change_of_the_pool_ends_counts_as_long_as_it_took() -> None:
    cooling = NoCandidate(cause=NoCandidateCause.COOLING, until=NOW + 6)
    scene = Scene([cooling, cooling, a_lease("acc_a")], ["yes"])
    scene.woken_after = 2

    await scene.dispatch()

    assert scene.slept == [pytest.approx(6.05)] * 2


async def test_a_wait_that_would_outlast_the_exchanges_patience_is_not_begun() -> None:
    cooling = NoCandidate(cause=NoCandidateCause.COOLING, until=NOW + 3)
    scene = Scene([cooling, a_lease("acc_a")], ["yes"])

    error = await scene.refused(longest_wait=2.0)

    assert (error.status, scene.slept) == (429, [])


RATE = Refusal(status=429, code="rate_limit_exceeded", retry_after=1.5)


@pytest.mark.parametrize("others", [0, 2])
async def test_a_full_round_of_short_rate_limits_is_waited_for(others: int) -> None:
    leases = [a_lease(f"acc_{n}") for n in range(3)]
    scene = Scene([*leases, a_lease("acc_0")], [RATE, RATE, RATE, "yes"])
    # With others left this exchange has asked enough of them, and waits for the first it asked.
    cooling = NoCandidate(cause=NoCandidateCause.COOLING, until=NOW + 1.5)
    scene.selector.look = None if others else cooling

    committed = await scene.dispatch()

    assert committed.lease.account.id == "acc_0"
    assert scene.slept == [pytest.approx(1.55)]
    assert scene.selector.tried[-1] == set()


async def test_rate_limits_that_do_not_end_are_asked_of_nine_accounts_at_most() -> None:
    scene = Scene([a_lease(f"acc_{n}") for n in range(20)], [RATE] * 20)

    error = await scene.refused()

    assert error.status == 429
    assert len(scene.upstream.asked) <= MOST_LEASED
    assert sum(scene.slept) <= 10


async def test_a_round_with_another_refusal_among_the_rate_limits_is_the_last() -> None:
    scene = Scene([a_lease(f"acc_{n}") for n in range(9)], [RATE, SPENT, RATE, "yes"])

    assert (await scene.refused()).status == 429
    assert (len(scene.upstream.asked), scene.slept) == (3, [])


async def test_a_codex_clients_headers_go_along_and_its_turn_state_to_its_own_account() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [SPENT, "yes"])
    headers = {"x-codex-turn-state": "acc_a~state", "x-codex-window-id": "w:0"}

    await scene.dispatch(codex_headers=headers)

    first, second = scene.upstream.asked
    assert first.headers["x-codex-turn-state"] == "state"
    assert "x-codex-turn-state" not in second.headers
    assert second.headers["x-codex-window-id"] == "w:0"


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
    answer.answer.close = lambda: closed.append(True)

    async def leave(*_: Any, **__: Any) -> bool:
        raise asyncio.CancelledError

    scene.said.record_refusal = leave  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await scene.dispatch()
    scene.exchange.settle()

    assert closed
