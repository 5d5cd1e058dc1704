"""Composition of the Redis clients and of the stores that use them."""

import secrets
from functools import partial

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.quota_store import QuotaStore
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.cluster.store_check import StoreCheck
from codex_proapi.commons.cluster.upstream_drift import UpstreamDriftStore
from codex_proapi.commons.prices.price_store import PriceStore
from codex_proapi.commons.prices.price_table import PriceView
from codex_proapi.commons.redis.circuit_breaker import RedisCircuitBreaker
from codex_proapi.commons.redis.clients import connect, connect_blocking, mapped
from codex_proapi.commons.redis.multiplexed import MultiplexedConnection, connect_multiplexed
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.commons.usage.counters import UsageStore
from codex_proapi.gateway.accounting.ledger import Ledger
from codex_proapi.gateway.accounting.ledger_writer import RedisWriter
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter
from codex_proapi.gateway.accounting.upstream_drift import UpstreamDrift
from codex_proapi.gateway.auth.authenticator import Authenticator
from codex_proapi.gateway.auth.origins import TrustedOrigins
from codex_proapi.gateway.auth.refused_keys import RefusedKeys
from codex_proapi.gateway.exchange.stored_responses import MOST_ALL_BYTES, ResponseStore
from codex_proapi.gateway.limits.stream_permits import StreamPermits
from codex_proapi.gateway.limits.visible_quota import KeyQuota
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.metrics.series import RedisWork
from codex_proapi.gateway.pool.slot_queue import AccountQueue
from codex_proapi.gateway.pool.state.clock import SharedClock
from codex_proapi.gateway.pool.state.redis_outage import RedisOutage
from codex_proapi.gateway.pool.state.snapshot import SnapshotReader
from codex_proapi.gateway.settings import GatewaySettings


class RedisClients(msgspec.Struct, frozen=True, kw_only=True):
    """The Redis clients of one replica, by purpose."""

    commands: Redis
    """For ordinary commands; they fail at once while the circuit breaker is open."""
    snapshots: Redis
    """For snapshots, and for probes while Redis is away; without the circuit breaker."""
    blocking: Redis
    """For blocking reads."""
    multiplexed: MultiplexedConnection | None
    """One connection shared by the snapshots of all requests; None if Redis is a cluster."""
    writes: MultiplexedConnection | None
    """One shared by slots, permits and settlements, whose batches may be large; as ordinary commands,
    theirs fail at once while the circuit breaker is open."""
    breaker: RedisCircuitBreaker

    async def ping(self) -> bool:
        """Whether Redis answers; True without asking within `REDIS_GRACE_SECONDS` of an outage."""
        if self.breaker.in_grace():
            return True
        try:
            with mapped():
                await self.commands.ping()
        except StoreUnavailable:
            return False
        return True

    async def aclose(self) -> None:
        """Close all connections."""
        for connection in (self.multiplexed, self.writes):
            if connection is not None:
                await connection.aclose()
        for client in (self.blocking, self.snapshots, self.commands):
            await client.aclose()


class Stores(msgspec.Struct, frozen=True, kw_only=True):
    """The stores of one replica, and the objects that use Redis on behalf of requests."""

    replica_id: str
    redis: RedisClients
    check: StoreCheck
    accounts: AccountStore
    view: AccountView
    keys: KeyStore
    cooldowns: CooldownStore
    authenticator: Authenticator
    settlements: SettlementWriter
    ledger: Ledger
    drift: UpstreamDrift
    outage: RedisOutage
    queue: AccountQueue
    stream_permits: StreamPermits
    responses: ResponseStore
    key_quota: KeyQuota
    prices: PriceView


def connect_redis(settings: GatewaySettings) -> RedisClients:
    """Make the clients for `REDIS_URL`; they connect with their first command."""
    breaker = RedisCircuitBreaker(grace=settings.redis_grace_seconds)
    return RedisClients(
        commands=connect(settings.redis_url, breaker=breaker),
        snapshots=connect(settings.redis_url),
        blocking=connect_blocking(settings.redis_url, max_connections=1),
        multiplexed=connect_multiplexed(settings.redis_url),
        writes=connect_multiplexed(settings.redis_url, breaker=breaker),
        breaker=breaker,
    )


def open_stores(
    settings: GatewaySettings, *, clock: SharedClock, metrics: Metrics, tasks: Tasks
) -> Stores:
    """Make the stores of one replica."""
    redis = connect_redis(settings)
    cipher = CredentialCipher(settings.encryption_keys)
    accounts = AccountStore(redis.commands, cipher)
    view = AccountView(accounts)
    keys = KeyStore(redis.commands, cipher)
    cooldowns = CooldownStore(redis.commands, connection=redis.writes)
    settlements, ledger = _accounting(redis, cooldowns, metrics)
    authenticator = Authenticator(
        keys,
        policy=settings.api_key_policy,
        clock=clock,
        redis_breaker=redis.breaker,
        origins=TrustedOrigins(public_url=settings.public_url, allowed=settings.allowed_origins),
        refused=RefusedKeys(ledger.tell, clock=clock),
    )
    replica_id = secrets.token_hex(6)
    metrics.states.stored_limit.set(MOST_ALL_BYTES)
    outage = _store_outage(
        redis, view, authenticator, ledger, clock=clock, metrics=metrics, tasks=tasks
    )
    stream_permits = StreamPermits(redis.commands, clock=clock, connection=redis.writes)
    outage.on_return(lambda: tasks.start(stream_permits.free_uncertain(), name="free permits"))
    queue = AccountQueue(
        redis.commands,
        blocking_redis=redis.blocking,
        replica=replica_id,
        tasks=tasks,
        clock=clock,
        connection=redis.writes,
    )
    outage.on_return(lambda: tasks.start(queue.free_kept(), name="free slots"))
    prices = PriceView(PriceStore(redis.commands))
    return Stores(
        replica_id=replica_id,
        redis=redis,
        check=StoreCheck(redis.commands, cipher),
        accounts=accounts,
        view=view,
        keys=keys,
        cooldowns=cooldowns,
        authenticator=authenticator,
        settlements=settlements,
        ledger=ledger,
        drift=UpstreamDrift(UpstreamDriftStore(redis.commands), metrics, clock=clock),
        outage=outage,
        queue=queue,
        stream_permits=stream_permits,
        responses=ResponseStore(redis.commands, cipher),
        key_quota=_key_quota(redis.commands, view, prices, clock=clock),
        prices=prices,
    )


def _key_quota(
    redis: Redis, view: AccountView, prices: PriceView, *, clock: SharedClock
) -> KeyQuota:
    """Make the reader of what keys are told of their quota."""
    return KeyQuota(
        usage=UsageStore(redis),
        quotas=QuotaStore(redis),
        view=view,
        prices=prices,
        clock=clock,
    )


def _accounting(
    redis: RedisClients, cooldowns: CooldownStore, metrics: Metrics
) -> tuple[SettlementWriter, Ledger]:
    """Make the ledger, and the writer of its settlements."""
    commands, writes = redis.commands, redis.writes
    settlements = SettlementWriter(commands, lost=metrics.ledger_lost.inc, connection=writes)
    writer = RedisWriter(commands, settlements=settlements, cooldowns=cooldowns, connection=writes)
    return settlements, Ledger(writer, metrics)


def _store_outage(
    redis: RedisClients,
    view: AccountView,
    authenticator: Authenticator,
    ledger: Ledger,
    *,
    clock: SharedClock,
    metrics: Metrics,
    tasks: Tasks,
) -> RedisOutage:
    """Make the reader of snapshots, which replaces Redis during the grace period."""

    def returned() -> None:
        """Redis is back: drop connections made before, and write the latest settlements again."""
        ledger.again()
        if redis.writes is not None:
            redis.writes.drop()
        pool = getattr(redis.commands, "connection_pool", None)  # a cluster's client has none
        if pool is not None:
            tasks.start(pool.disconnect(inuse_connections=False), name="old connections")

    reader = SnapshotReader(
        redis.snapshots,
        multiplexed=redis.multiplexed,
        took=metrics.snapshot_took,
        failed=partial(metrics.redis_failed, RedisWork.SNAPSHOT),
    )
    return RedisOutage(
        reader,
        accounts=view,
        keys=authenticator,
        redis_breaker=redis.breaker,
        metrics=metrics,
        clock=clock,
        returned=returned,
    )
