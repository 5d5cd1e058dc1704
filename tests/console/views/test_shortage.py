import pytest
from redis.asyncio import Redis

from codex_proapi.commons.api_keys.fair_shares import ACTIVE_SECONDS, FairShare
from codex_proapi.commons.cluster.replicas import ReplicaStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.console.views.shortage import Shortage, load_shortage, shortage_of
from codex_proapi.gateway.pool.state.snapshot import SnapshotReader, SnapshotRequest

NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("shares", "positions", "sharing", "queued"),
    [
        ((), (), 0, 0),
        ((f"12.5 {NOW - 1} req_1", f"0.000 {NOW - 299} -"), (), 2, 0),
        ((f"12.5 {NOW - ACTIVE_SECONDS} req_1",), (), 0, 0),
        ((), (f"{NOW - 5} {NOW + 5} 1 key_a g1 acc_a", f"{NOW - 9} {NOW} 1 key_a g1 acc_a"), 0, 1),
        (("", "12.5", "12.5 soon -"), ("nonsense",), 0, 0),
    ],
)
def test_what_has_ended_does_not_count(
    shares: tuple[str, ...], positions: tuple[str, ...], sharing: int, queued: int
) -> None:
    assert shortage_of(shares, positions, now=NOW) == Shortage(sharing=sharing, queued=queued)


async def test_what_gateways_keep_is_understood(redis_client: Redis) -> None:
    snapshots = SnapshotReader(redis_client)
    for key_id in ("key_a", "key_b"):
        share = FairShare(key_id=key_id, weight=1.0, request_id=f"req_{key_id}", tokens=10)
        await snapshots.read(SnapshotRequest(account_ids=["a"], model="m", fair_share=share))
    now = await ReplicaStore(redis_client).now()

    assert await load_shortage(redis_client, now=now) == Shortage(sharing=2, queued=0)
    await redis_client.hset(keyspace.queue(), "req_1", f"{now} {now + 30} 1 key_a g1 acc_a")  # type: ignore[misc]
    assert (await load_shortage(redis_client, now=now)).queued == 1
