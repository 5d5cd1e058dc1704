"""Every kind of thing commons keeps in Redis, once through: for servers of any kind."""

import time

from cryptography.fernet import Fernet
from redis.asyncio import Redis
from support.exchanges import a_record
from support.logins import a_login

from codex_proapi.commons.accounts.cooldowns import CooldownStore, Opening
from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.api_keys.store import KeyStore, KeyView
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.locks import Locks
from codex_proapi.commons.usage.counters import UsageStore
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogStream
from codex_proapi.gateway.accounting.affinity_writer import AffinityWriter
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter
from codex_proapi.gateway.exchange.stored_responses import ResponseStore
from codex_proapi.gateway.pool.state.snapshot import SnapshotReader, SnapshotRequest

CIPHER = CredentialCipher([Fernet.generate_key().decode()])


async def walk(redis: Redis, blocking_redis: Redis) -> None:
    """Write and read everything; leaves one account and one key."""
    accounts, keys = AccountStore(redis, CIPHER), KeyStore(redis, CIPHER)
    gone = await accounts.add(a_login(exp=1, workspace="gone"))
    account = await accounts.add(a_login(exp=1))
    held = await accounts.credential(account.id)
    assert held is not None
    assert await accounts.save_credential(held, expected=held.generation)
    assert await accounts.pause(account.id)
    assert await accounts.remove(gone.id)
    view = AccountView(accounts)
    await view.refresh_if(await accounts.version())
    assert list(view.accounts) == [account.id]

    key, _ = await keys.create("laptop")
    secret = await keys.rotate(key.id, overlap=10)
    assert secret is not None
    assert await KeyView(keys).find(secret) is not None
    assert len(await keys.list()) == 1

    cooldowns, snapshots = CooldownStore(redis), SnapshotReader(redis)
    cooldown = Cooldown(until=time.time() + 60, reason=CooldownReason.RATE, since=time.time())
    await AffinityWriter(redis).tie({"f": account.id})
    opening = Opening(now=time.time(), faults=5, first_seconds=30.0, most_seconds=300.0)
    assert await cooldowns.fault(account.id, opening) is None
    assert await cooldowns.cool(account.id, cooldown)
    snapshot = await snapshots.read(
        SnapshotRequest(account_ids=[account.id], model="m", affinity="f")
    )
    assert snapshot.cooldowns == {account.id: cooldown}
    await cooldowns.clear(account.id)
    snapshot = await snapshots.read(
        SnapshotRequest(account_ids=[account.id], model="m", affinity="f")
    )
    assert snapshot.affine == account.id

    usage, log = UsageStore(redis), LogStream(redis, blocking_redis=blocking_redis)
    assert await SettlementWriter(redis).add([a_record(number) for number in range(10)]) == 10
    assert len((await usage.read("key", ["2026-11-18"]))["2026-11-18"]) == 5
    assert await usage.series(["2026-11-18"])
    last = await log.last_id()
    await log.append(LogEntry(at=1.0, kind=LogKind.SYSTEM, event="walk.begun"))
    assert len(await log.follow(last)) == 1
    assert await log.clear() == 11
    assert await log.restore()
    assert len(await log.page()) == 11

    responses = ResponseStore(redis, CIPHER)
    asked, answer = [b'{"id":"msg_1"}'], b'{"output":[]}'
    assert await responses.keep("key_1", "resp_1", asked, response=answer, now=time.time())
    assert await responses.item("key_1", "msg_1") == asked[0]
    assert await responses.get("key_1", "resp_1") is not None
    assert await responses.delete("key_1", "resp_1")
    async with Locks(redis, keyspace.refresh_lock, seconds=30).acquire("a") as ours:
        assert ours
