"""A replica lives while it beats."""

from redis.asyncio import Redis

from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.commons.redis import keyspace

ONE = Replica(id="a1", service="gateway", version="1", in_flight={"acc_1": 2}, beat_at=10.5)
TWO = Replica(id="b2", service="console", version="1")


async def test_a_replica_that_beats_is_seen_with_what_it_does(redis_client: Redis) -> None:
    store = ReplicaStore(redis_client)
    await store.beat(ONE)
    await store.beat(TWO)

    assert await store.all() == [TWO, ONE]


async def test_a_beat_replaces_the_one_before(redis_client: Redis) -> None:
    store = ReplicaStore(redis_client)
    await store.beat(Replica(id="a1", service="gateway", draining=True))
    await store.beat(ONE)

    assert await store.all() == [ONE]


async def test_a_replica_that_fell_silent_is_gone_and_forgotten(redis_client: Redis) -> None:
    store = ReplicaStore(redis_client)
    await store.beat(ONE)
    assert 0 < await redis_client.ttl(keyspace.replica("gateway", "a1")) <= 30
    await redis_client.delete(keyspace.replica("gateway", "a1"))

    assert await store.all() == []
    assert await redis_client.exists(keyspace.replicas()) == 0


async def test_a_replica_that_leaves_is_gone_at_once(redis_client: Redis) -> None:
    store = ReplicaStore(redis_client)
    await store.beat(ONE)
    await store.beat(TWO)
    await store.leave(ONE)

    assert await store.all() == [TWO]


async def test_redis_time_is_the_one_clock(redis_client: Redis) -> None:
    seconds, _ = await redis_client.time()
    assert seconds <= await ReplicaStore(redis_client).now() < seconds + 60
