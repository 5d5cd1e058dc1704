"""Tokens stay alive: one call for all, and every accident ends with the account alive."""

import asyncio
import contextlib
import json
import math
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from support.clock import Clock
from support.logins import a_login, an_access_token
from support.redis_server import RedisServer
from support.token_server import REUSED, TokenServer, says

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import (
    Account,
    AccountState,
    Cooldown,
    CooldownReason,
    Credential,
)
from codex_proapi.commons.accounts.refresher import CredentialRefresher, Pace
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.codex.token_endpoint import TokenEndpoint
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.runtime.errors import CredentialRevoked, CredentialUnavailable

NOW = 1_795_000_000
LATER = NOW + 864_000
KEY = Fernet.generate_key().decode()
QUICK = Pace(patience=60.0, grace=0.5, poll=0.01, pause=1, reuse=0.3, lock=2)
WORKER = Path(__file__).parents[2] / "support" / "refresh_worker.py"


class Replica:
    """One process' worth of objects."""

    def __init__(self, redis: Redis, server_url: str, clock: Clock, pace: Pace = QUICK) -> None:
        self.outcomes: list[str] = []
        self.store = AccountStore(redis, CredentialCipher([KEY]))
        self.http = httpx.AsyncClient(trust_env=False)
        identity = {"originator": "codex_cli_rs", "user-agent": "codex_cli_rs/0.169.0"}
        endpoint = TokenEndpoint(
            self.http, issuer=server_url, client_id="app_test", identity=identity
        )
        self.refresher = CredentialRefresher(
            self.store,
            endpoint,
            redis,
            clock=clock,
            hook=lambda _account, outcome: self.outcomes.append(outcome),
            pace=pace,
        )

    async def fresh(self, account: Account, **provided: Any) -> Credential:
        return await self.refresher.fresh(account.id, **provided)

    async def held(self, account: Account) -> Credential:
        held = await self.store.credential(account.id)
        assert held is not None
        return held

    async def state(self, account: Account) -> tuple[str, str]:
        found = await self.store.get(account.id)
        assert found is not None
        return found.state, found.state_reason


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
async def server() -> AsyncIterator[TokenServer]:
    async with TokenServer(exp=LATER) as server:
        yield server


@contextlib.asynccontextmanager
async def replicas(
    redis_url: str, server_url: str, clock: Clock, count: int = 1, pace: Pace = QUICK
) -> AsyncIterator[list[Replica]]:
    clients = [connect(redis_url) for _ in range(count)]
    made = [Replica(client, server_url, clock, pace) for client in clients]
    try:
        yield made
    finally:
        for replica in made:
            await replica.refresher.close()
            await replica.http.aclose()
        for client in clients:
            await client.aclose()


@pytest.fixture
async def replica(redis_url: str, server: TokenServer, clock: Clock) -> AsyncIterator[Replica]:
    async with replicas(redis_url, server.url, clock) as (made,):
        yield made


async def test_a_fresh_credential_is_given_back_without_a_look_at_anything(
    server: TokenServer, clock: Clock
) -> None:
    async with replicas("unix:///nowhere", server.url, clock) as (replica,):
        held = Credential(
            account_id="acc_1", access_token="a", refresh_token="rt_1", expires_at=NOW + 301
        )

        assert await replica.refresher.fresh("acc_1", held=held) is held


async def test_an_expired_token_is_refreshed_and_saved_before_use(
    replica: Replica, server: TokenServer
) -> None:
    account = await replica.store.add(a_login(exp=NOW - 1))

    got = await replica.fresh(account)

    assert got.generation == 2
    assert got.expires_at == LATER
    assert got.refresh_token == "rt_after_rt_first"
    assert got == await replica.held(account)
    assert server.calls == [
        {
            "path": "/oauth/token",
            "client_id": "app_test",
            "grant_type": "refresh_token",
            "refresh_reason": "proactive_expiry",
            "refresh_token": "rt_first",
        }
    ]
    assert replica.outcomes == ["refreshed"]


async def test_a_token_is_renewed_five_minutes_before_its_end(
    replica: Replica, server: TokenServer
) -> None:
    early = await replica.store.add(a_login(exp=NOW + 301, workspace="early"))
    late = await replica.store.add(a_login(exp=NOW + 299, workspace="late"))

    assert (await replica.fresh(early)).generation == 1
    assert (await replica.fresh(late)).expires_at == LATER
    assert len(server.calls) == 1


async def test_a_token_without_a_readable_end_is_renewed_after_eight_days(
    replica: Replica, server: TokenServer, clock: Clock
) -> None:
    login = a_login(exp=0, access_token="opaque", refreshed_at=NOW)
    account = await replica.store.add(login)

    clock.pass_(8 * 86_400 - 1)
    assert (await replica.fresh(account)).generation == 1
    clock.pass_(2)
    assert (await replica.fresh(account)).generation == 2


async def test_what_the_answer_leaves_out_keeps_its_old_value(
    replica: Replica, server: TokenServer
) -> None:
    account = await replica.store.add(a_login(exp=NOW - 1, id_token="old id"))
    renewed = an_access_token(exp=LATER)
    server.script = [says({"access_token": renewed})]

    got = await replica.fresh(account)

    assert (got.access_token, got.refresh_token, got.id_token) == (renewed, "rt_first", "old id")


async def test_an_answer_without_an_access_token_is_not_asked_for_again_at_once(
    replica: Replica, server: TokenServer
) -> None:
    account = await replica.store.add(a_login(exp=NOW + 100))
    server.script = [says({"refresh_token": "rt_second"})]

    assert (await replica.fresh(account)).refresh_token == "rt_second"
    assert (await replica.fresh(account)).refresh_token == "rt_second"
    assert len(server.calls) == 1


async def test_a_short_lived_token_is_not_renewed_by_every_request(
    replica: Replica, server: TokenServer
) -> None:
    account = await replica.store.add(a_login(exp=NOW - 1))
    server.exp = NOW + 240

    first = await replica.fresh(account)

    assert first.expires_at == NOW + 240
    assert await replica.fresh(account) == first
    assert len(server.calls) == 1


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
    started = time.monotonic()
    assert await replica.fresh(account, held=held) is held
    assert time.monotonic() - started < QUICK.grace

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
        hold = one.refresher._locks.hold

        @contextlib.asynccontextmanager
        async def late(name: str) -> AsyncIterator[bool]:
            await other.fresh(account)  # between our look and our lock
            async with hold(name) as ours:
                yield ours

        one.refresher._locks.hold = late  # type: ignore[method-assign]

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


async def test_a_rejected_token_is_replaced_by_the_one_another_replica_got(
    redis_url: str, server: TokenServer, clock: Clock
) -> None:
    async with replicas(redis_url, server.url, clock, 2) as (one, other):
        account = await one.store.add(a_login(exp=LATER))
        held = await one.held(account)

        renewed = await one.fresh(account, held=held, rejected=held)
        assert await other.fresh(account, held=held, rejected=held) == renewed

        assert [call["refresh_reason"] for call in server.calls] == ["unauthorized_recovery"]


async def test_a_rejected_token_is_never_given_back(replica: Replica, server: TokenServer) -> None:
    account = await replica.store.add(a_login(exp=LATER))
    held = await replica.held(account)
    server.script = [says({}, status=503)]

    with pytest.raises(CredentialUnavailable):
        await replica.fresh(account, held=held, rejected=held)
    assert await replica.fresh(account) == held  # another request may still try it


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


async def test_a_token_that_works_is_renewed_if_somebody_wants_it(
    replica: Replica, server: TokenServer
) -> None:
    account = await replica.store.add(a_login(exp=LATER))

    renewed = await replica.refresher.renew(account.id)

    assert renewed.generation == 2
    assert len(server.calls) == 1


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


async def test_a_wanted_renewal_without_a_refresh_token_changes_nothing(
    replica: Replica, server: TokenServer
) -> None:
    account = await replica.store.add(a_login(exp=LATER, refresh_token=""))

    with pytest.raises(CredentialUnavailable):
        await replica.refresher.renew(account.id)

    found = await replica.store.get(account.id)
    assert found is not None
    assert (found.state, found.token_expires_at) == (AccountState.ACTIVE, LATER)
    assert server.calls == []


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

        with pytest.raises(CredentialUnavailable):
            await replica.fresh(account)
        assert replica.outcomes == ["unavailable"]
        assert await replica.state(account) == (AccountState.ACTIVE, "")


async def test_an_account_without_a_refresh_token_works_until_its_end(
    replica: Replica, server: TokenServer, clock: Clock
) -> None:
    account = await replica.store.add(a_login(exp=NOW + 10, refresh_token=""))

    assert (await replica.fresh(account)).generation == 1
    clock.pass_(11)
    with pytest.raises(CredentialRevoked, match="refresh_token_missing"):
        await replica.fresh(account)

    assert server.calls == []


async def test_an_unknown_account_has_nothing_to_give(replica: Replica) -> None:
    with pytest.raises(CredentialUnavailable, match="acc_0 has no credential"):
        await replica.refresher.fresh("acc_0")


async def test_a_credential_under_a_lost_encryption_key_is_unavailable(
    redis_client: Redis, replica: Replica
) -> None:
    strange = AccountStore(redis_client, CredentialCipher([Fernet.generate_key().decode()]))
    account = await strange.add(a_login(exp=NOW - 1))

    with pytest.raises(CredentialUnavailable, match="No encryption key"):
        await replica.fresh(account)


async def test_a_renewed_credential_ends_the_cooldown_of_its_refused_token(
    replica: Replica, redis_client: Redis
) -> None:
    account = await replica.store.add(a_login(exp=NOW - 1))
    cooldown = Cooldown(until=NOW + 600, reason=CooldownReason.CREDENTIAL, since=NOW)
    cooldowns: dict[Any, Any] = {
        account.id: json.dumps(
            cooldown.__struct_fields__
            and {
                "until": cooldown.until,
                "reason": cooldown.reason,
                "since": cooldown.since,
            }
        )
    }
    await redis_client.hset(keyspace.cooldowns(), mapping=cooldowns)

    await replica.fresh(account)

    assert await redis_client.hlen(keyspace.cooldowns()) == 0


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


async def test_redis_away_before_the_call_is_unavailable(
    redis_url: str, server: TokenServer, clock: Clock
) -> None:
    async with replicas("unix:///nowhere", server.url, clock) as (replica,):
        with pytest.raises(CredentialUnavailable, match="Redis"):
            await replica.refresher.fresh("acc_1")
    assert server.calls == []


class Worker:
    """A real process that asks."""

    def __init__(
        self, redis_url: str, server: TokenServer, account: Account, **orders: Any
    ) -> None:
        self.orders = {
            "redis_url": redis_url,
            "issuer": server.url,
            "key": KEY,
            "account": account.id,
            **orders,
        }

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(WORKER),
            json.dumps(self.orders),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert await self.process.stdout.readline() == b"ready\n"

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def result(self) -> list[Any]:
        out, _ = await self.process.communicate()
        assert self.process.returncode == 0
        return list(json.loads(out.splitlines()[-1]))

    async def kill(self) -> None:
        self.process.kill()
        await self.process.communicate()


async def workers(count: int, *args: Any, **orders: Any) -> list[Worker]:
    made = [Worker(*args, **orders) for _ in range(count)]
    await asyncio.gather(*(each.start() for each in made))
    return made


async def expired(redis_client: Redis) -> Account:
    store = AccountStore(redis_client, CredentialCipher([KEY]))
    return await store.add(a_login(exp=int(time.time()) - 60))


@pytest.fixture
async def today() -> AsyncIterator[TokenServer]:
    """A server whose tokens are good by the real clock of real processes."""
    async with TokenServer(exp=int(time.time()) + 864_000) as server:
        yield server


async def test_fifty_requests_on_each_of_five_processes_make_one_call(
    redis_url: str, redis_client: Redis, today: TokenServer
) -> None:
    account = await expired(redis_client)
    started = await workers(5, redis_url, today, account)

    for each in started:
        each.go()
    results = [await each.result() for each in started]

    assert [got for result in results for got in result] == [[2, today.exp]] * 250
    assert len(today.calls) == 1


async def test_processes_whose_clocks_differ_by_ten_minutes_make_one_call(
    redis_url: str, redis_client: Redis, today: TokenServer
) -> None:
    account = await expired(redis_client)
    args = (redis_url, today, account)
    started = [*await workers(2, *args, skew=300), *await workers(2, *args, skew=-50)]

    for each in started:
        each.go()
    results = [await each.result() for each in started]

    assert {tuple(got) for result in results for got in result} == {(2, today.exp)}
    assert len(today.calls) == 1


async def test_the_death_of_the_holder_in_the_middle_of_its_call_costs_nothing_but_time(
    redis_url: str, redis_client: Redis, today: TokenServer
) -> None:
    account = await expired(redis_client)
    today.gate.clear()
    args = (redis_url, today, account)
    (holder,) = await workers(1, *args, lock=2)
    others = await workers(2, *args, lock=2)
    holder.go()
    await today.arrived.wait()
    for each in others:
        each.go()

    await holder.kill()
    today.gate.set()
    results = [await each.result() for each in others]

    assert {tuple(got) for result in results for got in result} == {(2, today.exp)}
    assert len(today.calls) == 2
