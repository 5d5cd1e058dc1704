"""Logins under way: kept sealed, taken once, and over in time."""

import asyncio

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.consoles import KEY

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.codex.token_endpoint import DeviceCode
from codex_proapi.commons.redis import keyspace
from codex_proapi.console.accounts.pending_logins import (
    LoginState,
    Outcome,
    PendingLogin,
    PendingLogins,
    Way,
    login_id_of,
)

NOW = 1_795_000_000
DEVICE = DeviceCode(device_auth_id="dev-secret", user_code="ABCD-12345")
PENDING = PendingLogin(
    id=login_id_of("the-state"),
    way=Way.DEVICE,
    owner="session:1",
    expires_at=NOW + 600,
    verifier="the-verifier",
    device=DEVICE,
)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def logins(redis_client: Redis, clock: Clock) -> PendingLogins:
    return PendingLogins(redis_client, CredentialCipher([KEY]), clock=clock)


async def test_a_login_is_taken_by_one_of_many(logins: PendingLogins) -> None:
    await logins.keep(PENDING)
    assert await logins.get(PENDING.id) == PENDING
    taken = await asyncio.gather(*(logins.take(PENDING.id) for _ in range(10)))

    assert [each for each in taken if each] == [PENDING]
    assert await logins.get(PENDING.id) is None


async def test_a_login_is_over_in_time_also_in_redis(
    logins: PendingLogins, clock: Clock, redis_client: Redis
) -> None:
    await logins.keep(PENDING)
    assert 0 < await redis_client.ttl(keyspace.login(PENDING.id)) <= 600
    clock.pass_(600)

    assert await logins.take(PENDING.id) is None


async def test_redis_sees_neither_state_nor_verifier_nor_code(
    logins: PendingLogins, redis_client: Redis
) -> None:
    await logins.keep(PENDING)
    kept = [(name, await redis_client.get(name)) async for name in redis_client.scan_iter()]

    for secret in ("the-state", "the-verifier", "dev-secret", "ABCD-12345"):
        assert secret not in str(kept)
        assert secret not in repr(PENDING)


async def test_what_no_key_of_ours_opens_is_no_login(
    logins: PendingLogins, redis_client: Redis
) -> None:
    await redis_client.set(keyspace.login(PENDING.id), "gAAAAAnonsense")

    assert await logins.take(PENDING.id) is None


async def test_how_a_login_stands_outlives_it(logins: PendingLogins, redis_client: Redis) -> None:
    await logins.keep(PENDING)
    waiting = await logins.outcome(PENDING.id)
    done = Outcome(
        id=PENDING.id,
        way=Way.DEVICE,
        owner="session:1",
        expires_at=NOW + 600,
        login_state=LoginState.DONE,
        account="acc_1",
    )
    await logins.settle(done)

    assert waiting is not None
    assert waiting.login_state is LoginState.WAITING
    assert await logins.outcome(PENDING.id) == done
    assert 600 < await redis_client.ttl(keyspace.login_outcome(PENDING.id)) <= 1200
    assert await logins.outcome("login_unknown") is None


async def test_only_one_asks_in_an_interval(logins: PendingLogins, redis_client: Redis) -> None:
    may = await asyncio.gather(*(logins.may_poll("login_1", seconds=60) for _ in range(5)))
    assert sum(may) == 1
    await logins.polled("login_1", pause=5)

    assert not await logins.may_poll("login_1", seconds=60)
    assert 0 < await redis_client.ttl(keyspace.login_poll("login_1")) <= 5
