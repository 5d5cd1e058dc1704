"""Who is passed over, probed or renewed, and what is told when nobody is left."""

import time
from typing import Any

import msgspec
import pytest
from support.selecting import REQUEST

from codex_proapi.commons.accounts.model import AccountState, CooldownReason
from codex_proapi.commons.balancing.candidates import (
    NoCandidate,
    NoCandidateCause,
    Reason,
)
from codex_proapi.commons.runtime.errors import (
    CredentialRevoked,
    CredentialUnavailable,
    CredentialUnreachable,
)
from codex_proapi.gateway.pool.lease import LeaseRequest


async def test_accounts_that_cannot_serve_are_passed_over(scene: Any) -> None:
    ids = await scene.log_in(6)
    await scene.store.pause(ids[0])
    await scene.store.mark(ids[1], AccountState.DEACTIVATED, "banned")
    ended = int(time.time()) - 5
    await scene.store.mark(ids[2], AccountState.REVOKED, "gone", token_expires_at=ended)
    await scene.cool(ids[3])
    scene.facts.unlisted.add((ids[4], "gpt-5.5"))

    leases = [await scene.lend(LeaseRequest(model="gpt-5.5")) for _ in range(4)]

    assert {lease.account.id for lease in leases} == {ids[5]}


async def test_a_revoked_login_is_used_until_its_token_ends(scene: Any) -> None:
    [account_id] = await scene.log_in(1)
    await scene.store.mark(account_id, AccountState.REVOKED, "gone")

    assert (await scene.lend()).account.id == account_id


async def test_a_key_kept_to_some_accounts_gets_those(scene: Any) -> None:
    ids = await scene.log_in(3)

    lease = await scene.lend(LeaseRequest(model="gpt-5.5", allowed_accounts=(ids[2],)))

    assert lease.account.id == ids[2]


async def test_one_that_was_tried_is_not_tried_again(scene: Any) -> None:
    ids = await scene.log_in(2)

    lease = await scene.lend(tried={ids[0]})

    assert lease.account.id == ids[1]
    assert await scene.nobody(tried=set(ids)) is NoCandidateCause.EMPTY


async def test_why_nobody_is_left_is_told_by_everybodys_cooldowns(scene: Any) -> None:
    ids = await scene.log_in(2)
    await scene.cool(ids[0], seconds=9000)
    await scene.cool(ids[1], seconds=7000)

    assert await scene.nobody(tried={ids[0], ids[1]}) is NoCandidateCause.SPENT
    assert await scene.nobody() is NoCandidateCause.SPENT


async def test_without_accounts_there_is_nobody_and_with_others_only_the_model_is_missing(
    scene: Any,
) -> None:
    assert await scene.nobody() is NoCandidateCause.EMPTY
    [account_id] = await scene.log_in(1)
    scene.facts.unlisted.add((account_id, "gpt-5.5"))
    assert await scene.nobody() is NoCandidateCause.UNENTITLED


async def test_a_model_cools_alone(scene: Any) -> None:
    [account_id] = await scene.log_in(1)
    await scene.cool(account_id, CooldownReason.ENTITLEMENT, model="gpt-5.5")

    assert await scene.nobody() is NoCandidateCause.UNENTITLED
    assert (await scene.lend(LeaseRequest(model="gpt-6-sol"))).account.id == account_id


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CredentialRevoked("dead"), "credential_revoked"),
        (CredentialUnavailable("later"), "credential_unavailable"),
    ],
)
async def test_an_account_without_a_usable_credential_is_left_for_another(
    scene: Any, error: Any, code: str | None
) -> None:
    ids = await scene.log_in(2)
    scene.refresher.errors[ids[0]] = error

    leases = [await scene.lend(LeaseRequest(model="gpt-5.5")) for _ in range(4)]

    assert {lease.account.id for lease in leases} == {ids[1]}
    assert set(scene.outcomes.unavailable_accounts) == {(ids[0], code)}


async def half_open(scene: Any, ids: Any) -> None:
    """Every breaker was open a moment ago."""
    for account_id in ids:
        await scene.cool(account_id, CooldownReason.TRANSIENT, seconds=60)
    await scene.lend()
    for account_id in ids:
        await scene.cooldowns.clear(account_id)


async def test_one_request_at_a_time_probes_a_half_open_account_and_others_go_elsewhere(
    scene: Any,
) -> None:
    ids = await scene.log_in(2)
    await half_open(scene, ids[:1])

    leases = [await scene.lend(LeaseRequest(model="gpt-5.5")) for _ in range(6)]

    probes = [lease for lease in leases if lease.account.id == ids[0]]
    assert [lease.probe for lease in probes] == [True]
    assert not leases[-1].probe


async def test_a_conversation_goes_back_to_its_account_though_another_request_probes_it(
    scene: Any,
) -> None:
    ids = await scene.log_in(2)
    await scene.ties.tie({"f1": ids[0]})
    await half_open(scene, ids[:1])

    leases = [await scene.lend(REQUEST) for _ in range(3)]

    assert [(lease.account.id, lease.probe) for lease in leases] == [(ids[0], True)] * 3


async def test_when_only_accounts_under_probe_are_left_they_are_lent_all_the_same(
    scene: Any,
) -> None:
    ids = await scene.log_in(1)
    await half_open(scene, ids)

    leases = [await scene.lend() for _ in range(3)]

    assert {lease.account.id for lease in leases} == set(ids)


async def test_a_refused_credential_is_renewed_on_the_same_account(scene: Any) -> None:
    await scene.log_in(1)
    lease = await scene.lend()

    renewed = await scene.selector.renew(lease)

    assert renewed is not None
    assert (renewed.account, renewed.basis) == (lease.account, Reason.RENEWED)
    assert (renewed.is_affine, renewed.sole) == (lease.is_affine, lease.sole)
    assert scene.refresher.asked == [(lease.account.id, True)]


async def test_an_authorization_server_out_of_this_replicas_reach_costs_no_account_a_cooldown(
    scene: Any,
) -> None:
    ids = await scene.log_in(2)
    scene.refresher.errors[ids[0]] = CredentialUnreachable("no way")
    assert {(await scene.lend()).account.id for _ in range(3)} == {ids[1]}

    scene.refresher.errors[ids[1]] = CredentialUnreachable("no way")
    nobody = await scene.selector.lease(REQUEST)

    assert nobody.cause is NoCandidateCause.RENEWING
    assert nobody.until > time.time()
    assert scene.outcomes.unavailable_accounts == []


async def test_a_credential_that_cannot_be_renewed_ends_the_account_for_now(scene: Any) -> None:
    await scene.log_in(1)
    lease = await scene.lend()
    scene.refresher.errors[lease.account.id] = CredentialRevoked("dead")

    assert await scene.selector.renew(lease) is None
    assert scene.outcomes.unavailable_accounts == [(lease.account.id, "credential_revoked")]


async def test_the_outlook_tells_whether_somebody_untried_is_free(scene: Any) -> None:
    ids = await scene.log_in(2)
    await scene.lend()
    await scene.cool(ids[0], seconds=7000)

    assert await scene.selector.why_none_left(REQUEST, {ids[0]}) is None
    await scene.cool(ids[1], seconds=9000)
    why_none_left = await scene.selector.why_none_left(REQUEST, set(ids))

    assert why_none_left is not None
    assert why_none_left.cause is NoCandidateCause.SPENT


async def test_it_knows_a_plan_to_name(scene: Any) -> None:
    await scene.log_in(1)
    await scene.lend()

    assert scene.selector.plan(REQUEST) == "plus"
    assert scene.selector.plan(LeaseRequest(model="x", allowed_accounts=("acc_none",))) == ""


async def test_accounts_that_another_request_has_read_anew_meanwhile_are_selected_from(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the snapshot was under way, so that it shows the version that is known by then."""
    ids = await scene.log_in(2)
    await scene.lend()
    scene.facts.steady = True
    read = scene.snapshots.read

    async def read_meanwhile(request: Any) -> Any:
        await scene.store.pause(ids[0])
        await scene.view.refresh_if(await scene.store.version())
        return await read(request)

    for _ in ids:
        await scene.store.resume(ids[0])
        await scene.view.refresh_if(await scene.store.version())
        with monkeypatch.context() as patched:
            patched.setattr(scene.snapshots, "read", read_meanwhile)
            lease = await scene.lend(LeaseRequest(model="gpt-5.5"))
        assert lease.account.id == ids[1]


async def test_accounts_that_are_paused_or_not_for_this_key_are_no_reason_to_blame_the_model(
    scene: Any,
) -> None:
    ids = await scene.log_in(2)
    mine = msgspec.structs.replace(REQUEST, allowed_accounts=(ids[0],))
    await scene.store.pause(ids[0])

    assert await scene.selector.lease(mine) == NoCandidate(cause=NoCandidateCause.EMPTY)
    await scene.store.pause(ids[1])
    assert await scene.selector.lease(REQUEST) == NoCandidate(cause=NoCandidateCause.EMPTY)
