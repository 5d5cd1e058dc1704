"""What the loop does after a refusal: the next account, the same one again, or a changed request."""

from typing import Any

import pytest
from support.dispatching import BAD_GATEWAY, EXPIRED, SPENT, Scene
from support.leases import NOW, a_lease, a_request

from codex_proapi.commons.balancing.candidates import NoCandidate, NoCandidateCause, Reason
from codex_proapi.commons.owner_terms.closing import Term
from codex_proapi.gateway.errors import (
    AllCooling,
    AllSpent,
    UpstreamRefused,
)
from codex_proapi.gateway.exchange.dispatch import RETRY_SECONDS
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.formats.codex.requests import Shape

SEALED = {"type": "reasoning", "summary": [], "encrypted_content": "sealed"}


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


async def test_a_client_that_is_too_old_asks_no_further_account_and_costs_no_entitlement() -> None:
    lost = Refusal(
        status=400,
        message="The 'gpt-9' model is not supported when using Codex with a ChatGPT account.",
    )
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [lost, "yes"], outdated=True)

    with pytest.raises(UpstreamRefused, match="CODEX_CLIENT_VERSION") as refused:
        await scene.dispatch()

    assert (refused.value.status, refused.value.code) == (400, "client_too_old")
    assert scene.verdicts == [("acc_a", "give_up")]
    assert scene.said.learnt == [("acc_a", "client_too_old", None)]


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


@pytest.mark.parametrize("last", ["yes", BAD_GATEWAY])
async def test_a_dispatch_takes_one_retry_at_most_and_gives_it_back(last: Any) -> None:
    leases = [a_lease(f"acc_{n}") for n in range(3)]
    scene = Scene(leases, [BAD_GATEWAY] * 4 + [last] * 2)
    taken: list[int] = []
    take = scene.budget.take
    scene.budget.take = lambda: taken.append(scene.budget.under_way) or take()  # type: ignore[method-assign,func-returns-value]

    if last == "yes":
        await scene.dispatch()
    else:
        await scene.refused()

    assert taken == [1]
    assert (scene.budget.under_way, scene.budget.retrying) == (0, 0)


async def test_a_shape_that_is_remembered_and_refused_is_changed_back() -> None:
    no = Refusal(status=404, param="model", message="Model not found")
    scene = Scene([a_lease("acc_a") for _ in range(3)], [no, "yes", no, "yes", "yes"])

    for _ in range(3):
        await scene.dispatch()

    sent = [
        "x-openai-internal-codex-responses-lite" in asked.headers for asked in scene.upstream.asked
    ]
    assert sent == [False, True, True, False, False]


async def test_an_account_that_closes_after_it_was_leased_is_not_asked() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], ["yes"])
    scene.selector.closed = {"acc_a"}

    committed = await scene.dispatch()

    assert committed.lease.account.id == "acc_b"
    assert scene.verdicts == [("acc_b", "committed")]


async def test_a_retry_on_the_same_account_is_a_begin_too() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], [EXPIRED, "yes"])
    renew = scene.selector.renew

    async def closing(lease: Any) -> Any:
        scene.selector.closed = {"acc_a"}
        return await renew(lease)

    scene.selector.renew = closing  # type: ignore[method-assign]
    await scene.dispatch()

    assert scene.verdicts == [("acc_a", "same_account_fresh"), ("acc_b", "committed")]


async def test_an_opening_that_is_near_is_waited_for() -> None:
    opens = NoCandidate(cause=NoCandidateCause.CLOSED, until=NOW + 3)
    scene = Scene([opens, a_lease("acc_a")], ["yes"])

    await scene.dispatch()

    assert scene.slept == [pytest.approx(3.05)]


async def test_one_that_is_far_is_an_error_that_tells_it() -> None:
    closed = NoCandidate(cause=NoCandidateCause.CLOSED, until=NOW + 3600, terms=(Term.HOURS,))
    error = await Scene([closed], []).refused()

    assert (error.status, error.code, error.retry_after) == (503, "accounts_closed", 3600)
