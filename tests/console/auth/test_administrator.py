"""The one administrator: whether there is a password, and how the first one is set."""

import asyncio

import pytest
from argon2 import PasswordHasher
from redis.asyncio import Redis
from support.clock import Clock

from codex_proapi.commons.redis import keyspace
from codex_proapi.console.auth.administrator import Administrator
from codex_proapi.console.auth.passwords import Passwords
from codex_proapi.console.errors import BadRequest, BadSignIn, Conflict

GOOD = "correct mule battery clip"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def a_replica(redis: Redis, clock: Clock) -> Administrator:
    quick = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    return Administrator(redis, quick, clock=clock)


async def test_at_first_there_is_no_password(redis_client: Redis, clock: Clock) -> None:
    administrator = a_replica(redis_client, clock)

    assert not await administrator.has_password()
    assert not await administrator.verify(GOOD)


async def test_of_first_passwords_at_once_one_wins(redis_client: Redis, clock: Clock) -> None:
    replicas = [a_replica(redis_client, clock) for _ in range(5)]
    won = await asyncio.gather(
        *(each.set_first(f"{GOOD} {number}") for number, each in enumerate(replicas))
    )

    assert sum(won) == 1
    assert await replicas[0].verify(f"{GOOD} {won.index(True)}")


async def test_the_other_replicas_know_within_a_second(redis_client: Redis, clock: Clock) -> None:
    one, other = a_replica(redis_client, clock), a_replica(redis_client, clock)
    assert not await other.has_password()
    await one.set_first(GOOD)
    clock.pass_(1.0)
    assert await other.has_password()

    await redis_client.hdel(keyspace.admin(), "password")
    clock.pass_(1.0)
    assert not await other.has_password()


async def test_a_setup_token_works_once_and_takes_all_others_with_it(
    redis_client: Redis, clock: Clock
) -> None:
    one, other = a_replica(redis_client, clock), a_replica(redis_client, clock)
    first, second = await one.issue_setup_token(), await other.issue_setup_token()
    await other.set_up(first, GOOD)

    assert await redis_client.hkeys(keyspace.admin()) == ["password"]
    for token in (first, second):
        with pytest.raises(Conflict):
            await one.set_up(token, GOOD)
    await redis_client.hdel(keyspace.admin(), "password")
    with pytest.raises(BadSignIn):
        await one.set_up(second, GOOD)


async def test_a_weak_password_does_not_spend_the_token(redis_client: Redis, clock: Clock) -> None:
    administrator = a_replica(redis_client, clock)
    token = await administrator.issue_setup_token()
    with pytest.raises(BadRequest):
        await administrator.set_up(token, "weak")

    await administrator.set_up(token, GOOD)
    assert await administrator.verify(GOOD)


async def test_old_setup_tokens_end_and_are_swept(redis_client: Redis, clock: Clock) -> None:
    administrator = a_replica(redis_client, clock)
    old = await administrator.issue_setup_token()
    clock.pass_(24 * 3600)
    with pytest.raises(BadSignIn):
        await administrator.set_up(old, GOOD)
    await administrator.issue_setup_token()

    assert len(await redis_client.hkeys(keyspace.admin())) == 1


async def test_redis_does_not_know_the_token(redis_client: Redis, clock: Clock) -> None:
    token = await a_replica(redis_client, clock).issue_setup_token()

    assert token not in str(await redis_client.hgetall(keyspace.admin()))


async def test_another_password_replaces_the_first(redis_client: Redis, clock: Clock) -> None:
    administrator = a_replica(redis_client, clock)
    await administrator.set_first(GOOD)
    await administrator.change("an entirely different one")

    assert not await administrator.verify(GOOD)
    assert await administrator.verify("an entirely different one")
    with pytest.raises(BadRequest):
        await administrator.change("weak")


async def test_a_hash_of_other_parameters_is_made_anew_at_sign_in(
    redis_client: Redis, clock: Clock
) -> None:
    await a_replica(redis_client, clock).set_first(GOOD)
    before = await redis_client.hget(keyspace.admin(), "password")
    stronger = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    updated = Administrator(redis_client, stronger, clock=clock)

    assert not await updated.verify("not the password")
    assert await redis_client.hget(keyspace.admin(), "password") == before
    assert await updated.verify(GOOD)
    after = str(await redis_client.hget(keyspace.admin(), "password"))
    assert after.startswith("$argon2id$v=19$m=16,t=2,p=1$")
    assert await updated.verify(GOOD)
    assert await redis_client.hget(keyspace.admin(), "password") == after, "and only once"


async def test_a_password_changed_during_a_sign_in_is_not_undone(
    redis_client: Redis, clock: Clock
) -> None:
    await a_replica(redis_client, clock).set_first(GOOD)

    class ChangedMeanwhile(Passwords):
        async def hash(self, password: str) -> str:
            await redis_client.hset(keyspace.admin(), "password", "the new one's")
            return await super().hash(password)

    stronger = ChangedMeanwhile(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    await Administrator(redis_client, stronger, clock=clock).verify(GOOD)

    assert await redis_client.hget(keyspace.admin(), "password") == "the new one's"
