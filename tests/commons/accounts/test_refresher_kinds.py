"""Refreshing an account is its kind's affair."""

import pytest
from redis.asyncio import Redis
from support.account_kinds import BADGE, with_badges
from support.clock import Clock
from support.logins import a_login
from support.refreshing import NOW, Replica
from support.token_server import TokenServer

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.errors import CredentialRevoked, CredentialUnavailable


async def test_a_kind_that_is_never_refreshed_serves_until_its_token_ends(
    replica: Replica, server: TokenServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_badges(monkeypatch)
    account = await replica.store.add(a_login(exp=NOW + 10, kind=BADGE))

    assert (await replica.fresh(account)).kind == BADGE
    with pytest.raises(CredentialUnavailable, match="no refresh token"):
        await replica.refresher.renew(account.id)
    clock.pass_(11)
    with pytest.raises(CredentialRevoked):
        await replica.fresh(account)
    assert server.calls == []


async def test_a_kind_is_refreshed_in_its_own_way(
    replica: Replica, server: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = with_badges(monkeypatch)
    kind.renewable = True
    account = await replica.store.add(
        a_login(exp=NOW + 10, kind=BADGE, refresh_token="", id_token="badge-1", refreshed_at=NOW)
    )
    held = await replica.held(account)

    renewed = await replica.fresh(account, rejected=held)

    assert (renewed.access_token, renewed.kind) == ("badge-2", BADGE)
    assert await replica.held(account) == renewed
    assert kind.spent == ["badge-1 unauthorized_recovery"]
    assert server.calls == []


async def test_an_account_of_an_unknown_kind_is_neither_refreshed_nor_marked(
    replica: Replica, server: TokenServer, redis_client: Redis
) -> None:
    account = await replica.store.add(a_login(exp=NOW + 10))
    held, stored = await replica.held(account), keyspace.account(account.id)
    await redis_client.hset(stored, "kind", "bedrock")
    before = await redis_client.hgetall(stored)

    for provided in ({}, {"rejected": held}):
        with pytest.raises(CredentialUnavailable, match="kind"):
            await replica.fresh(account, **provided)
    with pytest.raises(CredentialUnavailable, match="kind"):
        await replica.refresher.renew(account.id)

    assert server.calls == []
    assert await redis_client.hgetall(stored) == before
