"""An account by a personal access token: never renewed, confirmed once, then in need of another."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.logins import a_login
from support.refreshing import NOW, Replica, replicas

from codex_proapi.commons.accounts.kinds import TOKEN_REFUSED
from codex_proapi.commons.accounts.model import PERSONAL_TOKEN, Account, AccountState
from codex_proapi.commons.runtime.errors import CredentialRevoked, CredentialUnavailable
from codex_proapi.simulator import Simulator

WHOAMI = "/api/accounts/v1/user-auth-credential/whoami"


@pytest.fixture
async def sim(clock: Clock) -> AsyncIterator[Simulator]:
    async with Simulator(clock=clock) as sim:
        yield sim


@pytest.fixture
async def five(redis_url: str, sim: Simulator, clock: Clock) -> AsyncIterator[list[Replica]]:
    async with replicas(redis_url, sim.auth_url, clock, count=5) as made:
        yield made


async def added(replica: Replica, sim: Simulator, *, expires_at: int = 0) -> Account:
    ada = sim.account("ada")
    login = a_login(
        exp=expires_at,
        kind=PERSONAL_TOKEN,
        workspace=ada.workspace,
        chatgpt_user_id=ada.user_id,
        access_token=ada.access_key,
        refresh_token="",
        refreshed_at=0,
    )
    return await replica.store.add(login)


def whoamis(sim: Simulator) -> int:
    return sum(request.path == WHOAMI for request in sim.requests)


async def test_it_is_used_without_any_call_however_old_and_past_the_end_its_owner_told(
    five: list[Replica], sim: Simulator, clock: Clock
) -> None:
    account = await added(five[0], sim, expires_at=NOW + 10)
    clock.pass_(400 * 86_400)
    held = await five[0].held(account)

    assert await five[0].fresh(account, held=held) == held
    assert (await five[1].fresh(account)).access_token == sim.account("ada").access_key
    assert sim.requests == []


async def test_a_refusal_is_asked_about_once_by_all_replicas_together(
    five: list[Replica], sim: Simulator
) -> None:
    account = await added(five[0], sim)
    held = await five[0].held(account)

    found = await asyncio.gather(*(r.fresh(account, rejected=held) for r in five for _ in range(4)))

    assert {f.generation for f in found} == {held.generation + 1}
    assert {f.access_token for f in found} == {held.access_token}
    assert whoamis(sim) == 1
    assert sum(r.outcomes.count("confirmed") for r in five) == 1
    assert await five[0].state(account) == (AccountState.ACTIVE, "")
    stored = await five[0].store.get(account.id)
    assert stored is not None
    assert stored.token_expires_at == 0


async def test_a_confirmed_token_has_the_plan_that_its_owner_has_now(
    five: list[Replica], sim: Simulator
) -> None:
    account = await added(five[0], sim)
    sim.account("ada").plan, sim.account("ada").fedramp = "enterprise", True

    await five[0].fresh(account, rejected=await five[0].held(account))

    stored = await five[0].store.get(account.id)
    assert stored is not None
    assert (stored.plan, stored.fedramp) == ("enterprise", True)
    assert (account.plan, account.fedramp) != (stored.plan, stored.fedramp)


async def test_a_token_that_whoami_refuses_needs_another_one(
    five: list[Replica], sim: Simulator
) -> None:
    account = await added(five[0], sim, expires_at=NOW + 86_400)
    held = await five[0].held(account)
    sim.account("ada").access_key_number += 1

    for replica in five:
        with pytest.raises(CredentialRevoked):
            await replica.fresh(account, rejected=held)

    assert whoamis(sim) == 1
    assert await five[0].state(account) == (AccountState.REVOKED, TOKEN_REFUSED)
    marked = await five[0].store.get(account.id)
    assert marked is not None
    assert not marked.works(NOW + 1)


async def test_a_confirmed_token_that_is_refused_again_soon_needs_another_one(
    five: list[Replica], sim: Simulator, clock: Clock
) -> None:
    account = await added(five[0], sim)
    again = await five[0].fresh(account, rejected=await five[0].held(account))

    with pytest.raises(CredentialRevoked):
        await five[1].fresh(account, rejected=again)

    assert whoamis(sim) == 1
    assert await five[0].state(account) == (AccountState.REVOKED, TOKEN_REFUSED)
    clock.pass_(3601)
    assert (await five[2].fresh(account, rejected=again)).generation == again.generation + 1
    assert await five[0].state(account) == (AccountState.ACTIVE, "")


async def test_while_whoami_fails_the_account_only_waits(
    five: list[Replica], sim: Simulator
) -> None:
    account = await added(five[0], sim)
    held = await five[0].held(account)
    sim.script("token_error", on="whoami", times=None)

    with pytest.raises(CredentialUnavailable) as caught:
        await five[0].fresh(account, rejected=held)

    assert not isinstance(caught.value, CredentialRevoked)
    assert await five[0].state(account) == (AccountState.ACTIVE, "")
    assert held.access_token not in str(caught.value)


async def test_a_page_in_place_of_an_answer_ends_no_token(
    five: list[Replica], sim: Simulator
) -> None:
    account = await added(five[0], sim)
    sim.script("html_403", on="whoami", times=None)

    with pytest.raises(CredentialUnavailable):
        await five[0].fresh(account, rejected=await five[0].held(account))

    assert await five[0].state(account) == (AccountState.ACTIVE, "")


async def test_the_same_token_brought_again_is_asked_about_again(
    five: list[Replica], sim: Simulator
) -> None:
    account = await added(five[0], sim)
    sim.script("token_unreadable", on="whoami")
    with pytest.raises(CredentialRevoked):
        await five[0].fresh(account, rejected=await five[0].held(account))

    await added(five[0], sim)

    assert await five[0].state(account) == (AccountState.ACTIVE, "")
    held = await five[0].held(account)
    assert (await five[0].refresher.renew(account.id)).generation == held.generation + 1


async def test_a_token_replaces_a_login_and_a_login_a_token(
    five: list[Replica], sim: Simulator
) -> None:
    ada = sim.account("ada")
    login = a_login(exp=NOW + 900, workspace=ada.workspace, chatgpt_user_id=ada.user_id)
    first = await five[0].store.add(login)

    second = await added(five[0], sim)
    third = await five[0].store.add(login)

    assert (first.id, first.kind) == (second.id, third.kind) == (third.id, "chatgpt")
    assert second.kind == PERSONAL_TOKEN
    assert (await five[0].held(third)).refresh_token == "rt_first"


async def test_it_is_sealed_and_sealed_again(
    five: list[Replica], sim: Simulator, redis_client: Redis
) -> None:
    account = await added(five[0], sim)
    token = sim.account("ada").access_key

    assert await five[0].store.reseal() == 1

    assert (await five[0].held(account)).access_token == token
    for name in await redis_client.keys("*"):
        if await redis_client.type(name) in (b"hash", "hash"):
            assert token not in str(await redis_client.hgetall(name))
    assert token not in repr(await five[0].held(account))
