"""Conversations and accounts: which account a conversation goes back to, and when it leaves it."""

from typing import Any

import msgspec
import pytest
from support.selecting import REQUEST

from codex_proapi.commons.balancing.candidates import (
    Reason,
    Window,
)
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.gateway.pool.eligible import Strategy
from codex_proapi.gateway.pool.lease import LeaseRequest


async def test_a_conversation_goes_back_to_its_account_which_is_its_own(scene: Any) -> None:
    ids = await scene.log_in(3)
    await scene.ties.tie({"f1": ids[1]})

    lease = await scene.lend()

    assert (lease.account.id, lease.basis, lease.is_affine, lease.sole) == (
        ids[1],
        Reason.AFFINITY,
        True,
        False,
    )


async def test_a_lease_tells_whether_redis_has_the_conversations_tie(scene: Any) -> None:
    [first, _] = await scene.log_in(2)
    untied = await scene.lend()
    await scene.ties.tie_tentatively({"f1": first})
    promised = await scene.lend()
    await scene.ties.tie({"f1": first})
    tied = await scene.lend()

    away = await scene.lend(tried={first})

    assert [each.is_tie_stored for each in (untied, promised, tied, away)] == [
        *(False, False, True, False)
    ]
    assert tied.account.id == first != away.account.id


async def test_the_only_account_is_tied_though_nothing_else_could_be_asked(scene: Any) -> None:
    await scene.log_in(1)

    lease = await scene.lend()

    assert (lease.is_affine, lease.is_tie_stored) == (True, False)


async def test_a_conversation_goes_back_to_its_own_account_though_others_are_full(
    scene: Any,
) -> None:
    first, second = await scene.log_in(2)
    await scene.ties.tie({"f1": second})

    lease = await scene.selector.lease(REQUEST, full={first})

    assert (lease.account.id, lease.basis, lease.is_affine) == (second, Reason.AFFINITY, True)


async def test_a_promised_account_is_followed_but_not_yet_trusted_with_what_only_it_can_read(
    scene: Any,
) -> None:
    ids = await scene.log_in(3)
    await scene.ties.tie_tentatively({"f1": ids[1]})

    lease = await scene.lend()

    assert (lease.account.id, lease.basis, lease.is_affine) == (ids[1], Reason.AFFINITY, False)


async def test_a_conversation_that_begins_takes_its_turn_though_one_like_it_has_an_account(
    scene: Any,
) -> None:
    ids = await scene.log_in(3)
    await scene.ties.tie({"f1": ids[1]})

    new = msgspec.structs.replace(REQUEST, begins=True)
    leases = [await scene.lend(new) for _ in range(3)]

    assert sorted(lease.account.id for lease in leases) == sorted(ids)


@pytest.mark.parametrize("routing", [Routing.ROUND_ROBIN])
async def test_strictly_in_turn_a_conversation_has_no_account_of_its_own(
    scene: Any, routing: Any
) -> None:
    ids = await scene.log_in(2)
    await scene.ties.tie({"f1": ids[0]})
    scene.selector.strategy = Strategy(routing=routing)

    leases = [await scene.lend() for _ in range(4)]

    assert {lease.account.id for lease in leases} == set(ids)
    assert not any(lease.is_affine for lease in leases)


async def test_new_conversations_may_go_where_most_quota_is_left(scene: Any) -> None:
    ids = await scene.log_in(3)
    scene.facts.used = {
        account: (Window(minutes=300, used=used),)
        for account, used in zip(ids, (80, 10, 50), strict=True)
    }
    scene.selector.strategy = Strategy(routing=Routing.LEAST_USED)

    leases = [
        await scene.lend(LeaseRequest(model="gpt-5.5", fingerprint=f"f{n}")) for n in range(3)
    ]

    assert {lease.account.id for lease in leases} == {ids[1]}


async def test_a_conversation_leaves_an_account_that_is_spent_and_takes_a_turn(scene: Any) -> None:
    ids = await scene.log_in(3)
    await scene.ties.tie({"f1": ids[1]})
    scene.facts.used = {ids[1]: (Window(minutes=300, used=100),)}

    turns = {(await scene.lend()).account.id for _ in range(4)}

    assert turns == {ids[0], ids[2]}


async def test_the_only_account_owns_every_conversation(scene: Any) -> None:
    await scene.log_in(1)

    lease = await scene.lend()

    assert (lease.is_affine, lease.sole) == (True, True)


async def test_a_conversation_that_stays_costs_the_same_in_a_large_pool(scene: Any) -> None:
    ids = await scene.log_in(40)
    await scene.ties.tie({"f1": ids[7]})
    request = LeaseRequest(model="gpt-5.5", fingerprint="f1")
    await scene.selector.lease(request)
    scene.facts.steady = True
    scene.selector.strategy = Strategy(logged=1)
    await scene.selector.lease(request)
    before = scene.facts.asked

    lease = await scene.selector.lease(request)

    assert (lease.account.id, lease.basis) == (ids[7], Reason.AFFINITY)
    assert scene.facts.asked == before
    assert len(lease.selection_input.candidates) == 1
    assert lease.selection_input.others == 39


async def test_the_account_a_conversation_got_is_known_to_its_next_request_at_once(
    scene: Any,
) -> None:
    await scene.log_in(3)
    first = await scene.selector.lease(LeaseRequest(model="gpt-5.5", fingerprint="f1", begins=True))
    scene.selector.note_tie("f1", first.account.id, tentative=True)

    second = await scene.selector.lease(LeaseRequest(model="gpt-5.5", fingerprint="f1"))
    scene.selector.note_tie("f1", first.account.id, tentative=False)
    third = await scene.selector.lease(LeaseRequest(model="gpt-5.5", fingerprint="f1"))

    assert [lease.account.id for lease in (second, third)] == [first.account.id] * 2
    assert (second.is_affine, third.is_affine) == (False, True)


async def test_a_recent_tie_to_an_account_that_cools_is_not_followed(scene: Any) -> None:
    ids = await scene.log_in(2)
    scene.selector.note_tie("f1", ids[0], tentative=False)
    await scene.cool(ids[0])

    lease = await scene.selector.lease(LeaseRequest(model="gpt-5.5", fingerprint="f1"))

    assert (lease.account.id, lease.is_affine) == (ids[1], False)
