import asyncio
import time
from typing import Any

import msgspec
import pytest
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from support.gateways import KEY
from support.logins import a_login

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.cluster.live_settings import (
    HistoryMode,
    KeyPolicy,
    LiveSettings,
    LiveSettingsStore,
    ReasoningSummary,
)
from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.commons.owner_terms.closing import Closed, Term
from codex_proapi.commons.owner_terms.terms import OwnerTerms
from codex_proapi.commons.prices.price_store import PriceStore
from codex_proapi.commons.prices.price_table import PriceView
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.calendar import UTC, Calendar
from codex_proapi.gateway.exchange.stored_responses import ResponseStore
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.eligible import Strategy
from codex_proapi.gateway.pool.state.clock import SharedClock
from codex_proapi.gateway.replica_sync import (
    ROUNDS_PER_BEAT,
    LiveSettingsApplier,
    ReplicaStatus,
    ReplicaSync,
)
from codex_proapi.gateway.server.in_flight import InFlight
from codex_proapi.gateway.settings import GatewaySettings
from codex_proapi.gateway.upstream.model_catalogues import Names
from codex_proapi.gateway.upstream.reachability import FAILURES, Reachability

SETTINGS = GatewaySettings(
    encryption_keys=(Fernet.generate_key().decode(),),
    default_model="gpt-5.5",
    model_aliases={"mine": "gpt-5.5"},
    routing=Routing.ROUND_ROBIN,
)


class Part:
    """Whatever a switch turns."""

    def __init__(self) -> None:
        self.policy: Any = None
        self.strategy: Any = None
        self.history_mode: Any = None
        self.reasoning_summary: Any = None
        self.names: Any = None
        self.most: Any = None
        self.interval: Any = None
        self.days: Any = None
        self.calendar: Any = None
        self.rounds = 0

    def configure(self, names: Any) -> None:
        self.names = names

    def observe_accounts(self) -> None:
        self.rounds += 1


CLOSED = Closed(term=Term.PAUSED)


class Scene:
    def __init__(self, redis: Any) -> None:
        self.part = Part()
        parts: dict[str, Any] = dict.fromkeys(
            (
                *("authenticator", "selector", "slots", "catalogues", "options", "settlements"),
                *("poll", "key_quota"),
            ),
            self.part,
        )
        self.applier = LiveSettingsApplier(SETTINGS, **parts)
        self.accounts = AccountStore(redis, CredentialCipher((KEY,)))
        self.replicas, self.live = ReplicaStore(redis), LiveSettingsStore(redis)
        self.registry = CollectorRegistry()
        self.responses = ResponseStore(redis, Cipher((KEY,)))
        self.in_flight = InFlight(most=9)
        self.clock = SharedClock(lambda: time.time() - 300)
        self.reachability = Reachability(clock=lambda: 100.0)
        self.prices = PriceView(PriceStore(redis))
        self.upkeep = ReplicaSync(
            Replica(id="r1", service="gateway", started_at=1),
            replicas=self.replicas,
            live=self.live,
            applier=self.applier,
            accounts=self.accounts,
            view=AccountView(self.accounts),
            catalogues=parts["catalogues"],
            prices=self.prices,
            status=ReplicaStatus(
                clock=self.clock,
                in_flight=self.in_flight,
                metrics=Metrics(self.registry),
                reachability=self.reachability,
                responses=self.responses,
                closed=lambda account: CLOSED if account.terms.paused else None,
            ),
        )

    async def beat(self, **facts: Any) -> None:
        """The heartbeat of another replica."""
        await self.replicas.beat(Replica(**{"id": "r2", "service": "gateway", **facts}))


@pytest.fixture
def scene(redis_client: Redis) -> Any:
    return Scene(redis_client)


def test_what_was_changed_while_running_wins_over_the_environment(scene: Any) -> None:
    scene.applier.apply(LiveSettings())
    assert scene.part.policy == KeyPolicy.REQUIRED
    assert scene.part.strategy == Strategy(routing=Routing.ROUND_ROBIN, reserve=5, fair_below=10)
    assert scene.part.names == Names(default_model="gpt-5.5", aliases={"mine": "gpt-5.5"})
    assert (scene.part.days, scene.part.calendar) == (400, UTC)

    scene.applier.apply(
        LiveSettings(
            routing=Routing.LEAST_USED,
            quota_reserve=0.0,
            fair_share_below=25.0,
            api_key_policy=KeyPolicy.OPEN,
            history_mode=HistoryMode.TRANSCRIPT,
            reasoning_summary=ReasoningSummary.AUTO,
            default_model="gpt-6-sol",
            model_aliases={},
            disabled_models=("gpt-5.5",),
            quota_poll_seconds=120,
            usage_days=60,
            time_zone="Asia/Shanghai",
        )
    )
    assert scene.part.interval == 120
    assert scene.part.policy == KeyPolicy.OPEN
    assert scene.part.strategy == Strategy(routing=Routing.LEAST_USED, reserve=0, fair_below=25)
    assert scene.part.history_mode is HistoryMode.TRANSCRIPT
    assert scene.part.reasoning_summary is ReasoningSummary.AUTO
    assert (scene.part.days, scene.part.calendar) == (60, Calendar("Asia/Shanghai"))
    assert scene.part.names == Names(default_model="gpt-6-sol", aliases={}, disabled=("gpt-5.5",))


async def test_a_replica_that_serves_nobody_learns_of_changes_too(scene: Any) -> None:
    await scene.accounts.add(a_login(exp=int(time.time()) + 900))
    paused = await scene.accounts.add(a_login(exp=int(time.time()) + 900, workspace="ws-2"))
    await scene.accounts.pause(paused.id)
    offered = await scene.accounts.add(a_login(exp=int(time.time()) + 900, workspace="ws-3"))
    await scene.accounts.set_terms(offered.id, OwnerTerms(paused=True))
    await scene.live.change({"routing": Routing.DRAIN_SOONEST})

    await scene.upkeep.round()

    status = {
        state: scene.registry.get_sample_value("gateway_accounts", {"state": state})
        for state in ("active", "paused", "closed", "revoked")
    }
    assert status == {"active": 1, "paused": 1, "closed": 1, "revoked": 0}
    assert scene.part.strategy.routing is Routing.DRAIN_SOONEST
    assert scene.part.rounds == 1


async def test_the_bytes_of_stored_responses_are_read_with_each_heartbeat(scene: Any) -> None:
    shown = []
    for n in range(2 * ROUNDS_PER_BEAT + 1):
        await scene.responses.keep(f"key_{n}", "resp_1", [], response=b'{"output":[]}', now=9.0)
        await scene.upkeep.round()
        shown.append(scene.registry.get_sample_value("gateway_stored_response_bytes"))

    assert shown[0] > 0
    assert [n for n in range(1, len(shown)) if shown[n] > shown[n - 1]] == [
        ROUNDS_PER_BEAT,
        2 * ROUNDS_PER_BEAT,
    ]
    assert shown[-1] == await scene.responses.bytes_of_all()


async def test_a_sum_of_stored_bytes_that_is_no_number_is_nought(
    scene: Any, redis_client: Redis
) -> None:
    await redis_client.hset(keyspace.stored_bytes(), "all", "many")

    assert await scene.responses.bytes_of_all() == 0


async def test_a_replica_tells_that_it_lives_and_that_it_goes(scene: Any) -> None:
    scene.in_flight.draining = True
    await scene.upkeep.round()

    [replica] = await scene.replicas.all()
    assert (replica.id, replica.draining) == ("r1", True)
    await scene.upkeep.leave()
    assert await scene.replicas.all() == []


async def test_its_rounds_survive_a_redis_that_is_away(scene: Any) -> None:
    rounds: list[Any] = []

    async def away(*_: Any) -> None:
        raise StoreUnavailable("away")

    async def sleep(seconds: Any) -> None:
        rounds.append(seconds)
        scene.accounts.version = scene.replicas.leave = away
        if len(rounds) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await scene.upkeep.run(sleep)
    await scene.upkeep.leave()

    assert len(rounds) == 3
    errors = scene.registry.get_sample_value("gateway_redis_errors_total", {"work": "upkeep"})
    assert errors == 2


async def test_a_clock_that_is_wrong_is_corrected_before_anybody_asks(scene: Any) -> None:
    assert time.time() - scene.clock() > 299

    await scene.upkeep.round()

    assert abs(time.time() - scene.clock()) < 60


@pytest.mark.parametrize(
    ("other", "elsewhere"),
    [
        ({"upstream_at": 101.0}, True),
        ({"upstream_at": 99.0}, False),
        ({}, False),
        ({"upstream_at": 101.0, "draining": True}, False),
        ({"upstream_at": 101.0, "service": "console"}, False),
        ({"upstream_at": 101.0, "id": "r1"}, False),
    ],
)
async def test_a_replica_that_lost_upstream_steps_aside_only_for_one_that_reaches_it(
    scene: Any, other: Any, *, elsewhere: bool
) -> None:
    await scene.upkeep.round()
    await scene.beat(**other)
    assert not scene.upkeep.upstream_is_elsewhere

    for _ in range(FAILURES):
        scene.reachability.failed("tcp: refused")
    await scene.upkeep.round()
    assert scene.upkeep.upstream_is_elsewhere is elsewhere

    scene.reachability.reached()
    await scene.upkeep.round()
    assert not scene.upkeep.upstream_is_elsewhere


async def test_a_heartbeat_says_when_upstream_last_answered(scene: Any) -> None:
    scene.reachability.reached()

    await scene.upkeep.round()

    [replica] = await scene.replicas.all()
    assert replica.upstream_at == 100.0


async def test_the_heartbeat_tells_how_fast_each_transport_is(scene: Any) -> None:
    scene.upkeep._status = msgspec.structs.replace(
        scene.upkeep._status, first_events=lambda: {"http": 1.25, "websocket": 0.5}
    )
    await scene.upkeep.round()

    [replica] = await scene.replicas.all()
    assert replica.first_event_ms == {"http": 1250, "websocket": 500}
