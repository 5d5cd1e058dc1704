"""Invitations and sessions of owners: one entry each, replaced in one step, digests only."""

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.redis_dump import dump

from codex_proapi.commons.redis import operator_keys
from codex_proapi.console.owners.owner_access import (
    ABSOLUTE_SECONDS,
    IDLE_SECONDS,
    INVITE_SECONDS,
    OwnerAccesses,
    owner_id_in,
)
from codex_proapi.console.owners.owner_store import Owner, OwnerStore, new_owner

ADA = Owner(id="own_ada", name="Ada", created_at=5)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def owners(redis_client: Redis) -> OwnerStore:
    store = OwnerStore(redis_client)
    await store.put(ADA)
    return store


@pytest.fixture
def accesses(redis_client: Redis, owners: OwnerStore, clock: Clock) -> OwnerAccesses:
    return OwnerAccesses(redis_client, clock=clock)


async def invited(accesses: OwnerAccesses) -> str:
    made = await accesses.invite(ADA.id)
    assert made is not None
    return made[0]


async def entered(accesses: OwnerAccesses) -> str:
    sid = await accesses.enter(await invited(accesses), agent="Firefox")
    assert sid
    return sid


async def test_an_invitation_makes_a_session_once(accesses: OwnerAccesses, clock: Clock) -> None:
    token = await invited(accesses)
    sid = await accesses.enter(token, agent="Firefox")

    assert await accesses.find(sid) == ADA
    assert await accesses.enter(token, agent="Firefox") == ""
    assert sid != token
    access = (await accesses.all([ADA.id]))[ADA.id]
    assert (access.agent, access.signed_in(clock()), access.invited(clock())) == (
        "Firefox",
        True,
        False,
    )


async def test_of_twenty_who_open_it_at_once_on_two_consoles_one_gets_in(
    redis_client: Redis, accesses: OwnerAccesses, clock: Clock
) -> None:
    other = OwnerAccesses(redis_client, clock=clock)
    token = await invited(accesses)
    tried = await asyncio.gather(
        *(each.enter(token, agent="") for _ in range(10) for each in (accesses, other))
    )
    (sid,) = [each for each in tried if each]

    assert await other.find(sid) == ADA


async def test_a_new_invitation_replaces_the_old_one_and_ends_the_session(
    accesses: OwnerAccesses,
) -> None:
    sid = await entered(accesses)
    first = await invited(accesses)
    assert await accesses.find(sid) is None
    second = await invited(accesses)

    assert await accesses.enter(first, agent="") == ""
    assert await accesses.enter(second, agent="")


async def test_an_invitation_ends_after_three_days(accesses: OwnerAccesses, clock: Clock) -> None:
    token = await invited(accesses)
    clock.pass_(INVITE_SECONDS)

    assert await accesses.enter(token, agent="") == ""


async def test_nobody_gets_in_as_an_owner_who_was_removed(
    accesses: OwnerAccesses, owners: OwnerStore, redis_client: Redis
) -> None:
    sid = await entered(accesses)
    assert await owners.remove(ADA.id)
    assert await accesses.find(sid) is None
    assert await accesses.invite(ADA.id) is None
    assert await redis_client.exists(operator_keys.owner_access(ADA.id)) == 0

    await owners.put(ADA)
    token = await invited(accesses)
    await redis_client.hdel(operator_keys.owners(), ADA.id)  # by another program
    assert await accesses.enter(token, agent="") == ""


async def test_use_keeps_a_session_and_idleness_ends_it(
    accesses: OwnerAccesses, clock: Clock, redis_client: Redis
) -> None:
    sid = await entered(accesses)
    clock.pass_(IDLE_SECONDS - 1)
    assert await accesses.find(sid, touch=False) == ADA
    assert await accesses.find(sid) == ADA
    clock.pass_(IDLE_SECONDS - 1)
    assert await accesses.find(sid, touch=False) == ADA
    clock.pass_(1)

    assert await accesses.find(sid) is None
    assert 0 < await redis_client.ttl(operator_keys.owner_access(ADA.id)) <= IDLE_SECONDS


async def test_a_session_ends_after_a_year_however_busy(
    accesses: OwnerAccesses, clock: Clock
) -> None:
    sid = await entered(accesses)
    for _ in range(ABSOLUTE_SECONDS // 864_000):
        clock.pass_(864_000)
        assert await accesses.find(sid) == ADA
    clock.pass_(ABSOLUTE_SECONDS % 864_000)

    assert await accesses.find(sid) is None


async def test_a_session_that_was_ended_is_not_revived_by_its_last_use(
    accesses: OwnerAccesses, clock: Clock, redis_client: Redis
) -> None:
    sid = await entered(accesses)
    clock.pass_(3600)
    assert await accesses.end(ADA.id)
    assert not await accesses.end(ADA.id)

    assert await accesses.find(sid) is None
    assert await redis_client.exists(operator_keys.owner_access(ADA.id)) == 0


@pytest.mark.parametrize(
    "token", ["", ".", "own_ada", "own_ada.", "own_ada.short", "own_a:b." + "x" * 43, "x" * 400]
)
async def test_what_is_no_token_of_ours_is_not_looked_up(
    accesses: OwnerAccesses, token: str
) -> None:
    assert owner_id_in(token) == ""
    assert await accesses.enter(token, agent="") == ""
    assert await accesses.find(token) is None


async def test_the_token_of_one_owner_is_none_of_another(
    accesses: OwnerAccesses, owners: OwnerStore
) -> None:
    ben = new_owner("Ben", now=6)
    await owners.put(ben)
    await accesses.invite(ben.id)
    _, _, secret = (await invited(accesses)).partition(".")
    sid = await entered(accesses)

    assert await accesses.enter(f"{ben.id}.{secret}", agent="") == ""
    assert await accesses.find(f"{ben.id}.{sid.partition('.')[2]}") is None


async def test_redis_has_no_token_and_no_cookie(
    accesses: OwnerAccesses, redis_client: Redis
) -> None:
    token = await invited(accesses)
    before = str(await dump(redis_client))
    sid = await accesses.enter(token, agent="")
    after = str(await dump(redis_client))

    for secret in (token, sid):
        assert secret.partition(".")[2] not in before + after


async def test_fields_of_a_newer_version_harm_nobody(
    accesses: OwnerAccesses, redis_client: Redis
) -> None:
    sid = await entered(accesses)
    await redis_client.hset(operator_keys.owner_access(ADA.id), "mark", "1")
    await redis_client.hset(
        operator_keys.owners(),
        mapping={ADA.id: '{"id":"own_ada","name":"Ada","colour":"red"}', "own_new": '{"name":5}'},
    )

    found = await accesses.find(sid)
    assert found is not None
    assert found.name == "Ada"
    assert [owner.id for owner in await OwnerStore(redis_client).all()] == [ADA.id]


async def test_a_removed_owner_is_not_brought_back_by_a_new_name(owners: OwnerStore) -> None:
    assert await owners.rename(msgspec.structs.replace(ADA, name="Ada L."))
    assert [each.name for each in await owners.all()] == ["Ada L."]

    await owners.remove(ADA.id)

    assert not await owners.rename(msgspec.structs.replace(ADA, name="Ada K."))
    assert await owners.all() == []
