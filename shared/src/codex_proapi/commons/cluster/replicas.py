"""The live replicas of both services, and how busy each account is on them.

Each replica writes a heartbeat every BEAT_SECONDS; one without any for REPLICA_SECONDS is gone.
What a killed process held is thereby released without a clean-up.
"""

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, mapped, text
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each
from codex_proapi.commons.redis.type_repair import Form, TypeRepair
from codex_proapi.commons.runtime.stored_records import read_json

BEAT_SECONDS = 5
"""How often a replica beats."""


class Replica(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One process, as its heartbeat describes it."""

    id: str
    """Random, for each start."""
    service: str
    """`gateway` or `console`."""
    host: str = ""
    """Name of its machine or pod."""
    version: str = ""
    started_at: int = 0
    """Seconds since the epoch."""
    beat_at: float = 0.0
    """Seconds since the epoch."""
    draining: bool = False
    """Whether it takes no more requests."""
    upstream_at: float = 0.0
    """When the backend last answered it, seconds since the epoch; 0 for never, and for consoles."""
    in_flight: dict[str, int] = {}
    """Exchanges under way, by account."""
    default_model: str = ""
    """`DEFAULT_MODEL` of a gateway's environment."""
    model_aliases: dict[str, str] | None = None
    """`MODEL_ALIASES` of a gateway's environment; None for consoles, and for releases before 0.1.0."""
    first_event_ms: dict[str, int] = {}
    """Median of the last times from sending a request to its first event with content, by transport."""
    redis_faults: int = 0
    """Commands Redis failed since the start."""


class ReplicaStore:
    """The live replicas."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._repair = TypeRepair(redis)

    def __repr__(self) -> str:
        return "<ReplicaStore>"

    async def now(self) -> float:
        """Redis' time, seconds since the epoch: the one clock that all replicas share."""
        seconds, micros = await ask(self._redis.time)
        return float(seconds) + float(micros) / 1e6

    async def beat(self, replica: Replica) -> None:
        """Write a replica's heartbeat."""
        name = keyspace.replica(replica.service, replica.id)

        async def write() -> None:
            with mapped():
                pipe = self._redis.pipeline(transaction=False)
                pipe.set(name, msgspec.json.encode(replica), ex=keyspace.REPLICA_SECONDS)
                pipe.sadd(keyspace.replicas(), f"{replica.service} {replica.id}")
                await pipe.execute()

        await self._repair.run(write, lambda: {keyspace.replicas(): Form.SET})

    async def leave(self, replica: Replica) -> None:
        """Remove a replica that ends."""
        with mapped():
            pipe = self._redis.pipeline(transaction=False)
            pipe.delete(keyspace.replica(replica.service, replica.id))
            pipe.srem(keyspace.replicas(), f"{replica.service} {replica.id}")
            await pipe.execute()

    async def all(self) -> list[Replica]:
        """The live replicas; names of those gone are removed on the way."""
        read = StoredRead("value", "replicas", ("SMEMBERS", keyspace.replicas()))
        [members] = await read_each(self._redis, [read])
        names = sorted(map(text, members or ()))
        if not names:
            return []
        keys = [keyspace.replica(*name.partition(" ")[::2]) for name in names]
        beats = await ask(lambda: self._redis.mget(keys))
        gone = [name for name, body in zip(names, beats, strict=True) if body is None]
        if gone:
            with mapped():
                await self._redis.srem(keyspace.replicas(), *gone)
        return [
            replica
            for name, body in zip(names, beats, strict=True)
            if body is not None and (replica := read_json(body, Replica, kind="replica", name=name))
        ]
