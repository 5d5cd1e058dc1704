"""One record of another Redis type is left out and told; all others go on."""

from collections.abc import Callable

import pytest
from redis.asyncio import Redis
from support.logins import a_login
from support.stored_forms import CIPHER

from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.cluster.encryption_seal import EncryptionSeal
from codex_proapi.commons.cluster.live_settings import KeyPolicy, LiveSettingsStore
from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.stored_records import UNREADABLE
from codex_proapi.commons.usage.counters import UsageStore

FAR = 4_000_000_000
DAY = "2026-11-24"


async def poison(redis: Redis, name: str) -> None:
    await redis.delete(name)
    await redis.rpush(name, "of another type")


@pytest.mark.parametrize("name", [keyspace.account, keyspace.credential])
async def test_an_account_of_another_type_does_not_hide_the_others(
    redis_client: Redis, name: Callable[[str], str]
) -> None:
    store = AccountStore(redis_client, CIPHER)
    bad, good = [
        (await store.add(a_login(exp=FAR, workspace=n, refresh_token=f"rt_{n}"))).id
        for n in ("ws_bad", "ws_good")
    ]
    await poison(redis_client, name(bad))
    kind = name.__name__
    told = UNREADABLE.counts[kind]
    view = AccountView(store)

    await view.refresh_if(1)

    assert good in view.accounts
    assert view.credential(good) is not None
    assert view.credential(bad) is None
    assert (bad in view.accounts) is (name is keyspace.credential)
    assert UNREADABLE.counts[kind] > told
    again = await store.add(a_login(exp=FAR, workspace="ws_bad", refresh_token="rt_new"))
    assert (again.id, await store.credential(bad) is not None) == (bad, True)


async def test_a_credential_of_another_type_does_not_stop_a_process(redis_client: Redis) -> None:
    store = AccountStore(redis_client, CIPHER)
    ids = [(await store.add(a_login(exp=FAR, workspace=n))).id for n in ("ws_1", "ws_2")]
    await poison(redis_client, keyspace.credential(ids[0]))

    await EncryptionSeal(redis_client, CIPHER).check()

    assert await redis_client.exists(keyspace.seal())


async def test_a_key_of_another_type_does_not_hide_the_others(redis_client: Redis) -> None:
    store = KeyStore(redis_client, CIPHER)
    bad, of_bad = await store.create("bad")
    good, secret = await store.create("good")
    await poison(redis_client, keyspace.key(bad.id))

    assert [key.id for key in await store.list()] == [good.id]
    assert await store.find(of_bad) is None
    assert await store.find(secret) == good


async def test_usage_of_another_type_counts_as_none(redis_client: Redis) -> None:
    for subject in ("key_1", "key_2"):
        await redis_client.sadd(keyspace.usage_subjects(DAY, "key"), subject)
        await redis_client.hset(keyspace.usage(DAY, "key", subject), "input", "5")
    await poison(redis_client, keyspace.usage(DAY, "key", "key_1"))
    await poison(redis_client, keyspace.usage_series(DAY))
    await poison(redis_client, keyspace.usage_subjects(DAY, "model"))
    usage = UsageStore(redis_client)

    counted = (await usage.read("key", [DAY]))[DAY]

    assert {subject: sums.input for subject, sums in counted.items()} == {"key_2": 5}
    assert await usage.tokens("key_1", [DAY]) == [0]
    assert await usage.series([DAY]) == {}
    assert (await usage.read("model", [DAY]))[DAY] == {}


async def test_settings_of_another_type_require_api_keys_until_they_are_set_again(
    redis_client: Redis,
) -> None:
    live = LiveSettingsStore(redis_client)
    await poison(redis_client, keyspace.settings())

    assert (await live.read()).api_key_policy is KeyPolicy.REQUIRED
    assert (await live.change({"usage_days": 90})).usage_days == 90


async def test_replicas_of_another_type_and_odd_names_among_them_hide_no_replica(
    redis_client: Redis,
) -> None:
    store, replica = ReplicaStore(redis_client), Replica(service="gateway", id="one")
    await poison(redis_client, keyspace.replicas())
    assert await store.all() == []

    await store.beat(replica)
    await redis_client.sadd(keyspace.replicas(), "odd")

    assert await store.all() == [replica]
