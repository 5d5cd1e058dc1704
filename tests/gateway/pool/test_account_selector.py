import time
import types
from typing import Any

import msgspec
import pytest

from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.balancing.candidates import (
    Reason,
    Selection,
    Window,
)
from codex_proapi.commons.balancing.logged_input import MOST_LOGGED
from codex_proapi.commons.balancing.select_account import select
from codex_proapi.commons.runtime.errors import CredentialUnavailable
from codex_proapi.gateway.pool.account_selector import RENEWAL_PATIENCE
from codex_proapi.gateway.pool.eligible import Strategy
from codex_proapi.gateway.pool.lease import LeaseRequest


async def test_accounts_are_lent_in_turn_with_their_credential(scene: Any) -> None:
    ids = await scene.log_in(3)

    leases = [await scene.lend(LeaseRequest(model="gpt-5.5")) for _ in range(6)]

    turns = [lease.account.id for lease in leases]
    assert sorted(turns[:3]) == ids
    assert turns[:3] == turns[3:]
    assert all(lease.credential.account_id == lease.account.id for lease in leases)
    assert leases[0].basis is Reason.TURN
    assert not leases[0].is_affine


async def test_credits_and_the_reserve_are_told_to_the_choice(scene: Any) -> None:
    ids = await scene.log_in(3)
    scene.facts.used = {
        account: (Window(minutes=300, used=used),)
        for account, used in zip(ids, (100, 96, 90), strict=True)
    }
    scene.selector.strategy = Strategy(reserve=5)
    assert (await scene.lend(LeaseRequest(model="gpt-5.5"))).account.id == ids[2]

    scene.selector.strategy = Strategy(reserve=20)
    scene.facts.bought = {ids[0]}
    leases = [await scene.lend(LeaseRequest(model="gpt-5.5")) for _ in range(3)]

    assert {lease.account.id for lease in leases} == set(ids)


async def test_a_lease_holds_the_input_from_which_its_choice_can_be_made_again(scene: Any) -> None:
    await scene.log_in(3)
    scene.selector.strategy = Strategy(logged=1)

    lease = await scene.lend()

    again = select(lease.selection_input)
    assert isinstance(again, Selection)
    assert (again.account_id, again.why) == (lease.account.id, lease.why)


async def test_a_ballot_holds_nothing_of_what_upstream_wrote(scene: Any) -> None:
    first, _ = await scene.log_in(2)
    scene.selector.strategy = Strategy(logged=1)
    now = time.time()
    cooldown = Cooldown(until=now + 90, reason=CooldownReason.RATE, since=now, code="sk-secret")
    await scene.cooldowns.cool(first, cooldown)

    lease = await scene.lend()

    assert {s.id for s in lease.selection_input.candidates if s.cooldown} == {first}
    assert b"secret" not in msgspec.json.encode(lease.selection_input)


async def test_logins_that_are_being_renewed_are_waited_for_once_not_one_after_the_other(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await scene.log_in(4)
    now = [1000.0]
    # Only the selector's: an event loop whose own clock stands still ends no wait.
    clock = types.SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("codex_proapi.gateway.pool.account_selector.time", clock)

    async def slow(account_id: Any, **_: Any) -> Any:
        scene.refresher.asked.append(account_id)
        now[0] += RENEWAL_PATIENCE
        raise CredentialUnavailable("takes too long")

    scene.refresher.errors = dict.fromkeys(ids)
    scene.refresher.fresh = slow

    assert await scene.nobody() is not None
    assert len(scene.refresher.asked) == 1


async def test_changes_of_accounts_are_seen_with_the_next_request(scene: Any) -> None:
    ids = await scene.log_in(1)
    await scene.lend()

    more = await scene.log_in(2)
    leases = [await scene.lend(LeaseRequest(model="gpt-5.5")) for _ in range(4)]
    await scene.store.remove(ids[0])
    left = [await scene.lend(LeaseRequest(model="gpt-5.5")) for _ in range(3)]

    assert {lease.account.id for lease in leases} == set(more)
    assert {lease.account.id for lease in left} == set(more) - set(ids)


async def test_as_many_selections_are_logged_as_are_wanted(scene: Any) -> None:
    await scene.log_in(3)

    async def logged() -> int:
        leases = [await scene.lend(LeaseRequest(model="gpt-5.5")) for _ in range(8)]
        return sum(lease.selection_input is not None for lease in leases)

    assert await logged() == 0
    scene.selector.strategy = Strategy(logged=0.25)
    assert await logged() == 2


async def test_of_a_large_pool_a_few_candidates_are_logged_that_give_the_same_account(
    scene: Any,
) -> None:
    await scene.log_in(MOST_LOGGED + 5)
    scene.selector.strategy = Strategy(logged=1)

    for _ in range(MOST_LOGGED + 5):
        lease = await scene.selector.lease(LeaseRequest(model="gpt-5.5"))
        again = select(lease.selection_input)

        assert isinstance(again, Selection)
        assert again.account_id == lease.account.id
        assert len(lease.selection_input.candidates) == MOST_LOGGED
        assert lease.selection_input.others == 5
        assert len(lease.why) < 200
