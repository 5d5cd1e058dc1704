"""API keys: made once, found by their digest, revoked everywhere with the next request."""

import hashlib
import importlib.resources
import json

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from support.clock import Clock

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.api_keys.store import ApiKey, KeyLookup, KeyStore, KeyView
from codex_proapi.commons.redis import keyspace

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture
def keys(redis_client: Redis) -> KeyStore:
    return KeyStore(redis_client, CredentialCipher([OLD]))


async def test_a_key_is_found_by_its_secret_and_by_nothing_else(keys: KeyStore) -> None:
    key, secret = await keys.create(
        "laptop",
        owner="Ada",
        created_at=5,
        expires_at=9,
        allowed_models=("gpt-5.5",),
        allowed_accounts=("acc_1",),
        default_effort="low",
        limits=Limits(rpm=10, tokens_week=1000),
        weight=0.5,
    )

    assert secret.startswith("cpa-")
    assert len(secret) == 47
    assert key.prefix == secret[:12]
    assert await keys.find(secret) == key
    assert await keys.get(key.id) == key
    for wrong in ("", "cpa-", secret[:-1], secret + "x", secret.upper(), "\ud800", "ключ"):
        assert await keys.find(wrong) is None


async def test_the_secret_is_nowhere_in_redis(keys: KeyStore, redis_client: Redis) -> None:
    _, secret = await keys.create("laptop")

    dump = ""
    for name in await redis_client.keys("*"):
        kind = await redis_client.type(name)
        dump += str(name) + str(
            await {"hash": redis_client.hgetall, "set": redis_client.smembers}.get(
                str(kind), redis_client.get
            )(name)
        )
    assert secret not in dump
    assert secret[12:] not in dump


async def test_keys_are_listed_in_the_order_they_were_made(keys: KeyStore) -> None:
    assert await keys.list() == []
    second, _ = await keys.create("second", created_at=2)
    first, _ = await keys.create("first", created_at=1)

    assert await keys.list() == [first, second]


async def test_every_change_raises_the_version(keys: KeyStore) -> None:
    seen = [await keys.version()]
    key, _ = await keys.create("laptop")
    seen.append(await keys.version())
    await keys.patch(key.id, name="desktop")
    seen.append(await keys.version())
    await keys.rotate(key.id)
    seen.append(await keys.version())
    await keys.revoke(key.id)
    seen.append(await keys.version())
    await keys.remove(key.id)
    seen.append(await keys.version())

    assert seen == [0, 1, 2, 3, 4, 5]


async def test_a_patch_changes_only_what_it_names(keys: KeyStore) -> None:
    key, secret = await keys.create("laptop", limits=Limits(rpm=1))
    await keys.patch(key.id, owner="Ada")
    changed = await keys.patch(key.id, limits=Limits(tpm=2), allowed_models=("a", "b"))

    assert changed == await keys.find(secret)
    assert changed is not None
    assert (changed.owner, changed.limits) == ("Ada", Limits(tpm=2))
    assert changed.allowed_models == ("a", "b")


async def test_an_unknown_key_can_not_be_changed(keys: KeyStore) -> None:
    assert await keys.patch("key_0", name="x") is None
    assert not await keys.revoke("key_0")
    assert not await keys.remove("key_0")
    assert await keys.rotate("key_0") is None
    assert await keys.version() == 0
    key, _ = await keys.create("laptop")
    with pytest.raises(TypeError):
        await keys.patch(key.id, colour="red")


async def test_a_revoked_key_is_found_and_says_so(keys: KeyStore) -> None:
    key, secret = await keys.create("laptop")
    assert await keys.revoke(key.id)

    found = await keys.find(secret)
    assert found is not None
    assert found.revoked


async def test_a_removed_key_leaves_nothing_but_the_end_of_the_open_policy(
    keys: KeyStore, redis_client: Redis
) -> None:
    assert not await keys.any()
    key, secret = await keys.create("laptop")

    assert await keys.remove(key.id)

    assert await keys.find(secret) is None
    assert await redis_client.keys("*") == [keyspace.keys_version()]
    assert await keys.any()


async def test_rotation_ends_the_old_secret_at_once(keys: KeyStore) -> None:
    key, old = await keys.create("laptop")

    new = await keys.rotate(key.id)

    assert new is not None
    assert await keys.find(old) is None
    found = await keys.find(new)
    assert found is not None
    assert (found.id, found.prefix) == (key.id, new[:12])


async def test_rotation_with_overlap_lets_the_old_secret_work_for_a_while(
    keys: KeyStore, redis_client: Redis
) -> None:
    key, old = await keys.create("laptop")
    cipher = CredentialCipher([OLD])

    new = await keys.rotate(key.id, overlap=3600)

    assert new is not None
    assert await keys.find(old) == await keys.find(new)
    digest = keyspace.key_digest(cipher.digests("api-key", old)[0])
    assert 3500 < await redis_client.ttl(digest) <= 3600


async def test_a_rotation_without_overlap_ends_what_one_before_let_live_on(
    keys: KeyStore, redis_client: Redis
) -> None:
    key, first = await keys.create("laptop")
    second = await keys.rotate(key.id, overlap=3600)
    assert second is not None
    third = await keys.rotate(key.id, overlap=60)
    assert third is not None
    cipher = CredentialCipher([OLD])
    digest = keyspace.key_digest(cipher.digests("api-key", first)[0])
    assert await redis_client.ttl(digest) <= 60, "a later and shorter overlap holds for all before"

    fourth = await keys.rotate(key.id)

    assert [await keys.find(secret) for secret in (first, second, third)] == [None] * 3
    assert fourth is not None
    assert await keys.remove(key.id)
    assert await redis_client.keys("*") == [keyspace.keys_version()]


def plain_digest(secret: str) -> str:
    return keyspace.key_digest(hashlib.sha256(secret.encode()).hexdigest())


async def as_stored_before(redis: Redis, key_id: str, secret: str) -> None:
    """Leave of a key what releases stored that knew only the HMAC of its secret."""
    hmac = CredentialCipher([OLD]).digests("api-key", secret)[0]
    await redis.delete(plain_digest(secret))
    await redis.hset(keyspace.key(key_id), "digests", hmac)


async def test_keys_outlive_the_loss_of_every_encryption_key(
    keys: KeyStore, redis_client: Redis
) -> None:
    key, first = await keys.create("laptop")
    second = await keys.rotate(key.id, overlap=3600)
    assert second is not None

    after = KeyStore(redis_client, CredentialCipher([NEW]))

    assert await after.find(first) == await after.find(second) == await keys.get(key.id)


async def test_a_replica_of_a_release_before_finds_new_secrets(
    keys: KeyStore, redis_client: Redis
) -> None:
    key, first = await keys.create("laptop")
    second = await keys.rotate(key.id)
    assert second is not None

    for secret, expected in ((first, None), (second, key.id)):
        hmac = CredentialCipher([OLD]).digests("api-key", secret)[0]
        assert await redis_client.get(keyspace.key_digest(hmac)) == expected


async def test_a_key_of_a_release_before_outlives_its_encryption_key_once_it_was_used(
    keys: KeyStore, redis_client: Redis
) -> None:
    key, secret = await keys.create("laptop")
    await as_stored_before(redis_client, key.id, secret)
    after = KeyStore(redis_client, CredentialCipher([NEW]))

    assert await after.find(secret) is None
    assert await keys.find(secret) == key
    assert await after.find(secret) == key
    assert await keys.remove(key.id)
    assert await redis_client.keys("*") == [keyspace.keys_version()]


async def test_a_rotation_neither_revives_a_revoked_key_nor_undoes_a_change(
    keys: KeyStore, redis_client: Redis
) -> None:
    """Whatever is changed while a key is rotated stays: only its secret is written."""
    key, _ = await keys.create("laptop", limits=Limits(rpm=1))
    await keys.patch(key.id, limits=Limits(rpm=9), owner="Ada")
    assert await keys.rotate(key.id) is not None
    changed = await keys.get(key.id)
    assert changed is not None
    assert (changed.limits.rpm, changed.owner) == (9, "Ada")

    await redis_client.hset(keyspace.key(key.id), "revoked", "1")
    version = await keys.version()
    assert await keys.rotate(key.id) is None
    assert await keys.version() == version
    await keys.remove(key.id)
    assert await keys.rotate(key.id) is None
    assert await keys.list() == []


async def test_limits_that_only_a_newer_version_knows_stay(
    keys: KeyStore, redis_client: Redis
) -> None:
    key, secret = await keys.create("laptop", limits=Limits(rpm=1, tokens_day=5))
    newer = {"rpm": 1, "tokens_day": 5, "usd_month": 20, "tokens_year": {"of": 7}}
    await redis_client.hset(keyspace.key(key.id), "limits", json.dumps(newer))

    await keys.patch(key.id, limits=Limits(tpm=10**15))
    await keys.rotate(key.id)

    held = json.loads(str(await redis_client.hget(keyspace.key(key.id), "limits")))
    assert held == {"tpm": 10**15, "usd_month": 20, "tokens_year": {"of": 7}}
    assert await keys.find(secret) is None


async def test_rotating_a_key_ends_its_old_secret_under_every_encryption_key(
    keys: KeyStore, redis_client: Redis
) -> None:
    key, secret = await keys.create("laptop")
    rotated = KeyStore(redis_client, CredentialCipher([NEW, OLD]))
    await rotated.find(secret)

    await rotated.rotate(key.id)

    for store in (keys, rotated, KeyStore(redis_client, CredentialCipher([NEW]))):
        assert await store.find(secret) is None


async def test_an_overlap_is_not_prolonged_by_storing_another_digest(
    keys: KeyStore, redis_client: Redis
) -> None:
    key, old = await keys.create("laptop")
    await as_stored_before(redis_client, key.id, old)
    await keys.rotate(key.id, overlap=3600)

    assert await keys.find(old) is not None

    assert 3500 < await redis_client.ttl(plain_digest(old)) <= 3600


def test_a_key_expires_at_its_time() -> None:
    assert not ApiKey(id="key_1", name="laptop").expired(10)
    assert not ApiKey(id="key_1", name="laptop", expires_at=11).expired(10)
    assert ApiKey(id="key_1", name="laptop", expires_at=10).expired(10)


class CountingStore(KeyStore):
    """Counts how often it is asked."""

    asked = 0

    async def lookup(self, secret: str) -> KeyLookup:
        self.asked += 1
        return await super().lookup(secret)


async def test_a_view_asks_once_for_each_version(redis_client: Redis) -> None:
    store = CountingStore(redis_client, CredentialCipher([OLD]))
    view = KeyView(store)
    key, secret = await store.create("laptop")

    for _ in range(3):
        assert await view.find(secret) == key
        assert view.confirm(await store.version())
    assert store.asked == 1
    assert repr(view) == "<KeyView 1 keys, version 1>"


async def test_a_revoked_key_is_forgotten_with_the_next_survey(redis_client: Redis) -> None:
    store = CountingStore(redis_client, CredentialCipher([OLD]))
    view = KeyView(store)
    key, secret = await store.create("laptop")
    await view.find(secret)
    await store.revoke(key.id)

    assert not view.confirm(await store.version())
    found = await view.find(secret)
    assert view.confirm(await store.version())

    assert found is not None
    assert found.revoked


async def test_what_a_view_remembers_of_an_old_secret_ends_with_its_overlap(
    redis_client: Redis,
) -> None:
    store, clock = CountingStore(redis_client, CredentialCipher([OLD])), Clock()
    view = KeyView(store, clock=clock)
    key, old = await store.create("laptop")
    await store.rotate(key.id, overlap=60)
    assert await view.find(old) is not None
    clock.pass_(58)
    assert await view.find(old) is not None
    assert store.asked == 1

    clock.pass_(2)
    await redis_client.delete(*await redis_client.keys("*key-digest*"))

    assert await view.find(old) is None
    assert repr(view) == "<KeyView 0 keys, version 2>"


async def test_a_wrong_secret_is_not_remembered(redis_client: Redis) -> None:
    view = KeyView(CountingStore(redis_client, CredentialCipher([OLD])))
    for number in range(3):
        assert await view.find(f"cpa-{number}") is None
    assert repr(view) == "<KeyView 0 keys, version 0>"


def test_stores_print_nothing_of_their_keys(keys: KeyStore) -> None:
    assert repr(keys) == "<KeyStore>"


async def test_a_secret_in_its_last_millisecond_is_not_adopted_without_an_end(
    redis_client: Redis,
) -> None:
    """Redis gives 0 for what is left of a key that ends in this millisecond."""
    script = importlib.resources.files("codex_proapi.commons.api_keys").joinpath("adopt_digest.lua")
    prelude = """
        local server = redis
        local redis = {call = function(name, ...)
          if name == 'PTTL' then return 0 end
          return server.call(name, ...)
        end}
    """
    await redis_client.hset(keyspace.key("key_1"), "digests", "new")
    await redis_client.set(keyspace.key_digest("old"), "key_1")
    names = [keyspace.key("key_1"), keyspace.key_digest("old"), keyspace.key_digest("other")]

    await redis_client.eval(prelude + script.read_text(), 3, *names, "key_1", "other")

    assert await redis_client.exists(keyspace.key_digest("other")) == 0
    assert await redis_client.hget(keyspace.key("key_1"), "ending") is None


async def test_a_list_shows_what_another_process_has_changed(
    keys: KeyStore, redis_client: Redis
) -> None:
    key, _ = await keys.create("laptop", created_at=1)
    other, _ = await keys.create("desk", created_at=2)
    assert [each.name for each in await keys.list()] == ["laptop", "desk"]

    elsewhere = KeyStore(redis_client, CredentialCipher([OLD]))
    await elsewhere.patch(key.id, name="phone", limits=Limits(rpm=3))
    await redis_client.hset(keyspace.key(other.id), "last_used_at", "77")  # as settlement does
    first, second = await keys.list()

    assert (first.name, first.limits.rpm, second.last_used_at) == ("phone", 3, 77)
    assert await keys.names() == {key.id: "phone", other.id: "desk"}
    assert await keys.names([other.id, "key_gone"]) == {other.id: "desk"}
    assert await keys.count() == 2
    await elsewhere.remove(key.id)
    assert await keys.list() == [second]
    assert await keys.count() == 1
