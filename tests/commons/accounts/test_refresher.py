"""Tokens stay alive: one call for all, and every accident ends with the account alive."""

import json
from typing import Any

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from support.clock import Clock
from support.logins import a_login, an_access_token
from support.refreshing import LATER, NOW, Replica, replicas
from support.token_server import TokenServer, says

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import (
    AccountState,
    Cooldown,
    CooldownReason,
    Credential,
)
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.errors import CredentialRevoked, CredentialUnavailable


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


async def test_a_token_that_works_is_renewed_if_somebody_wants_it(
    replica: Replica, server: TokenServer
) -> None:
    account = await replica.store.add(a_login(exp=LATER))

    renewed = await replica.refresher.renew(account.id)

    assert renewed.generation == 2
    assert len(server.calls) == 1


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
