"""What a failed renewal means: a permanent refusal revokes, anything else may pass."""

import asyncio
import math
import signal
from typing import Any

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.logins import a_login
from support.redis_server import RedisServer
from support.refreshing import LATER, NOW, Replica, replicas
from support.token_server import REUSED, TokenServer, says

from codex_proapi.commons.accounts.model import (
    AccountState,
    Credential,
)
from codex_proapi.commons.accounts.refresh_pace import Pace
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.errors import (
    CredentialRevoked,
    CredentialUnavailable,
    CredentialUnreachable,
)

PERMANENT = [
    (401, {"error": {"code": "refresh_token_expired"}}, "refresh_token_expired"),
    (401, REUSED, "refresh_token_reused"),
    (401, {"error": "refresh_token_invalidated"}, "refresh_token_invalidated"),
    (401, {"code": "app_session_terminated"}, "app_session_terminated"),
    (401, {"error": {"message": "no"}}, "http_401"),
    (401, "", "http_401"),
    (400, {"error": "invalid_grant", "error_description": "gone"}, "invalid_grant"),
    (403, {"error": {"code": "account_deactivated"}}, "account_deactivated"),
    (
        400,
        {"error": {"message": "Invalid 'refresh_token': empty string.", "code": "empty_string"}},
        "empty_string",
    ),
]


@pytest.mark.parametrize(("status", "body", "code"), PERMANENT)
async def test_a_permanent_refusal_revokes_the_account_and_is_remembered_by_all(
    redis_url: str, server: TokenServer, clock: Clock, status: int, body: Any, code: str
) -> None:
    async with replicas(redis_url, server.url, clock, 2) as (one, other):
        account = await one.store.add(a_login(exp=NOW + 100))
        server.script = [says(body, status=status)]

        assert (await one.fresh(account)).generation == 1  # it works until its end
        assert await one.state(account) == (AccountState.REVOKED, code)
        assert (await other.fresh(account)).generation == 1
        clock.pass_(101)
        for replica in (one, other):
            with pytest.raises(CredentialRevoked):
                await replica.fresh(account)

        assert len(server.calls) == 1
        assert one.outcomes == ["refused"]


async def test_a_rejected_token_without_a_way_to_another_counts_as_ended(
    replica: Replica, server: TokenServer
) -> None:
    account = await replica.store.add(a_login(exp=LATER))
    held = await replica.held(account)
    server.script = [says({"error": {"code": "refresh_token_invalidated"}}, status=401)]

    with pytest.raises(CredentialRevoked):
        await replica.fresh(account, rejected=held)

    found = await replica.store.get(account.id)
    assert found is not None
    assert (found.state, found.token_expires_at) == (AccountState.REVOKED, NOW)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (says({"error": {"code": "refresh_token_reused"}}, status=401), AccountState.REVOKED),
        (says({"error": {"code": "server_error"}}, status=500), AccountState.ACTIVE),
    ],
)
async def test_a_wanted_renewal_that_fails_ends_nothing_that_works(
    replica: Replica, server: TokenServer, answer: Any, state: AccountState
) -> None:
    account = await replica.store.add(a_login(exp=LATER))
    server.script = [answer]

    with pytest.raises(CredentialUnavailable):
        await replica.refresher.renew(account.id)

    found = await replica.store.get(account.id)
    assert found is not None
    assert (found.state, found.token_expires_at) == (state, LATER)
    assert found.works(NOW)
    assert (await replica.fresh(account)).generation == 1


async def test_signing_in_again_forgets_the_verdict(replica: Replica, server: TokenServer) -> None:
    account = await replica.store.add(a_login(exp=NOW - 1))
    server.script = [says({"error": "invalid_grant"}, status=400)]
    with pytest.raises(CredentialRevoked):
        await replica.fresh(account)

    await replica.store.add(a_login(exp=NOW - 1))

    assert await replica.state(account) == (AccountState.ACTIVE, "")
    assert (await replica.fresh(account)).expires_at == LATER


TRANSIENT = [
    (500, {"error": {"message": "oops"}}),
    (503, "upstream connect error"),
    (429, {"error": {"code": "rate_limit_exceeded"}}),
    (403, "<!DOCTYPE html><title>Just a moment...</title>"),
    (401, "<html>the proxy wants a password</html>"),
    (200, "not json"),
    (200, {}),
    (200, []),
    (401, {"error": {"code": "invalid_client"}}),
    (400, {"error": {"code": "invalid_request", "message": "unknown field"}}),
    (302, ""),
]


@pytest.mark.parametrize(("status", "body"), TRANSIENT)
async def test_any_other_failure_leaves_the_account_and_its_token_as_they_are(
    redis_url: str, server: TokenServer, clock: Clock, status: int, body: Any
) -> None:
    async with replicas(redis_url, server.url, clock, 2) as (one, other):
        account = await one.store.add(a_login(exp=NOW + 100))
        server.script = [says(body, status=status)]

        got = [await each.fresh(account) for each in (one, other, one)]

        assert {each.generation for each in got} == {1}
        assert await one.state(account) == (AccountState.ACTIVE, "")
        assert len(server.calls) == 1, "nobody asks again for a moment"


async def test_an_expired_token_that_cannot_be_renewed_for_now_is_unavailable(
    replica: Replica, server: TokenServer, redis_client: Redis
) -> None:
    account = await replica.store.add(a_login(exp=NOW - 1))
    server.script = [says({}, status=500)]

    for _ in range(3):
        with pytest.raises(CredentialUnavailable, match="for now"):
            await replica.fresh(account)
    assert len(server.calls) == 1

    await redis_client.delete(keyspace.refresh_pause(account.id))  # the pause is over
    assert (await replica.fresh(account)).generation == 2


async def test_pauses_grow_and_respect_what_the_server_asks_for(
    redis_url: str, server: TokenServer, redis_client: Redis, clock: Clock
) -> None:
    async with replicas(redis_url, server.url, clock, pace=Pace(pause=7)) as (replica,):
        account = await replica.store.add(a_login(exp=NOW - 1))
        pause = keyspace.refresh_pause(account.id)
        server.script = [says({}, status=500) for _ in range(3)]
        server.script.append(says({}, status=429, **{"retry-after": "57"}))
        server.script.append(says({}, status=429, **{"retry-after": "3600"}))
        pauses = []
        for _ in range(5):
            with pytest.raises(CredentialUnavailable):
                await replica.fresh(account)
            pauses.append(math.ceil(await redis_client.pttl(pause) / 1000))
            await redis_client.delete(pause)

    assert pauses == [7, 14, 28, 57, 60]


async def test_a_server_that_is_not_there_is_a_failure_that_may_pass(
    redis_url: str, clock: Clock
) -> None:
    async with replicas(redis_url, "http://127.0.0.1:9", clock) as (replica,):
        account = await replica.store.add(a_login(exp=NOW - 1))

        for _ in range(2):
            with pytest.raises(CredentialUnreachable):
                await replica.fresh(account)
        assert replica.outcomes == ["unavailable"], "nobody asks again for a moment"
        assert await replica.state(account) == (AccountState.ACTIVE, "")


async def test_a_process_that_cannot_connect_keeps_no_other_from_renewing(
    redis_url: str, server: TokenServer, redis_client: Redis, clock: Clock
) -> None:
    patient = Pace(patience=60.0, poll=0.01, pause=3600)
    async with (
        replicas(redis_url, "http://127.0.0.1:9", clock, pace=patient) as (blind,),
        replicas(redis_url, server.url, clock) as (other,),
    ):
        account = await blind.store.add(a_login(exp=NOW - 1))
        with pytest.raises(CredentialUnreachable):
            await blind.fresh(account)
        assert not await redis_client.exists(keyspace.refresh_pause(account.id))

        renewed = await other.fresh(account)

        assert await blind.fresh(account) == renewed


async def test_while_redis_is_away_the_answer_waits_to_be_saved(clock: Clock) -> None:
    with RedisServer("--appendonly", "yes") as redis_server:
        async with (
            TokenServer(exp=LATER) as server,
            replicas(redis_server.url, server.url, clock) as (replica,),
        ):
            account = await replica.store.add(a_login(exp=NOW - 1))
            server.gate.clear()
            waiter = asyncio.ensure_future(replica.fresh(account))
            await server.arrived.wait()
            redis_server.kill(signal.SIGKILL)

            server.gate.set()
            await asyncio.sleep(0.2)
            assert not waiter.done()
            redis_server.start()

            assert (await waiter).generation == 2
            assert (await replica.held(account)).refresh_token == "rt_after_rt_first"
            assert len(server.calls) == 1


async def test_a_token_that_still_works_serves_while_redis_is_away(
    server: TokenServer, clock: Clock
) -> None:
    async with replicas("unix:///nowhere", server.url, clock) as (replica,):
        held = Credential(
            account_id="acc_1", access_token="a", refresh_token="rt_1", expires_at=NOW + 100
        )

        assert await replica.refresher.fresh("acc_1", held=held) is held


async def test_redis_away_before_the_call_is_unavailable(
    redis_url: str, server: TokenServer, clock: Clock
) -> None:
    async with replicas("unix:///nowhere", server.url, clock) as (replica,):
        with pytest.raises(CredentialUnavailable, match="Redis"):
            await replica.refresher.fresh("acc_1")
    assert server.calls == []
