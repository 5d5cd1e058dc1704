"""What a newer version wrote, or a hand spoilt, is read with caution; it never stops the others."""

import time
from typing import Any

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from support.logins import a_login

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import AccountState, Cooldown, CooldownReason
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.cluster.live_settings import KeyPolicy, LiveSettingsStore
from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.errors import CredentialUnavailable
from codex_proapi.commons.runtime.stored_records import UNREADABLE
from codex_proapi.commons.usage.counters import Counters, UsageStore
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogStream
from codex_proapi.gateway.pool.state.snapshot import SnapshotReader, SnapshotRequest

CIPHER = CredentialCipher([Fernet.generate_key().decode()])
NOW = 1_795_000_000.0


def counted(kind: str) -> int:
    return UNREADABLE.counts[kind]


async def test_an_account_of_an_unknown_kind_is_there_and_passed_over(redis_client: Redis) -> None:
    store = AccountStore(redis_client, CIPHER)
    account = await store.add(a_login(exp=int(NOW) + 900))
    other = await store.add(a_login(exp=int(NOW) + 900, workspace="ws-2"))
    stored = keyspace.account(account.id)
    await redis_client.hset(stored, "kind", "bedrock")
    before = await redis_client.hgetall(stored)
    view = AccountView(store)
    await view.refresh_if(await store.version())

    assert view.accounts[account.id].kind == "bedrock"
    assert view.accounts[account.id].state is AccountState.UNKNOWN
    assert not view.accounts[account.id].works(NOW)
    assert view.credential(account.id) is None
    with pytest.raises(CredentialUnavailable, match="kind"):
        await store.credential(account.id)
    assert view.accounts[other.id].works(NOW)
    assert view.credential(other.id) is not None
    assert await store.reseal() == 2
    assert await redis_client.hgetall(stored) == before


async def test_an_account_without_a_kind_is_a_chatgpt_login(redis_client: Redis) -> None:
    store = AccountStore(redis_client, CIPHER)
    account = await store.add(a_login(exp=int(NOW) + 900))
    assert account.kind == "chatgpt"
    await redis_client.hdel(keyspace.account(account.id), "kind")

    found, credential = await store.get(account.id), await store.credential(account.id)

    assert found is not None
    assert credential is not None
    assert (found.kind, credential.kind) == ("chatgpt", "chatgpt")
    assert found.works(NOW)


async def test_an_account_in_an_unknown_state_is_there_and_not_used(redis_client: Redis) -> None:
    store = AccountStore(redis_client, CIPHER)
    account = await store.add(a_login(exp=int(NOW) + 900))
    other = await store.add(a_login(exp=int(NOW) + 900, workspace="ws-2"))
    await redis_client.hset(keyspace.account(account.id), "state", "hibernating")

    found = {each.id: each for each in await store.list()}

    assert found[account.id].state is AccountState.UNKNOWN
    assert not found[account.id].works(NOW)
    assert found[other.id].works(NOW)


@pytest.mark.parametrize(
    ("field", "value"), [("weight", "heavy"), ("created_at", "yesterday"), ("paused", "perhaps")]
)
async def test_an_account_that_cannot_be_read_is_left_out_and_counted(
    redis_client: Redis, field: str, value: str
) -> None:
    store = AccountStore(redis_client, CIPHER)
    account = await store.add(a_login(exp=int(NOW) + 900))
    other = await store.add(a_login(exp=int(NOW) + 900, workspace="ws-2"))
    await redis_client.hset(keyspace.account(account.id), field, value)
    before = counted("account")
    view = AccountView(store)

    await view.refresh_if(await store.version())
    await store.list()

    assert [each.id for each in view.accounts.values()] == [other.id]
    assert await store.get(account.id) is None
    assert counted("account") == before + 3


@pytest.mark.parametrize("generation", ["many", "-1", ""])
async def test_a_generation_that_is_no_number_is_no_credential(
    redis_client: Redis, generation: str
) -> None:
    store = AccountStore(redis_client, CIPHER)
    account = await store.add(a_login(exp=int(NOW) + 900))
    await redis_client.hset(keyspace.credential(account.id), "generation", generation)

    assert [each.id for each in await store.list()] == [account.id]
    assert await store.credential(account.id) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weight", "heavy"),
        ("limits", "{"),
        ("limits", '{"rpm": "many"}'),
        ("allowed_models", '"all"'),
        ("revoked", "perhaps"),
    ],
)
async def test_a_key_that_cannot_be_read_opens_nothing_and_stops_no_other(
    redis_client: Redis, field: str, value: str
) -> None:
    keys = KeyStore(redis_client, CIPHER)
    odd, odd_secret = await keys.create("odd")
    key, secret = await keys.create("laptop")
    await redis_client.hset(keyspace.key(odd.id), field, value)

    assert await keys.find(odd_secret) is None
    assert await keys.find(secret) == key
    assert [each.id for each in await keys.list()] == [key.id]


async def test_fields_of_a_newer_version_change_nothing(redis_client: Redis) -> None:
    keys, store = KeyStore(redis_client, CIPHER), AccountStore(redis_client, CIPHER)
    key, secret = await keys.create("laptop")
    account = await store.add(a_login(exp=int(NOW) + 900))
    await redis_client.hset(keyspace.key(key.id), "colour", "blue")
    await redis_client.hset(keyspace.key(key.id), "limits", '{"rpm": 7, "rps": 1}')
    await redis_client.hset(keyspace.account(account.id), "colour", "blue")

    found = await keys.find(secret)

    assert found is not None
    assert found.limits.rpm == 7
    assert [each.id for each in await store.list()] == [account.id]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"until": %d, "reason": "weather", "since": 1}', CooldownReason.UNKNOWN),
        ('{"until": %d}', CooldownReason.UNKNOWN),
        ('{"until": %d, "reason": {"kind": "quota"}, "since": "now"}', CooldownReason.UNKNOWN),
        ('{"until": %d, "reason": "quota", "since": 1, "window": 5}', CooldownReason.QUOTA),
    ],
)
async def test_a_cooldown_of_a_newer_version_is_still_a_cooldown(
    redis_client: Redis, body: str, reason: CooldownReason
) -> None:
    until = int(time.time()) + 10**8
    await redis_client.hset(keyspace.cooldowns(), "acc_a", body % until)

    snapshot = await SnapshotReader(redis_client).read(
        SnapshotRequest(account_ids=["acc_a", "acc_b"], model="m")
    )
    found = await CooldownStore(redis_client).all(["acc_a"], now=NOW)

    assert snapshot.cooldowns["acc_a"].reason is reason
    assert found["acc_a"][""].until == until


@pytest.mark.parametrize("body", ["no JSON", "7", "[]", "{}", '{"until": "later"}', "null", ""])
async def test_a_cooldown_that_says_no_end_stops_nobody(redis_client: Redis, body: str) -> None:
    cooldown = Cooldown(until=time.time() + 10**8, reason=CooldownReason.RATE, since=NOW)
    cooldowns = CooldownStore(redis_client)
    await redis_client.hset(keyspace.cooldowns(), "acc_a", body)
    await cooldowns.cool("acc_b", cooldown)

    snapshot = await SnapshotReader(redis_client).read(
        SnapshotRequest(account_ids=["acc_a", "acc_b"], model="m")
    )

    assert snapshot.cooldowns == {"acc_b": cooldown}
    assert await cooldowns.all(["acc_a", "acc_b"], now=NOW) == {"acc_b": {"": cooldown}}
    assert await cooldowns.cool("acc_a", cooldown), "it gives way"
    assert (await cooldowns.all(["acc_a"], now=NOW))["acc_a"][""] == cooldown


async def test_a_replica_that_cannot_be_read_hides_no_other(redis_client: Redis) -> None:
    replicas = ReplicaStore(redis_client)
    await replicas.beat(Replica(id="r1", service="gateway"))
    await redis_client.sadd(keyspace.replicas(), "gateway r2")
    await redis_client.set(keyspace.replica("gateway", "r2"), '{"id": 2}')

    assert [each.id for each in await replicas.all()] == ["r1"]


async def test_a_policy_for_keys_that_is_not_known_means_that_they_are_required(
    redis_client: Redis,
) -> None:
    await redis_client.hset(
        keyspace.settings(), mapping={"api_key_policy": '"invited"', "routing": '"by_colour"'}
    )

    live = await LiveSettingsStore(redis_client).read()

    assert (live.api_key_policy, live.routing) == (KeyPolicy.REQUIRED, None)


async def test_counters_of_a_newer_version_are_left_out(redis_client: Redis) -> None:
    day, usage = "2026-11-18", UsageStore(redis_client)
    odd: dict[Any, Any] = {"requests": "3", "audio": "5", "input": "many"}
    await redis_client.hset(keyspace.usage(day, "key", "k"), mapping=odd)
    await redis_client.sadd(keyspace.usage_subjects(day, "key"), "k")
    for prefix, name in (
        ("m ", keyspace.usage_models(day, "k")),
        ("7 ", keyspace.usage_series(day)),
    ):
        await redis_client.hset(name, mapping={f"{prefix}{f}": v for f, v in odd.items()})
    await redis_client.hset(keyspace.usage_series(day), "noon requests", "1")

    assert await usage.read("key", [day]) == {day: {"k": Counters(requests=3)}}
    assert (await usage.read_models(["k"], [day]))[day] == {("k", "m"): Counters(requests=3)}
    assert list((await usage.series([day])).values()) == [Counters(requests=3)]
    assert await usage.tokens("k", [day]) == [0]


async def test_a_page_of_the_log_is_full_although_rows_between_cannot_be_read(
    redis_client: Redis,
) -> None:
    logs = LogStream(redis_client)
    for number in range(6):
        await logs.append(LogEntry(at=number, kind=LogKind.ACCOUNT, event=f"account.e{number}"))
        await redis_client.xadd(keyspace.logs(), {"entry": '{"at": 1, "kind": "weather"}'})
        await redis_client.xadd(keyspace.logs(), {"other": "x"})

    page = await logs.page(count=4)
    rest = await logs.page(before=page[-1].id, count=4)

    assert [each.entry.event for each in page] == [f"account.e{n}" for n in (5, 4, 3, 2)]
    assert [each.entry.event for each in rest] == ["account.e1", "account.e0"]


@pytest.mark.parametrize("share", ["", "much", "x 1 y", "1 2"])
async def test_a_share_that_cannot_be_read_begins_anew(redis_client: Redis, share: str) -> None:
    await redis_client.hset(keyspace.fair_shares(), mapping={"key_1": share, "key_2": share})
    claimed = FairShare(key_id="key_1", request_id="req_1", tokens=10, weight=1.0)

    await SnapshotReader(redis_client).read(
        SnapshotRequest(account_ids=["a"], model="m", fair_share=claimed)
    )

    assert await redis_client.hkeys(keyspace.fair_shares()) == ["key_1"]
