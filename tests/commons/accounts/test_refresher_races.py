"""Many requests and replicas at once: one call for all, and the winner's credential for everybody."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.logins import a_login
from support.refreshing import LATER, NOW, QUICK, Replica, replicas
from support.token_server import REUSED, TokenServer, says

from codex_proapi.commons.accounts.model import (
    AccountState,
)
from codex_proapi.commons.accounts.refresh_pace import Pace
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.errors import CredentialRevoked, CredentialUnavailable


async def test_fifty_requests_of_one_process_make_one_call(
    replica: Replica, server: TokenServer
) -> None:
    account = await replica.store.add(a_login(exp=NOW - 1))

    got = await asyncio.gather(*(replica.fresh(account) for _ in range(50)))

    assert {each.generation for each in got} == {2}
    assert len(server.calls) == 1


async def test_a_waiter_that_leaves_does_not_take_the_call_with_it(
    replica: Replica, server: TokenServer
) -> None:
    account = await replica.store.add(a_login(exp=NOW - 1))
    server.gate.clear()
    waiter = asyncio.ensure_future(replica.fresh(account))
    await server.arrived.wait()

    waiter.cancel()
    server.gate.set()

    assert (await replica.fresh(account)).generation == 2
    assert len(server.calls) == 1


async def test_a_slow_call_holds_no_request_whose_token_still_works(
    replica: Replica, server: TokenServer
) -> None:
    account = await replica.store.add(a_login(exp=NOW + 100))
    held = await replica.held(account)
    server.gate.clear()

    assert await replica.fresh(account, held=held) is held
    # Whoever comes later waits for what is left of the time since the call began: here for nothing.
    replica.refresher._pace = msgspec.structs.replace(QUICK, grace=3600.0)
    [flight] = replica.refresher._flights.values()
    msgspec.structs.force_setattr(flight, "began", flight.began - 3600)
    async with asyncio.timeout(60):
        assert await replica.fresh(account, held=held) is held

    server.gate.set()
    await replica.refresher.close()
    assert (await replica.held(account)).generation == 2


async def test_a_call_slower_than_the_lock_and_than_every_waiter_is_saved_all_the_same(
    redis_url: str, server: TokenServer, clock: Clock
) -> None:
    pace = Pace(patience=0.3, grace=0.1, poll=0.02, pause=1, reuse=0.3, lock=2)
    async with replicas(redis_url, server.url, clock, 2, pace) as (one, other):
        account = await one.store.add(a_login(exp=NOW - 1))
        server.gate.clear()

        results = await asyncio.gather(
            *(each.fresh(account) for each in (one, other, one, other)), return_exceptions=True
        )
        assert {type(each) for each in results} == {CredentialUnavailable}
        await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=3.2)
        server.gate.set()
        await one.refresher.close()
        await other.refresher.close()

        assert len(server.calls) == 1
        assert (await one.held(account)).generation == 2
        assert await other.fresh(account) == await one.held(account)
        assert await one.state(account) == (AccountState.ACTIVE, "")


async def test_whoever_gets_the_lock_looks_again_before_calling(
    redis_url: str, server: TokenServer, clock: Clock
) -> None:
    async with replicas(redis_url, server.url, clock, 2) as (one, other):
        account = await one.store.add(a_login(exp=NOW - 1))
        acquire = one.refresher._locks.acquire

        @contextlib.asynccontextmanager
        async def late(name: str) -> AsyncIterator[bool]:
            await other.fresh(account)  # between our look and our lock
            async with acquire(name) as ours:
                yield ours

        one.refresher._locks.acquire = late  # type: ignore[method-assign]

        assert (await one.fresh(account)).generation == 2
        assert len(server.calls) == 1


async def test_the_lock_is_free_after_the_call(
    replica: Replica, server: TokenServer, redis_client: Redis
) -> None:
    account = await replica.store.add(a_login(exp=NOW - 1))
    await replica.fresh(account)

    assert await redis_client.exists(keyspace.refresh_lock(account.id)) == 0


async def test_when_redis_forgets_the_lock_the_holder_takes_it_again(
    redis_url: str, redis_client: Redis, server: TokenServer, clock: Clock
) -> None:
    async with replicas(redis_url, server.url, clock) as (one,):
        account = await one.store.add(a_login(exp=NOW - 1))
        lock = keyspace.refresh_lock(account.id)
        server.gate.clear()
        waiter = asyncio.ensure_future(one.fresh(account))
        await server.arrived.wait()
        await redis_client.delete(lock)

        while not await redis_client.exists(lock):
            await asyncio.sleep(0.02)
        server.gate.set()

        assert (await waiter).generation == 2


async def test_the_loser_of_a_race_takes_the_winners_credential(
    redis_url: str, redis_client: Redis, server: TokenServer, clock: Clock
) -> None:
    async with replicas(redis_url, server.url, clock, 2) as (one, other):
        account = await one.store.add(a_login(exp=NOW - 1))
        server.gate.clear()
        first = asyncio.ensure_future(one.fresh(account))
        await server.arrived.wait()
        await redis_client.delete(keyspace.refresh_lock(account.id))  # as if Redis restarted
        server.script = [says(REUSED, status=401)]

        second = asyncio.ensure_future(other.fresh(account))
        while len(server.calls) < 2:
            await asyncio.sleep(0.01)
        server.gate.set()

        assert (await first).generation == 2
        assert await second == await first
        assert await one.state(account) == (AccountState.ACTIVE, "")


async def test_an_answer_that_comes_after_a_rivals_verdict_revives_the_account(
    redis_url: str, redis_client: Redis, server: TokenServer, clock: Clock
) -> None:
    async with replicas(redis_url, server.url, clock, 2) as (one, other):
        account = await one.store.add(a_login(exp=NOW - 1))
        server.gate.clear()
        first = asyncio.ensure_future(one.fresh(account))
        await server.arrived.wait()
        await redis_client.delete(keyspace.refresh_lock(account.id))
        server.script = [says(REUSED, status=401)]

        with pytest.raises(CredentialRevoked):
            await other.fresh(account)
        assert await one.state(account) == (AccountState.REVOKED, "refresh_token_reused")
        server.gate.set()

        assert (await first).generation == 2
        assert await one.state(account) == (AccountState.ACTIVE, "")
        assert (await other.fresh(account)).generation == 2


async def test_a_login_made_during_the_call_is_kept(replica: Replica, server: TokenServer) -> None:
    account = await replica.store.add(a_login(exp=NOW - 1))
    server.gate.clear()
    waiter = asyncio.ensure_future(replica.fresh(account))
    await server.arrived.wait()

    await replica.store.add(a_login(exp=LATER + 5, refresh_token="rt_again"))
    server.gate.set()

    assert (await waiter).refresh_token == "rt_again"
    assert (await replica.held(account)).refresh_token == "rt_again"
    assert replica.outcomes == ["superseded"]


async def test_closing_does_not_wait_for_the_calls_of_others(
    replica: Replica, server: TokenServer, redis_client: Redis
) -> None:
    account = await replica.store.add(a_login(exp=NOW - 1))
    await redis_client.set(keyspace.refresh_lock(account.id), "somebody else")
    waiter = asyncio.ensure_future(replica.fresh(account))
    await asyncio.sleep(0.05)

    await replica.refresher.close()

    with pytest.raises(CredentialUnavailable):
        await waiter
    assert repr(replica.refresher) == "<CredentialRefresher 0 under way>"
