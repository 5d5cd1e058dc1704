from redis.asyncio import Redis
from support.exchanges import a_record
from support.leases import NOW

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogStream
from codex_proapi.gateway.accounting.ledger_writer import RedisWriter
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter
from codex_proapi.gateway.pool.state.snapshot import SnapshotReader, SnapshotRequest


async def test_each_store_takes_its_part(redis_client: Redis) -> None:
    cooldowns, snapshots = CooldownStore(redis_client), SnapshotReader(redis_client)
    writer = RedisWriter(
        redis_client, settlements=SettlementWriter(redis_client), cooldowns=cooldowns
    )
    until = NOW + 10**9
    shaky = Cooldown(until=until, reason=CooldownReason.TRANSIENT, since=NOW)
    await cooldowns.cool("acc_a", shaky)
    await redis_client.set(keyspace.probe("acc_a"), "1")

    await writer.add([a_record(1)])
    await writer.tie({"f1": "acc_a"})
    await writer.mark_unreadable({"f1": ["x", "y"]})
    await writer.succeed({"acc_a": NOW})
    await writer.tell([LogEntry(at=NOW, kind=LogKind.ACCOUNT, event="account.cooled")])

    entries = await LogStream(redis_client).page()
    assert [stored.entry.event for stored in entries] == ["account.cooled", "exchange.settled"]
    survey = await snapshots.read(SnapshotRequest(account_ids=["acc_a"], model="m", affinity="f1"))
    assert (survey.affine, survey.cooldowns) == ("acc_a", {})
    assert await redis_client.smembers(keyspace.foreign("f1")) == {"x", "y"}
    assert 0 < await redis_client.ttl(keyspace.foreign("f1")) <= keyspace.DAY
    assert not await redis_client.exists(keyspace.probe("acc_a"))
