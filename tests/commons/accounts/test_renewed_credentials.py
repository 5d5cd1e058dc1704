"""A renewed credential is saved as soon as Redis can take it, and again if Redis loses it."""

import asyncio
import signal
import time
from typing import Any

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.logins import a_login
from support.redis_server import RedisServer
from support.refreshing import LATER, NOW, QUICK, Replica, replicas
from support.token_server import TokenServer

from codex_proapi.commons.accounts import renewed_credentials
from codex_proapi.commons.accounts.model import AccountState, Credential, token_digest
from codex_proapi.commons.redis import keyspace

AOF = ("--appendonly", "yes", "--appendfsync", "always")


async def stored(redis: Redis, account_id: str) -> tuple[str, str]:
    generation, token = await redis.hmget(keyspace.credential(account_id), ["generation", "token"])
    return str(generation), str(token)


async def test_after_an_outage_longer_than_the_lock_nobody_sends_the_spent_token(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The saver pauses for a minute here: only the return of Redis can wake it in time."""
    monkeypatch.setattr(renewed_credentials, "MOST_PAUSE", 60.0)
    pace = QUICK.__class__(patience=60.0, poll=60.0, settle=1.0, reuse=0.1, lock=1)
    quick = QUICK.__class__(patience=60.0, poll=0.01, settle=60.0, reuse=0.1, lock=1)
    with RedisServer(*AOF) as redis_server:
        async with (
            TokenServer(exp=LATER) as server,
            replicas(redis_server.url, server.url, clock, pace=pace) as (one,),
            replicas(redis_server.url, server.url, clock, pace=quick) as (two,),
        ):
            account = await one.store.add(a_login(exp=NOW - 1))
            server.gate.clear()
            waiter = asyncio.ensure_future(one.fresh(account))
            await server.arrived.wait()
            ends = time.time() + 1.1
            redis_server.kill(signal.SIGKILL)
            server.gate.set()
            while time.time() < ends:
                await asyncio.sleep(0.05)
            redis_server.start()
            assert not waiter.done()

            two.refresher.returned()
            other = asyncio.ensure_future(two.fresh(account))
            one.refresher.returned()

            assert (await waiter).generation == (await other).generation == 2
            assert len(server.calls) == 1
            assert await one.state(account) == (AccountState.ACTIVE, "")


async def test_no_refresh_begins_until_things_have_settled_after_an_outage(
    redis_url: str, server: TokenServer, clock: Clock
) -> None:
    pace = QUICK.__class__(patience=60.0, poll=0.01, settle=0.5, lock=2)
    async with replicas(redis_url, server.url, clock, pace=pace) as (replica,):
        account = await replica.store.add(a_login(exp=NOW - 1))
        loop = asyncio.get_running_loop()
        begun = loop.time()
        replica.refresher.returned()

        assert (await replica.fresh(account)).generation == 2
        assert loop.time() - begun >= 0.5


async def renewed_and_lost(replica: Replica, redis: Redis) -> tuple[str, Any]:
    """An account whose refresh Redis has forgotten, as after a failover; gives what Redis has."""
    account = await replica.store.add(a_login(exp=NOW - 1))
    name = keyspace.credential(account.id)
    before: Any = await redis.hgetall(name)
    assert (await replica.fresh(account)).generation == 2
    await redis.delete(name)
    await redis.hset(name, mapping=before)
    return account.id, before


async def test_what_redis_lost_is_saved_again_when_it_is_back(
    replica: Replica, server: TokenServer, redis_client: Redis
) -> None:
    account_id, _ = await renewed_and_lost(replica, redis_client)

    replica.refresher.returned()
    await replica.refresher.close()

    saved = await replica.store.credential(account_id)
    assert saved is not None
    assert (saved.generation, saved.refresh_token) == (2, "rt_after_rt_first")
    assert len(server.calls) == 1


async def test_what_redis_lost_unseen_is_saved_again_before_the_spent_token_is_sent(
    replica: Replica, server: TokenServer, redis_client: Redis
) -> None:
    account_id, _ = await renewed_and_lost(replica, redis_client)

    assert (await replica.refresher.fresh(account_id)).refresh_token == "rt_after_rt_first"
    assert len(server.calls) == 1


async def test_a_login_that_came_meanwhile_is_not_replaced(
    replica: Replica, redis_client: Redis
) -> None:
    account_id, _ = await renewed_and_lost(replica, redis_client)
    await replica.store.remove(account_id)
    await replica.store.add(a_login(exp=LATER, refresh_token="rt_new"))

    replica.refresher.returned()
    await replica.refresher.close()

    saved = await replica.store.credential(account_id)
    assert saved is not None
    assert saved.refresh_token == "rt_new"


async def test_what_was_kept_is_forgotten_after_a_while(
    replica: Replica, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewed_credentials, "KEPT_SECONDS", -1.0)
    account_id, before = await renewed_and_lost(replica, redis_client)

    replica.refresher.returned()
    await replica.refresher.close()

    assert await stored(redis_client, account_id) == (before["generation"], before["token"])


async def test_what_is_kept_is_bounded_and_shows_no_secret(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewed_credentials, "MOST_KEPT", 1)
    for workspace in ("ws-1", "ws-2"):
        account = await replica.store.add(
            a_login(exp=NOW - 1, workspace=workspace, refresh_token=f"rt_{workspace}")
        )
        await replica.fresh(account)

    kept = replica.refresher._renewed
    assert list(kept.accounts) == [account.id]
    assert "rt_" not in f"{kept!r} {kept._kept!r}"


async def test_a_token_that_is_not_rotated_is_not_kept(replica: Replica) -> None:
    account = await replica.store.add(a_login(exp=NOW - 1))
    held = await replica.held(account)
    same = Credential(
        account_id=account.id,
        access_token="another",
        refresh_token=held.refresh_token,
        expires_at=LATER,
        generation=2,
    )
    kept = renewed_credentials.RenewedCredentials(replica.store, pause=0.01)

    assert await kept.save(same, replaced=held)
    assert list(kept.accounts) == []
    assert token_digest(held.refresh_token) not in repr(kept)
