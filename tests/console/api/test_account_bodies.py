"""Accounts as the API shows them."""

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.consoles import KEY
from support.logins import a_login

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.quota_store import QuotaStore, SeenFamily, SeenQuota, SeenWindow
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.console.api.account_bodies import AccountBodies
from codex_proapi.console.errors import NotFound
from codex_proapi.console.resets.reset_store import ResetStore

NOW = 1_795_000_000
QUOTA = SeenQuota(
    seen_at=NOW - 60,
    plan="plus",
    families=(SeenFamily(id="codex", windows=(SeenWindow(minutes=300, used_percent=12.5),)),),
)


async def test_an_account_is_drawn_with_its_quota_and_its_load(redis_client: Redis) -> None:
    accounts = AccountStore(redis_client, CredentialCipher([KEY]))
    quotas, replicas = QuotaStore(redis_client), ReplicaStore(redis_client)
    bodies = AccountBodies(
        resets=ResetStore(redis_client),
        accounts=accounts,
        cooldowns=CooldownStore(redis_client),
        quotas=quotas,
        replicas=replicas,
        clock=Clock(NOW),
    )
    one = await accounts.add(a_login(exp=NOW + 999))
    other = await accounts.add(a_login(exp=NOW + 999, workspace="ws-2", created_at=NOW))
    await quotas.keep({one.id: lambda _: QUOTA})
    for name, count in (("a", 2), ("b", 3)):
        await replicas.beat(Replica(id=name, service="gateway", in_flight={one.id: count}))
    first, second = await bodies.all()

    assert (first.id, first.quota, first.in_flight) == (one.id, QUOTA, 5)
    assert (second.id, second.quota, second.in_flight) == (other.id, None, 0)
    assert await bodies.one(one.id) == first
    with pytest.raises(NotFound):
        await bodies.one("acc_unknown")
