"""Whom the loop blames: the account, the request, the address it comes from, or a backend nobody reaches."""

import pytest
from support.dispatching import Scene
from support.leases import NOW, a_lease

from codex_proapi.commons.balancing.candidates import NoCandidate, NoCandidateCause
from codex_proapi.gateway.errors import (
    UpstreamRefused,
)
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.pool.health.egress import CHALLENGES


async def test_a_refused_address_blames_no_account_and_nobody_asks_for_a_while() -> None:
    challenge = Refusal(status=403, is_html=True)
    scene = Scene([a_lease("acc_a"), a_lease("acc_b"), a_lease("acc_c")], [challenge] * 5)

    first = await scene.refused()
    assert (len(scene.upstream.asked), scene.egress.paused) == (CHALLENGES, False)
    second, third = await scene.refused(), await scene.refused()

    assert [error.status for error in (first, second, third)] == [503, 503, 503]
    assert isinstance(third, UpstreamRefused)
    assert third.retry_after == 60
    assert len(scene.upstream.asked) == CHALLENGES + 1


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


async def test_a_403_that_two_accounts_give_with_a_wait_between_is_the_requests_own() -> None:
    cooling = NoCandidate(cause=NoCandidateCause.COOLING, until=NOW + 1)
    scene = Scene([a_lease("acc_a"), cooling, a_lease("acc_b")], [FORBIDDEN, FORBIDDEN])

    error = await scene.refused()

    assert (error.status, scene.said.learnt) == (503, [])


async def test_a_403_that_its_account_does_not_repeat_blames_nobody() -> None:
    cooling = NoCandidate(cause=NoCandidateCause.COOLING, until=NOW + 1)
    scene = Scene([a_lease("acc_a"), cooling, a_lease("acc_a")], [FORBIDDEN, "yes"])

    await scene.dispatch()

    assert scene.said.learnt == []


async def test_a_403_that_one_account_gives_twice_is_the_accounts() -> None:
    cooling = NoCandidate(cause=NoCandidateCause.COOLING, until=NOW + 1)
    nobody = NoCandidate(cause=NoCandidateCause.EMPTY)
    leases = [a_lease("acc_a"), cooling, a_lease("acc_a"), nobody]
    scene = Scene(leases, [FORBIDDEN, FORBIDDEN])

    await scene.refused()

    assert scene.said.learnt == [("acc_a", "forbidden", None)]


UNREACHABLE = Refusal(status=0, code="upstream_unreachable", cause="tls: certificate has expired")


async def test_an_unreachable_backend_is_asked_of_no_other_account_and_said_of_the_replica() -> (
    None
):
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [UNREACHABLE] * 4)

    errors = [await scene.refused(), await scene.refused()]

    assert [error.code for error in errors] == ["upstream_unreachable"] * 2
    assert {each.all_headers["authorization"] for each in scene.upstream.asked[:2]} == {
        scene.upstream.asked[0].all_headers["authorization"]
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


@pytest.mark.parametrize("code", ["upstream_connection_lost", "upstream_socket_lost"])
async def test_what_may_have_been_worked_on_is_sent_again_once_and_not_to_the_same(
    code: str,
) -> None:
    lost = Refusal(status=0, code=code)
    leases = [a_lease("acc_a"), a_lease("acc_b"), a_lease("acc_c")]
    scene = Scene(leases, [lost, lost, "yes"], late=-1.0)

    error = await scene.refused()

    assert error.code == "upstream_connection_lost"
    assert scene.verdicts == [("acc_a", "next_account"), ("acc_b", "give_up")]
    assert scene.slept == []


async def test_a_late_loss_is_rescued_by_the_next_account() -> None:
    lost = Refusal(status=0, code="upstream_connection_lost")
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [lost, "yes"], late=-1.0)

    await scene.dispatch()

    assert scene.verdicts == [("acc_a", "next_account"), ("acc_b", "committed")]
